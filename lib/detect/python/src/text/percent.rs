//! `%` formatting.
//! Source: Python's library reference, "printf-style String Formatting".

use super::number::{big, exponent, general};
use super::{Text, ascii, repr, str};
use crate::cx::{Cx, Limit, R, Raise};
use crate::methods::str::{length, offset};
use crate::obj::Obj;
use crate::ops;

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
    /// Whether `mapping` was used, or may stay unused.
    unused_is_fine: bool,
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
    if values.next < values.all.len() && !values.unused_is_fine {
        return Err(cx.type_error(format_args!(
            "not all arguments converted during string formatting"
        )));
    }
    Ok(Obj::Str(out.into_bump_str()))
}

fn values_of<'a>(cx: &Cx<'a>, values: Obj<'a>) -> R<'a, Values<'a>> {
    let is_tuple = matches!(values, Obj::Tuple(_) | Obj::ConstTuple(_));
    let mapping = match values {
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => Some(values),
        Obj::Native(_) => return Err(cx.leave("% with an object of a module")),
        _ => None,
    };
    // Whatever has subscripts and is neither tuple nor text counts as a mapping, which may stay unused.
    let unused_is_fine = mapping.is_some()
        || matches!(
            values,
            Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) | Obj::Bytes(_) | Obj::Range(_)
        );
    let all: &'a [Obj<'a>] = if is_tuple {
        crate::iter::collect(cx, values)?.into_bump_slice()
    } else {
        cx.bump.alloc([values])
    };
    Ok(Values {
        all,
        next: 0,
        mapping,
        unused_is_fine,
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
    let mut rest = text;
    let mut named = None;
    if let Some(after) = rest.strip_prefix('(') {
        let (key, after) = key(cx, after)?;
        let Some(mapping) = values.mapping else {
            return Err(cx.type_error(format_args!("format requires a mapping")));
        };
        let key = Obj::Str(key);
        named = Some(ops::get_item(cx, mapping, key)?);
        rest = after;
    }
    let mut conversion = Conversion::default();
    let mut characters = rest.chars();
    loop {
        let here = characters.as_str();
        match characters.next() {
            Some('-') => conversion.left = true,
            Some('+') => conversion.plus = true,
            Some(' ') => conversion.space = true,
            Some('#') => conversion.alternate = true,
            Some('0') => conversion.zero = true,
            _ => {
                rest = here;
                break;
            }
        }
    }
    (conversion.width, rest) = digits(cx, rest)?;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = digits(cx, after)?;
        conversion.precision = Some(precision);
        rest = after;
    }
    rest = rest.trim_start_matches(['l', 'h', 'L']);
    let mut characters = rest.chars();
    let Some(kind) = characters.next() else {
        return Err(cx.value_error(format_args!("incomplete format")));
    };
    if kind == '%' {
        out.push('%');
        return Ok(characters.as_str());
    }
    let known = matches!(
        kind,
        's' | 'r' | 'a' | 'd' | 'i' | 'u' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'c'
    );
    if !known {
        let at = length(&template[..template.len() - rest.len()]);
        let code = u32::from(kind);
        return Err(match kind {
            ' '..='~' => cx.value_error(format_args!(
                "unsupported format character '{kind}' (0x{code:x}) at index {at}"
            )),
            _ => cx.leave("a format character that is not ascii"),
        });
    }
    let value = match named {
        Some(value) => {
            values.unused_is_fine = true;
            value
        }
        None => values.take(cx)?,
    };
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

fn digits<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a, (usize, &'a str)> {
    if text.starts_with('*') {
        return Err(cx.leave("a width taken from the values"));
    }
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let value: usize = match &text[..end] {
        "" => 0,
        digits => digits.parse().unwrap_or(usize::MAX),
    };
    if value > cx.limits.text_bytes {
        return Err(Raise::Limit(Limit::Memory));
    }
    Ok((value, &text[end..]))
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
            _ => return Err(cx.leave("%c")),
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
                None => return Err(cx.leave("%d of a float that is no number")),
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
        Obj::Float(float) => float,
        Obj::Int(number) => number as f64,
        Obj::Bool(flag) => f64::from(u8::from(flag)),
        Obj::Big(_) | Obj::Native(_) => return Err(cx.leave("a huge int as a float")),
        _ => {
            let name = ops::type_name(cx, value);
            return Err(cx.type_error(format_args!("must be real number, not {name}")));
        }
    };
    if conversion.alternate {
        return Err(cx.leave("the alternate format of a float"));
    }
    let magnitude = float.abs();
    let precision = conversion.precision.unwrap_or(6);
    let body = match kind {
        _ if float.is_nan() => "nan".to_owned(),
        _ if float.is_infinite() => "inf".to_owned(),
        'f' | 'F' => format!("{magnitude:.precision$}"),
        'e' | 'E' => exponent(magnitude, precision),
        _ => general(magnitude, precision, false),
    };
    let body = if kind.is_ascii_uppercase() {
        body.to_uppercase()
    } else {
        body
    };
    let negative = float.is_sign_negative() && !float.is_nan();
    Ok((sign(negative, conversion), body))
}
