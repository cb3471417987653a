//! Functions on numbers.

use super::{misfit, only};
use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, UnaryOp};
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;
use crate::types::ExcKind;

pub(super) fn abs<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let value = only(cx, args)?;
    match value {
        Obj::Float(float) => Ok(Obj::Float(float.abs())),
        Obj::Bool(flag) => Ok(Obj::Int(i64::from(flag))),
        Obj::Int(number) if number >= 0 => Ok(value),
        Obj::Int(_) => ops::unary(cx, UnaryOp::Neg, value),
        Obj::Big(big) if big.is_negative() => ops::unary(cx, UnaryOp::Neg, value),
        Obj::Big(_) => Ok(value),
        Obj::Native(_) => Err(cx.leave("abs of such an object")),
        _ => {
            let name = ops::type_name(cx, value);
            Err(cx.type_error(format_args!("bad operand type for abs(): '{name}'")))
        }
    }
}

pub(super) fn divmod<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let ([one, two], []) = (args.pos, args.kw) else {
        return Err(misfit(cx));
    };
    let number = |value: &Obj<'a>| matches!(value, Obj::Int(_) | Obj::Bool(_) | Obj::Float(_) | Obj::Big(_));
    if !number(one) || !number(two) || !ops::truthy(cx, *two)? {
        return Err(cx.leave("divmod of such objects"));
    }
    let quotient = ops::binary(cx, BinaryOp::FloorDiv, *one, *two)?;
    let rest = ops::binary(cx, BinaryOp::Mod, *one, *two)?;
    Ok(Obj::Tuple(cx.bump.alloc([quotient, rest])))
}

pub(super) fn pow<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([base, exponent], []) => match (base, exponent) {
            (
                Obj::Int(_) | Obj::Bool(_) | Obj::Float(_) | Obj::Big(_),
                Obj::Int(_) | Obj::Bool(_) | Obj::Float(_) | Obj::Big(_),
            ) => ops::binary(cx, BinaryOp::Pow, *base, *exponent),
            _ => Err(cx.leave("pow of such objects")),
        },
        _ => Err(misfit(cx)),
    }
}

pub(super) fn round<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (value, digits) = match (args.pos, args.kw) {
        ([value] | [value, Obj::None], []) => (*value, None),
        ([value, Obj::Int(digits)], []) | ([value], [("ndigits", Obj::Int(digits))]) => {
            (*value, Some(*digits))
        }
        _ => return Err(misfit(cx)),
    };
    match (value, digits) {
        (Obj::Int(_) | Obj::Big(_), None) => Ok(value),
        (Obj::Bool(flag), None) => Ok(Obj::Int(i64::from(flag))),
        (Obj::Int(_), Some(0..)) => Ok(value),
        (Obj::Int(number), Some(digits @ -18..=-1)) => {
            // To the nearest multiple of a power of ten, halves to the even one.
            let unit = 10_i128.pow(digits.unsigned_abs() as u32);
            let number = i128::from(number);
            let (quotient, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
            let up = rest * 2 > unit || (rest * 2 == unit && quotient % 2 != 0);
            match i64::try_from((quotient + i128::from(up)) * unit) {
                Ok(rounded) => Ok(Obj::Int(rounded)),
                Err(_) => Err(cx.leave("round beyond 64 bits")),
            }
        }
        (Obj::Float(float), None) => {
            if float.is_nan() {
                return Err(cx.value_error(format_args!("cannot convert float NaN to integer")));
            }
            if float.is_infinite() {
                return Err(cx.raise(
                    ExcKind::OverflowError,
                    format_args!("cannot convert float infinity to integer"),
                ));
            }
            let digits = streamalert_value::integer_of_float(float.round_ties_even()).unwrap_or_default();
            ops::int_from_decimal(cx, &digits)
        }
        (Obj::Float(float), Some(digits @ 0..=22)) if float.is_finite() => {
            // Correctly rounded decimal text is what CPython rounds by, too.
            let digits = usize::try_from(digits).unwrap_or(0);
            let text = format!("{float:.digits$}");
            Ok(Obj::Float(text.parse().unwrap_or(float)))
        }
        (Obj::Float(float), Some(_)) if !float.is_finite() => Ok(value),
        (Obj::Str(_) | Obj::None | Obj::NodeList(_) | Obj::NodeDict(_) | Obj::List(_), _) => {
            let name = ops::type_name(cx, value);
            Err(cx.type_error(format_args!("type {name} doesn't define __round__ method")))
        }
        _ => Err(cx.leave("round of such an object")),
    }
}

pub(super) fn chr<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match only(cx, args)? {
        Obj::Int(code @ 0..=0x10_ffff) => match u32::try_from(code).ok().and_then(char::from_u32) {
            Some(character) => cx.str(character.encode_utf8(&mut [0; 4])),
            None => Err(cx.leave("half a surrogate pair")),
        },
        Obj::Int(_) => Err(cx.value_error(format_args!("chr() arg not in range(0x110000)"))),
        Obj::Bool(flag) => cx.str(if flag { "\u{1}" } else { "\0" }),
        _ => Err(cx.leave("chr of such an object")),
    }
}

pub(super) fn ord<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match only(cx, args)? {
        Obj::Str(text) => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(one), None) => Ok(Obj::Int(i64::from(u32::from(one)))),
                _ => {
                    let count = text.chars().count();
                    Err(cx.type_error(format_args!(
                        "ord() expected a character, but string of length {count} found"
                    )))
                }
            }
        }
        Obj::Bytes(_) | Obj::Native(_) => Err(cx.leave("ord of such an object")),
        other => {
            let name = ops::type_name(cx, other);
            Err(cx.type_error(format_args!(
                "ord() expected string of length 1, but {name} found"
            )))
        }
    }
}

fn digits<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, prefix: &str, radix: u32) -> R<'a> {
    let value = only(cx, args)?;
    let Some(big) = ops::big::int_to_bigint(value) else {
        return Err(cx.leave("digits of such an object"));
    };
    cx.use_fuel(big.bits() >> 4)?;
    let sign = if big.sign() == num_bigint::Sign::Minus {
        "-"
    } else {
        ""
    };
    let digits = big.magnitude().to_str_radix(radix);
    cx.str(&format!("{sign}{prefix}{digits}"))
}

pub(super) fn bin<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    digits(cx, args, "0b", 2)
}

pub(super) fn oct<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    digits(cx, args, "0o", 8)
}

pub(super) fn hex<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    digits(cx, args, "0x", 16)
}
