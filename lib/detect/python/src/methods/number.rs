//! Methods of `int` and `float`.

use num_bigint::{BigInt, Sign};

use super::arity;
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::registry::{Args, MethodFn};
use crate::types::ExcKind;

/// The method of `int` of this name.
#[must_use]
pub fn int(name: &str) -> Option<MethodFn> {
    Some(match name {
        "bit_length" => bit_length,
        "conjugate" => conjugate_int,
        "to_bytes" => to_bytes,
        _ => return None,
    })
}

/// The method of `float` of this name.
#[must_use]
pub fn float(name: &str) -> Option<MethodFn> {
    Some(match name {
        "is_integer" => is_integer,
        "conjugate" => conjugate_float,
        _ => return None,
    })
}

/// The class that messages name.
fn class(value: Obj<'_>) -> &'static str {
    match value {
        Obj::Bool(_) => "bool",
        _ => "int",
    }
}

fn whole<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, BigInt> {
    ops::big::int_to_bigint(value).ok_or_else(|| cx.leave("a method of int on something else"))
}

fn bit_length<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    nothing(cx, receiver, args, "bit_length")?;
    let bits = match receiver {
        Obj::Int(number) => u64::from(64 - number.unsigned_abs().leading_zeros()),
        _ => whole(cx, receiver)?.bits(),
    };
    Ok(Obj::Int(bits as i64))
}

/// No arguments; a `bool`'s messages differ by version.
fn nothing<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>, name: &str) -> R<'a, ()> {
    if matches!(receiver, Obj::Bool(_)) && !(args.pos.is_empty() && args.kw.is_empty()) {
        return Err(cx.leave("arguments of a method of bool"));
    }
    arity::none(cx, args, class(receiver), name)
}

fn conjugate_int<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    nothing(cx, receiver, args, "conjugate")?;
    ops::unary(cx, crate::ir::UnaryOp::Pos, receiver)
}

fn conjugate_float<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, "float", "conjugate")?;
    Ok(receiver)
}

fn is_integer<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, "float", "is_integer")?;
    match receiver {
        Obj::Float(float) => Ok(Obj::Bool(float.is_finite() && float.fract() == 0.0)),
        _ => Err(cx.leave("a method of float on something else")),
    }
}

/// `to_bytes(length, byteorder, *, signed=False)`.
fn to_bytes<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (length, order, signed) = match (args.pos, args.kw) {
        ([Obj::Int(length), Obj::Str(order)], []) => (*length, *order, false),
        ([Obj::Int(length), Obj::Str(order)], [("signed", Obj::Bool(signed))]) => (*length, *order, *signed),
        ([Obj::Int(length)], [("byteorder", Obj::Str(order))]) => (*length, *order, false),
        _ => return Err(cx.leave("arguments of to_bytes")),
    };
    if !matches!(order, "big" | "little") {
        return Err(cx.value_error(format_args!("byteorder must be either 'little' or 'big'")));
    }
    let Ok(length) = usize::try_from(length) else {
        return Err(cx.value_error(format_args!("length argument must be non-negative")));
    };
    let number = whole(cx, receiver)?;
    let negative = number.sign() == Sign::Minus;
    if negative && !signed {
        return Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("can't convert negative int to unsigned"),
        ));
    }
    cx.reserve(length)?;
    let mut bytes = if signed {
        number.to_signed_bytes_le()
    } else {
        number.magnitude().to_bytes_le()
    };
    if number.sign() == Sign::NoSign {
        bytes.clear();
    }
    if bytes.len() > length {
        return Err(cx.raise(ExcKind::OverflowError, format_args!("int too big to convert")));
    }
    bytes.resize(length, if negative { 0xff } else { 0 });
    if order == "big" {
        bytes.reverse();
    }
    Ok(Obj::Bytes(cx.bump.alloc_slice_copy(&bytes)))
}
