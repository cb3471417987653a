//! Numbers by a format specification.

use streamalert_value::float_repr;

use super::Text;
use super::number::{big, decimal, exponent, general, to_float};
use super::spec::{Spec, unknown};
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::types::ExcKind;

/// A number taken apart: sign and prefix, digits that may be grouped, the rest.
#[derive(Default)]
struct Parts {
    sign: &'static str,
    prefix: &'static str,
    digits: String,
    rest: String,
}

fn sign(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    }
}

/// An `int` or `bool`.
pub(super) fn int<'a>(cx: &Cx<'a>, value: Obj<'a>, spec: &Spec) -> R<'a, &'a str> {
    let Some(big) = big(value) else {
        return Err(cx.leave("a format of numbers for something else"));
    };
    let kind = spec.kind.unwrap_or('d');
    match kind {
        'd' | 'b' | 'o' | 'x' | 'X' | 'c' | 'n' => {}
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%' => return float(cx, value, to_float(cx, value)?, spec),
        kind => return Err(unknown(cx, value, kind)),
    }
    if spec.precision.is_some() {
        return Err(cx.value_error(format_args!("Precision not allowed in integer format specifier")));
    }
    if spec.no_minus_zero {
        return Err(cx.value_error(format_args!(
            "Negative zero coercion (z) not allowed in integer format specifier"
        )));
    }
    if kind == 'c' {
        return character(cx, value, spec);
    }
    cx.use_fuel(big.bits() >> 4)?;
    let magnitude = big.magnitude();
    let (prefix, digits) = match kind {
        'b' => ("0b", magnitude.to_str_radix(2)),
        'o' => ("0o", magnitude.to_str_radix(8)),
        'x' => ("0x", magnitude.to_str_radix(16)),
        'X' => ("0X", magnitude.to_str_radix(16).to_uppercase()),
        _ => ("", decimal(cx, value)?.trim_start_matches('-').to_owned()),
    };
    let parts = Parts {
        sign: sign(big.sign() == num_bigint::Sign::Minus, spec),
        prefix: if spec.alternate { prefix } else { "" },
        digits,
        rest: String::new(),
    };
    let size = if prefix.is_empty() { 3 } else { 4 };
    lay_out(cx, &parts, size, spec)
}

fn character<'a>(cx: &Cx<'a>, value: Obj<'a>, spec: &Spec) -> R<'a, &'a str> {
    if spec.sign.is_some() {
        return Err(cx.value_error(format_args!("Sign not allowed with integer format specifier 'c'")));
    }
    if spec.alternate {
        return Err(cx.value_error(format_args!(
            "Alternate form (#) not allowed with integer format specifier 'c'"
        )));
    }
    let Some(code) = crate::ops::small_int(value) else {
        return Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("Python int too large to convert to C long"),
        ));
    };
    let Some(code) = u32::try_from(code).ok().filter(|code| *code < 0x11_0000) else {
        return Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("%c arg not in range(0x110000)"),
        ));
    };
    let Some(character) = char::from_u32(code) else {
        return Err(cx.leave("half a surrogate pair"));
    };
    let parts = Parts {
        rest: character.to_string(),
        ..Parts::default()
    };
    lay_out(cx, &parts, 3, spec)
}

/// A `float`, or an `int` in a format of floats.
pub(super) fn float<'a>(cx: &Cx<'a>, value: Obj<'a>, float: f64, spec: &Spec) -> R<'a, &'a str> {
    let kind = spec.kind.unwrap_or('r');
    if !matches!(kind, 'r' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%') || spec.kind == Some('r') {
        return Err(unknown(cx, value, kind));
    }
    let magnitude = float.abs();
    let mut body = if float.is_finite() {
        finite(magnitude, kind, spec)
    } else if float.is_nan() {
        "nan".to_owned()
    } else {
        "inf".to_owned()
    };
    if kind == '%' {
        body.push('%');
    }
    if matches!(kind, 'E' | 'F' | 'G') {
        body = body.to_uppercase();
    }
    let is_zero = || {
        let mantissa = body.split(['e', 'E']).next().unwrap_or_default();
        !mantissa.contains(|digit: char| digit.is_ascii_alphabetic() || matches!(digit, '1'..='9'))
    };
    let negative = float.is_sign_negative() && !float.is_nan() && !(spec.no_minus_zero && is_zero());
    let end = body
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(body.len());
    let rest = body.split_off(end);
    let parts = Parts {
        sign: sign(negative, spec),
        prefix: "",
        digits: body,
        rest,
    };
    lay_out(cx, &parts, 3, spec)
}

/// Digits of a finite number that is not negative.
fn finite(magnitude: f64, kind: char, spec: &Spec) -> String {
    let precision = spec.precision.unwrap_or(6);
    let dotted = |text: String| match text.split_once('e') {
        _ if !spec.alternate || text.contains('.') => text,
        Some((mantissa, power)) => format!("{mantissa}.e{power}"),
        None => format!("{text}."),
    };
    match (kind, spec.precision) {
        ('f' | 'F', _) => dotted(format!("{magnitude:.precision$}")),
        ('%', _) => {
            let hundred = magnitude * 100.0;
            if hundred.is_infinite() {
                return "inf".to_owned();
            }
            dotted(format!("{hundred:.precision$}"))
        }
        ('e' | 'E', _) => dotted(exponent(magnitude, precision)),
        ('r', None) => dotted(float_repr(magnitude)),
        ('r', Some(precision)) => {
            // As 'g', but in exponent form one power earlier, and with a digit after the point at least.
            let precision = precision.max(1);
            let scientific = exponent(magnitude, precision - 1);
            let power = scientific
                .rsplit_once('e')
                .and_then(|(_, power)| power.parse().ok());
            let power: i64 = power.unwrap_or(0);
            if power < -4 || power >= precision as i64 - 1 {
                if spec.alternate {
                    return dotted(scientific);
                }
                let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
                let mantissa = if mantissa.contains('.') {
                    mantissa.trim_end_matches('0').trim_end_matches('.')
                } else {
                    mantissa
                };
                return format!("{mantissa}e{power}");
            }
            let text = general(magnitude, precision, spec.alternate);
            if text.contains('.') {
                text
            } else {
                format!("{text}.0")
            }
        }
        _ => dotted(general(magnitude, precision, spec.alternate)),
    }
}

/// Puts the parts into the width, with separators every `size` digits.
fn lay_out<'a>(cx: &Cx<'a>, parts: &Parts, size: usize, spec: &Spec) -> R<'a, &'a str> {
    let around = parts.sign.len() + parts.prefix.len() + parts.rest.chars().count();
    let least = if spec.fill == '0' && spec.align == '=' {
        spec.width.saturating_sub(around)
    } else {
        0
    };
    let most = spec
        .width
        .saturating_add(parts.digits.len().saturating_mul(2))
        .saturating_add(around);
    cx.reserve(most.saturating_mul(spec.fill.len_utf8()))?;
    let digits = match spec.grouping {
        _ if parts.digits.is_empty() => String::new(),
        None => format!("{:0>least$}", parts.digits),
        Some(separator) => grouped(&parts.digits, separator, size, least),
    };
    let missing = spec.width.saturating_sub(around + digits.len());
    let (before, within, after) = match spec.align {
        '<' => (0, 0, missing),
        '>' => (missing, 0, 0),
        '^' => (missing / 2, 0, missing - missing / 2),
        _ => (0, missing, 0),
    };
    let mut out = Text::new_in(cx.bump);
    out.extend(std::iter::repeat_n(spec.fill, before));
    out.push_str(parts.sign);
    out.push_str(parts.prefix);
    out.extend(std::iter::repeat_n(spec.fill, within));
    out.push_str(&digits);
    out.push_str(&parts.rest);
    out.extend(std::iter::repeat_n(spec.fill, after));
    Ok(out.into_bump_str())
}

/// Digits in groups from the right, filled with zeros up to `least` characters; a separator never comes first, which
/// may take one character more.
fn grouped(digits: &str, separator: char, size: usize, least: usize) -> String {
    let mut out = Vec::with_capacity(digits.len().max(least) * 2);
    let mut in_group = 0;
    let mut left = digits.bytes().rev();
    let mut next = left.next();
    while next.is_some() || out.len() < least {
        if in_group == size {
            out.push(separator);
            in_group = 0;
        }
        out.push(next.map_or('0', char::from));
        in_group += 1;
        next = left.next();
    }
    out.into_iter().rev().collect()
}
