//! Digits of numbers.

use crate::cx::{Cx, R};
use crate::obj::Obj;
pub(super) use crate::ops::big::int_to_bigint as big;
use crate::types::ExcKind;

/// From 3.11 on CPython refuses to make decimal text of longer integers.
const DIGITS_MAX: usize = 4300;

/// Decimal text of an integer.
pub(super) fn decimal<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a str> {
    let Some(big) = big(value) else {
        return Err(cx.leave("digits of something that is no int"));
    };
    cx.use_fuel(big.bits().saturating_mul(big.bits()) >> 16)?;
    let text = big.to_string();
    if cx.program.version.minor >= 11 && text.trim_start_matches('-').len() > DIGITS_MAX {
        return Err(cx.raise(
            ExcKind::ValueError,
            format_args!(
                "Exceeds the limit (4300 digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit"
            ),
        ));
    }
    cx.text(&text)
}

/// An integer as the nearest float.
pub(super) fn to_float<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, f64> {
    match value {
        Obj::Float(float) => Ok(float),
        Obj::Int(number) => Ok(number as f64),
        Obj::Bool(flag) => Ok(f64::from(u8::from(flag))),
        _ => match decimal_of(value).parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(float),
            _ => Err(cx.raise(
                ExcKind::OverflowError,
                format_args!("int too large to convert to float"),
            )),
        },
    }
}

fn decimal_of(value: Obj<'_>) -> String {
    big(value).map_or_else(String::new, |big| big.to_string())
}

/// C's `%.*e`: at least two digits of exponent.
pub(super) fn exponent(float: f64, precision: usize) -> String {
    let text = format!("{float:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// C's `%.*g`; `alternate` keeps trailing zeros.
pub(super) fn general(float: f64, precision: usize, alternate: bool) -> String {
    let precision = precision.max(1);
    let scientific = exponent(float, precision - 1);
    let power: i64 = scientific
        .rsplit_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or(0);
    let fixed = power >= -4 && power < precision as i64;
    let text = if fixed {
        let digits = usize::try_from(precision as i64 - 1 - power).unwrap_or(0);
        format!("{float:.digits$}")
    } else {
        scientific
    };
    if alternate {
        return text;
    }
    let (mantissa, power) = match text.split_once('e') {
        Some((mantissa, power)) => (mantissa, Some(power)),
        None => (&*text, None),
    };
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    match power {
        Some(power) => format!("{mantissa}e{power}"),
        None => mantissa.to_owned(),
    }
}
