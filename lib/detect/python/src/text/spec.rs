//! The format specification mini-language.
//! Source: Python's library reference, "Format Specification Mini-Language".

use streamalert_value::float_repr;

use super::number::{big, exponent, general};
use crate::cx::{Cx, R, Raise};
use crate::methods::str::length;
use crate::obj::Obj;
use crate::ops;

/// Digits after the point beyond which the pair falls back.
const PRECISION_MAX: usize = 1000;

/// A specification.
#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// `format(value, spec)` with a spec that is not empty.
pub(super) fn format<'a>(cx: &Cx<'a>, value: Obj<'a>, text: &str) -> R<'a, &'a str> {
    if let Obj::Native(native) = value {
        return match native.format(cx, text) {
            Some(result) => result,
            None => Err(cx.leave("a format specification of an object of a module")),
        };
    }
    match value {
        Obj::Str(_) | Obj::Int(_) | Obj::Big(_) | Obj::Float(_) | Obj::Bool(_) => {}
        Obj::None
        | Obj::NodeList(_)
        | Obj::ConstList(_)
        | Obj::List(_)
        | Obj::NodeDict(_)
        | Obj::ConstDict(_)
        | Obj::Tuple(_)
        | Obj::ConstTuple(_)
        | Obj::Set(_)
        | Obj::Bytes(_) => {
            let name = ops::type_name(cx, value);
            return Err(cx.type_error(format_args!(
                "unsupported format string passed to {name}.__format__"
            )));
        }
        _ => return Err(cx.leave("a format specification of such an object")),
    }
    let Some(spec) = parse(text) else {
        return Err(cx.leave("a format specification that is not understood"));
    };
    if spec.width > cx.limits.text_bytes {
        return Err(Raise::Limit(crate::cx::Limit::Memory));
    }
    if spec.precision.is_some_and(|precision| precision > PRECISION_MAX) {
        return Err(cx.leave("a format with very many digits"));
    }
    match value {
        Obj::Str(text) => of_text(cx, text, &spec),
        Obj::Float(float) => of_float(cx, float, &spec),
        Obj::Bool(flag) if spec.kind.is_none() => {
            // As an int, whose default type is decimal.
            of_int(cx, Obj::Int(i64::from(flag)), &spec)
        }
        _ => of_int(cx, value, &spec),
    }
}

fn parse(text: &str) -> Option<Spec> {
    let mut spec = Spec::default();
    let mut rest = text;
    let mut characters = rest.chars();
    let first = characters.next();
    let second = characters.next();
    let is_align = |character: Option<char>| matches!(character, Some('<' | '>' | '=' | '^'));
    if is_align(second) {
        (spec.fill, spec.align) = (first, second);
        rest = characters.as_str();
    } else if is_align(first) {
        spec.align = first;
        rest = &rest[1..];
    }
    if let Some(sign) = rest
        .chars()
        .next()
        .filter(|character| matches!(character, '+' | '-' | ' '))
    {
        spec.sign = Some(sign);
        rest = &rest[1..];
    }
    if let Some(after) = rest.strip_prefix('#') {
        spec.alternate = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('0') {
        spec.zero = true;
        rest = after;
    }
    let (width, after) = number(rest)?;
    spec.width = width.unwrap_or(0);
    rest = after;
    if let Some(grouping) = rest
        .chars()
        .next()
        .filter(|character| matches!(character, ',' | '_'))
    {
        spec.grouping = Some(grouping);
        rest = &rest[1..];
    }
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = number(after)?;
        spec.precision = Some(precision?);
        rest = after;
    }
    let mut characters = rest.chars();
    spec.kind = characters.next();
    characters.next().is_none().then_some(spec)
}

/// Leading digits and what follows; `None` when the number is absurd.
fn number(text: &str) -> Option<(Option<usize>, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let digits = &text[..end];
    let value = if digits.is_empty() {
        None
    } else {
        Some(digits.parse().ok()?)
    };
    Some((value, &text[end..]))
}

fn unknown<'a>(cx: &Cx<'a>, kind: char, type_name: &str) -> Raise<'a> {
    cx.value_error(format_args!(
        "Unknown format code '{kind}' for object of type '{type_name}'"
    ))
}

fn of_text<'a>(cx: &Cx<'a>, text: &'a str, spec: &Spec) -> R<'a, &'a str> {
    match spec.kind {
        None | Some('s') => {}
        Some(kind) if kind.is_ascii_graphic() => return Err(unknown(cx, kind, "str")),
        Some(_) => return Err(cx.leave("a format code beyond ascii")),
    }
    if spec.sign.is_some() || spec.alternate || spec.grouping.is_some() || spec.align == Some('=') {
        return Err(cx.leave("a format of numbers for a text"));
    }
    if spec.zero && (spec.align.is_none() || spec.fill.is_none()) {
        // What '0' means for texts differs by version.
        return Err(cx.leave("zero padding of a text"));
    }
    let text = match spec.precision {
        Some(most) => &text[..crate::methods::str::offset(text, most)],
        None => text,
    };
    pad(cx, "", text, spec, '<')
}

/// Puts prefix and body into the width.
fn pad<'a>(cx: &Cx<'a>, prefix: &str, body: &str, spec: &Spec, default: char) -> R<'a, &'a str> {
    let missing = spec.width.saturating_sub(length(prefix) + length(body));
    let align = spec.align.unwrap_or(if spec.zero { '=' } else { default });
    let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
    cx.reserve(missing.saturating_mul(fill.len_utf8()) + prefix.len() + body.len())?;
    let (before, within, after) = match align {
        '<' => (0, 0, missing),
        '>' => (missing, 0, 0),
        '^' => (missing / 2, 0, missing - missing / 2),
        _ => (0, missing, 0),
    };
    let mut out = super::Text::new_in(cx.bump);
    out.extend(std::iter::repeat_n(fill, before));
    out.push_str(prefix);
    out.extend(std::iter::repeat_n(fill, within));
    out.push_str(body);
    out.extend(std::iter::repeat_n(fill, after));
    Ok(out.into_bump_str())
}

fn sign(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    }
}

fn of_int<'a>(cx: &Cx<'a>, value: Obj<'a>, spec: &Spec) -> R<'a, &'a str> {
    let Some(big) = big(value) else {
        return Err(cx.leave("a format of numbers for something else"));
    };
    let kind = spec.kind.unwrap_or('d');
    match kind {
        'd' | 'b' | 'o' | 'x' | 'X' => {}
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%' => {
            return match value {
                Obj::Int(number) => of_float(cx, number as f64, spec),
                Obj::Bool(flag) => of_float(cx, f64::from(u8::from(flag)), spec),
                _ => Err(cx.leave("a huge int as a float")),
            };
        }
        'c' | 'n' => return Err(cx.leave("a format code that is rare")),
        kind if kind.is_ascii_alphabetic() => {
            let name = ops::type_name(cx, value);
            return Err(unknown(cx, kind, name));
        }
        _ => return Err(cx.leave("a format code that is no letter")),
    }
    if spec.precision.is_some() {
        return Err(cx.value_error(format_args!("Precision not allowed in integer format specifier")));
    }
    cx.use_fuel(big.bits() >> 4)?;
    let magnitude = big.magnitude();
    let (prefix, digits) = match kind {
        'b' => ("0b", magnitude.to_str_radix(2)),
        'o' => ("0o", magnitude.to_str_radix(8)),
        'x' => ("0x", magnitude.to_str_radix(16)),
        'X' => ("0X", magnitude.to_str_radix(16).to_uppercase()),
        _ => (
            "",
            super::number::decimal(cx, value)?
                .trim_start_matches('-')
                .to_owned(),
        ),
    };
    let digits = match spec.grouping {
        None => digits,
        Some(_) if spec.zero || spec.align == Some('=') => {
            return Err(cx.leave("zero padding with thousands separators"));
        }
        Some(',') if kind != 'd' => {
            return Err(cx.value_error(format_args!("Cannot specify ',' with '{kind}'.")));
        }
        Some(separator) => grouped(&digits, separator, if kind == 'd' { 3 } else { 4 }),
    };
    let negative = big.sign() == num_bigint::Sign::Minus;
    let prefix = format!(
        "{}{}",
        sign(negative, spec),
        if spec.alternate { prefix } else { "" }
    );
    pad(cx, &prefix, &digits, spec, '>')
}

/// Digits in groups from the right.
fn grouped(digits: &str, separator: char, size: usize) -> String {
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(size) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

fn of_float<'a>(cx: &Cx<'a>, float: f64, spec: &Spec) -> R<'a, &'a str> {
    if spec.alternate {
        return Err(cx.leave("the alternate format of a float"));
    }
    let magnitude = float.abs();
    let precision = spec.precision.unwrap_or(6);
    let mut body = match spec.kind {
        Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) if float.is_finite() => match kind {
            'f' | 'F' => format!("{magnitude:.precision$}"),
            'e' | 'E' => exponent(magnitude, precision),
            '%' => {
                let hundred = magnitude * 100.0;
                if hundred.is_infinite() {
                    "inf%".to_owned()
                } else {
                    format!("{hundred:.precision$}%")
                }
            }
            _ => general(magnitude, precision, false),
        },
        None if float.is_finite() => match spec.precision {
            None => float_repr(magnitude),
            Some(precision) => {
                // As 'g', but with one digit after the point at least, and in exponent form one power earlier.
                let text = general(magnitude, precision, false);
                let power = exponent(magnitude, precision.max(1) - 1);
                let power: i64 = power
                    .rsplit_once('e')
                    .and_then(|(_, power)| power.parse().ok())
                    .unwrap_or(0);
                if text.contains('e') || power >= precision.max(1) as i64 - 1 && precision > 0 {
                    return Err(cx.leave("a float with a precision and no type"));
                }
                if text.contains('.') {
                    text
                } else {
                    format!("{text}.0")
                }
            }
        },
        None | Some('e' | 'f' | 'g') => if float.is_nan() { "nan" } else { "inf" }.to_owned(),
        Some('E' | 'F' | 'G') => if float.is_nan() { "NAN" } else { "INF" }.to_owned(),
        Some('%') => if float.is_nan() { "nan%" } else { "inf%" }.to_owned(),
        Some('n') => return Err(cx.leave("a format code that is rare")),
        Some(kind) if kind.is_ascii_alphabetic() => return Err(unknown(cx, kind, "float")),
        Some(_) => return Err(cx.leave("a format code that is no letter")),
    };
    if matches!(spec.kind, Some('E' | 'G')) {
        body = body.to_uppercase();
    }
    if let Some(separator) = spec.grouping {
        if spec.zero || spec.align == Some('=') || body.contains(['e', 'E', 'n']) {
            return Err(cx.leave("thousands separators in such a float"));
        }
        let end = body.find(['.', '%']).unwrap_or(body.len());
        body = format!("{}{}", grouped(&body[..end], separator, 3), &body[end..]);
    }
    let negative = float.is_sign_negative() && !float.is_nan();
    pad(cx, sign(negative, spec), &body, spec, '>')
}
