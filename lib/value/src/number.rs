//! Numbers as CPython reads and prints them.

use std::fmt::Write;

use unicode_general_category::{GeneralCategory, get_general_category};

use crate::Value;

/// `repr(float)`: the shortest digits that read back as the same float, with an exponent below 1e-4 and from
/// 1e16 on.
#[must_use]
pub fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let mut plain = format!("{float}");
        if !plain.contains('.') {
            plain.push_str(".0");
        }
        return plain;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `int(float)`: the integer part as decimal text, exact whatever the size; `None` for NaN and infinities.
#[must_use]
pub fn integer_of_float(float: f64) -> Option<String> {
    if !float.is_finite() {
        return None;
    }
    let text = format!("{:.0}", float.trunc());
    Some(if text == "-0" { "0".to_owned() } else { text })
}

/// `int(text)` for base ten: surrounding white space, a sign, single underscores between digits, leading zeros
/// and the decimal digits of every script. Canonical decimal text, or `None` where Python raises `ValueError`.
#[must_use]
pub fn parse_python_int(text: &str) -> Option<String> {
    let ascii = digits_to_ascii(text)?;
    let trimmed = ascii.trim_matches(is_c_space);
    let (negative, digits) = match trimmed.as_bytes().first()? {
        b'-' => (true, &trimmed[1..]),
        b'+' => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let plain = without_underscores(digits)?;
    if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = plain.trim_start_matches('0');
    Some(match (significant, negative) {
        ("", _) => "0".to_owned(),
        (digits, true) => format!("-{digits}"),
        (digits, false) => digits.to_owned(),
    })
}

/// `float(text)`: as [`parse_python_int`], with fractions, exponents, `nan`, `inf` and `infinity`. `None` where
/// Python raises `ValueError`.
#[must_use]
pub fn parse_python_float(text: &str) -> Option<f64> {
    let ascii = digits_to_ascii(text)?;
    let plain = without_underscores(ascii.trim_matches(is_c_space))?;
    plain.parse().ok()
}

/// The value of canonical integer text.
pub(crate) fn integer_value(text: &str) -> Value {
    match text.parse() {
        Ok(small) => Value::Int(small),
        Err(_) => Value::BigInt(text.into()),
    }
}

/// What C's `isspace` calls white space, which is what the number parsers skip.
fn is_c_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

/// Decimal digits of other scripts become ASCII digits and other white space becomes a space; `None` when there
/// is any other character outside ASCII.
fn digits_to_ascii(text: &str) -> Option<String> {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else if character.is_whitespace() {
            ascii.push(' ');
        } else {
            write!(ascii, "{}", decimal_digit(character)?).ok()?;
        }
    }
    Some(ascii)
}

/// Digits of a script are ten in a row from its zero, so the place within the run is the value.
fn decimal_digit(character: char) -> Option<u32> {
    let is_decimal = |code: u32| {
        char::from_u32(code)
            .is_some_and(|other| get_general_category(other) == GeneralCategory::DecimalNumber)
    };
    let code = u32::from(character);
    is_decimal(code).then(|| ((1..code).take_while(|back| is_decimal(code - back)).count() % 10) as u32)
}

/// The text without underscores; `None` when one is not between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_') {
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        if at == 0 || !digit(at - 1) || !digit(at + 1) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}
