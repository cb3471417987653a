//! `%` formatting.
//! Source: Python's library reference, "printf-style String Formatting".

use super::number::{big, exponent, general, to_float};
use super::{Text, ascii, repr, str};
use crate::cx::{Cx, Limit, R, Raise};
use crate::methods::str::{length, offset};
use crate::obj::Obj;
use crate::ops;
use crate::types::ExcKind;

/// Digits after the point beyond which the pair falls back.
const PRECISION_MAX: usize = 1000;

/// One conversion.
#[derive(Debug, Default)]
struct Conversion {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// The values to be used up in order.
struct Values<'a> {
    all: &'a [Obj<'a>],
    next: usize,
    /// What is looked up by name, if it can be.
    mapping: Option<Obj<'a>>,
}

/// `template % values`.
///
/// # Errors
/// What Python raises.
pub fn percent<'a>(cx: &Cx<'a>, template: &'a str, values: Obj<'a>) -> R<'a> {
    let mut values = values_of(cx, values)?;
    let mut out = Text::new_in(cx.bump);
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = one(cx, template, &rest[at + 1..], &mut values, &mut out)?;
        if out.len() > cx.limits.text_bytes {
            return Err(Raise::Limit(Limit::Memory));
        }
        cx.tick()?;
    }
    cx.reserve(out.len() + rest.len())?;
    out.push_str(rest);
    if values.next < values.all.len() && values.mapping.is_none() {
        return Err(cx.type_error(format_args!(
            "not all arguments converted during string formatting"
        )));
    }
    Ok(Obj::Str(out.into_bump_str()))
}

fn values_of<'a>(cx: &Cx<'a>, values: Obj<'a>) -> R<'a, Values<'a>> {
    let mapping = match values {
        // Without `__getitem__`, which makes a mapping, there is nothing to loop over.
        Obj::Native(native) if native.user_class().is_some() && native.iter(cx).is_none() => None,
        Obj::Native(_) => return Err(cx.leave("% with an object of a module")),
        // Whatever has subscripts and is neither tuple nor text counts as a mapping, which may stay unused.
        Obj::NodeDict(_)
        | Obj::ConstDict(_)
        | Obj::Dict(_)
        | Obj::NodeList(_)
        | Obj::ConstList(_)
        | Obj::List(_)
        | Obj::Bytes(_)
        | Obj::Range(_) => Some(values),
        Obj::Type(_) | Obj::Class(_) | Obj::NativeClass(_) | Obj::Const(_) => {
            return Err(cx.leave("% with a class"));
        }
        _ => None,
    };
    let all: &'a [Obj<'a>] = if matches!(values, Obj::Tuple(_) | Obj::ConstTuple(_)) {
        crate::iter::collect(cx, values)?.into_bump_slice()
    } else {
        cx.bump.alloc([values])
    };
    Ok(Values {
        all,
        next: 0,
        mapping,
    })
}

impl<'a> Values<'a> {
    fn take(&mut self, cx: &Cx<'a>) -> R<'a> {
        let value = self.all.get(self.next).copied();
        self.next += 1;
        value.ok_or_else(|| cx.type_error(format_args!("not enough arguments for format string")))
    }
}

/// Does one conversion; answers what follows it.
fn one<'a>(
    cx: &Cx<'a>,
    template: &'a str,
    text: &'a str,
    values: &mut Values<'a>,
    out: &mut Text<'a>,
) -> R<'a, &'a str> {
    if let Some(after) = text.strip_prefix('%') {
        out.push('%');
        return Ok(after);
    }
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('(') {
        let Some(mapping) = values.mapping else {
            return Err(cx.type_error(format_args!("format requires a mapping")));
        };
        let (key, after) = key(cx, after)?;
        let value = ops::get_item(cx, mapping, Obj::Str(key))?;
        // From here on it is the one value.
        (values.all, values.next) = (cx.bump.alloc([value]), 0);
        rest = after;
    }
    let mut conversion = Conversion::default();
    loop {
        match rest.as_bytes().first() {
            Some(b'-') => conversion.left = true,
            Some(b'+') => conversion.plus = true,
            Some(b' ') => conversion.space = true,
            Some(b'#') => conversion.alternate = true,
            Some(b'0') => conversion.zero = true,
            _ => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    if let Some(after) = rest.strip_prefix('*') {
        let width = starred(cx, values)?;
        conversion.left |= width < 0;
        conversion.width = fitting(cx, width.unsigned_abs())?;
        rest = after;
    } else {
        (conversion.width, rest) = digits(cx, rest, "width")?;
    }
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = match after.strip_prefix('*') {
            Some(after) => (fitting(cx, starred(cx, values)?.max(0).unsigned_abs())?, after),
            None => digits(cx, after, "precision")?,
        };
        conversion.precision = Some(precision);
        rest = after;
    }
    rest = rest.strip_prefix(['l', 'h', 'L']).unwrap_or(rest);
    let mut characters = rest.chars();
    let Some(kind) = characters.next() else {
        return Err(cx.value_error(format_args!("incomplete format")));
    };
    if kind == '%' && values.next >= values.all.len() {
        return Err(cx.leave("a percent sign with options and no value"));
    }
    let value = values.take(cx)?;
    let known = matches!(
        kind,
        's' | 'r' | 'a' | 'd' | 'i' | 'u' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'c'
    );
    if !known {
        let at = length(template.get(..template.len() - rest.len()).unwrap_or_default());
        let code = u32::from(kind);
        let shown = if matches!(kind, '\x1f'..='~') { kind } else { '?' };
        return Err(cx.value_error(format_args!(
            "unsupported format character '{shown}' (0x{code:x}) at index {at}"
        )));
    }
    convert(cx, kind, &conversion, value, out)?;
    Ok(characters.as_str())
}

/// The key of `%(key)s`, with nested parentheses.
fn key<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a, (&'a str, &'a str)> {
    let mut open = 1;
    for (at, character) in text.char_indices() {
        match character {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok((&text[..at], &text[at + 1..]));
        }
    }
    Err(cx.value_error(format_args!("incomplete format key")))
}

/// A width or precision taken from the values.
fn starred<'a>(cx: &Cx<'a>, values: &mut Values<'a>) -> R<'a, i64> {
    match values.take(cx)? {
        Obj::Int(number) => Ok(number),
        Obj::Bool(flag) => Ok(i64::from(flag)),
        Obj::Big(_) => Err(cx.leave("a huge width")),
        _ => Err(cx.type_error(format_args!("* wants int"))),
    }
}

fn fitting<'a>(cx: &Cx<'a>, number: u64) -> R<'a, usize> {
    match usize::try_from(number) {
        Ok(number) if number <= cx.limits.text_bytes => Ok(number),
        _ => Err(Raise::Limit(Limit::Memory)),
    }
}

fn digits<'a>(cx: &Cx<'a>, text: &'a str, what: &str) -> R<'a, (usize, &'a str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((0, rest));
    }
    match digits.parse::<i64>() {
        Ok(number) => Ok((fitting(cx, number.unsigned_abs())?, rest)),
        Err(_) => Err(cx.value_error(format_args!("{what} too big"))),
    }
}

fn convert<'a>(
    cx: &Cx<'a>,
    kind: char,
    conversion: &Conversion,
    value: Obj<'a>,
    out: &mut Text<'a>,
) -> R<'a, ()> {
    if conversion
        .precision
        .is_some_and(|precision| precision > PRECISION_MAX)
        && kind != 's'
    {
        return Err(cx.leave("a format with very many digits"));
    }
    let (sign, body) = match kind {
        's' | 'r' | 'a' => {
            let text = match kind {
                's' => str(cx, value)?,
                'r' => repr(cx, value)?,
                _ => ascii(cx, value)?,
            };
            let end = conversion.precision.map_or(text.len(), |most| offset(text, most));
            (String::new(), text[..end].to_owned())
        }
        'c' => match value {
            Obj::Str(text) if text.chars().count() == 1 => (String::new(), text.to_owned()),
            Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) => (String::new(), character(cx, value)?.to_string()),
            Obj::Native(_) => return Err(cx.leave("%c of an object of a module")),
            _ => return Err(cx.type_error(format_args!("%c requires int or char"))),
        },
        'd' | 'i' | 'u' | 'o' | 'x' | 'X' => whole(cx, kind, conversion, value)?,
        _ => real(cx, kind, conversion, value)?,
    };
    let is_number = !matches!(kind, 's' | 'r' | 'a' | 'c');
    let missing = conversion.width.saturating_sub(length(&sign) + length(&body));
    cx.reserve(missing + sign.len() + body.len())?;
    let zero = conversion.zero && is_number && !conversion.left;
    if !zero && !conversion.left {
        out.extend(std::iter::repeat_n(' ', missing));
    }
    out.push_str(&sign);
    if zero {
        out.extend(std::iter::repeat_n('0', missing));
    }
    out.push_str(&body);
    if conversion.left {
        out.extend(std::iter::repeat_n(' ', missing));
    }
    Ok(())
}

/// `%c` of an integer.
fn character<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, char> {
    let code = ops::small_int(value).and_then(|code| u32::try_from(code).ok());
    match code.filter(|code| *code < 0x11_0000).map(char::from_u32) {
        Some(Some(character)) => Ok(character),
        Some(None) => Err(cx.leave("half a surrogate pair")),
        None if matches!(value, Obj::Big(_)) && cx.program.version.minor < 10 => {
            Err(cx.type_error(format_args!("%c requires int or char")))
        }
        None => Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("%c arg not in range(0x110000)"),
        )),
    }
}

fn sign(negative: bool, conversion: &Conversion) -> String {
    match (negative, conversion.plus, conversion.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
    .to_owned()
}

fn whole<'a>(cx: &Cx<'a>, kind: char, conversion: &Conversion, value: Obj<'a>) -> R<'a, (String, String)> {
    let value = match value {
        Obj::Float(float) if !matches!(kind, 'o' | 'x' | 'X') => {
            match streamalert_value::integer_of_float(float) {
                Some(digits) => ops::int_from_decimal(cx, &digits)?,
                None if float.is_nan() => {
                    return Err(cx.value_error(format_args!("cannot convert float NaN to integer")));
                }
                None => {
                    return Err(cx.raise(
                        ExcKind::OverflowError,
                        format_args!("cannot convert float infinity to integer"),
                    ));
                }
            }
        }
        Obj::Native(_) => return Err(cx.leave("a number format of an object of a module")),
        value => value,
    };
    let Some(big) = big(value) else {
        let name = ops::type_name(cx, value);
        return Err(if matches!(kind, 'o' | 'x' | 'X') {
            cx.type_error(format_args!("%{kind} format: an integer is required, not {name}"))
        } else if cx.program.version.minor >= 10 {
            cx.type_error(format_args!(
                "%{kind} format: a real number is required, not {name}"
            ))
        } else {
            cx.type_error(format_args!("%{kind} format: a number is required, not {name}"))
        });
    };
    cx.use_fuel(big.bits() >> 4)?;
    let magnitude = big.magnitude();
    let digits = match kind {
        'o' => magnitude.to_str_radix(8),
        'x' => magnitude.to_str_radix(16),
        'X' => magnitude.to_str_radix(16).to_uppercase(),
        _ => super::number::decimal(cx, value)?
            .trim_start_matches('-')
            .to_owned(),
    };
    let least = conversion.precision.unwrap_or(0);
    let digits = format!("{digits:0>least$}");
    let prefix = match kind {
        'o' if conversion.alternate => "0o",
        'x' if conversion.alternate => "0x",
        'X' if conversion.alternate => "0X",
        _ => "",
    };
    let sign = sign(big.sign() == num_bigint::Sign::Minus, conversion);
    Ok((format!("{sign}{prefix}"), digits))
}

fn real<'a>(cx: &Cx<'a>, kind: char, conversion: &Conversion, value: Obj<'a>) -> R<'a, (String, String)> {
    let float = match value {
        Obj::Float(_) | Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) => to_float(cx, value)?,
        Obj::Native(_) => return Err(cx.leave("a float of an object of a module")),
        _ => {
            let name = ops::type_name(cx, value);
            return Err(cx.type_error(format_args!("must be real number, not {name}")));
        }
    };
    let magnitude = float.abs();
    let precision = conversion.precision.unwrap_or(6);
    let body = match kind {
        _ if float.is_nan() => "nan".to_owned(),
        _ if float.is_infinite() => "inf".to_owned(),
        'f' | 'F' => format!("{magnitude:.precision$}"),
        'e' | 'E' => exponent(magnitude, precision),
        _ => general(magnitude, precision, conversion.alternate),
    };
    let body = match body.split_once('e') {
        _ if !conversion.alternate || !float.is_finite() || body.contains('.') => body,
        Some((mantissa, power)) => format!("{mantissa}.e{power}"),
        None => format!("{body}."),
    };
    let body = if kind.is_ascii_uppercase() {
        body.to_uppercase()
    } else {
        body
    };
    let negative = float.is_sign_negative() && !float.is_nan();
    Ok((sign(negative, conversion), body))
}
