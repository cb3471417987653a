//! Arithmetic of `int`: 64 bits first, beyond that by [`BigInt`].

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use super::big::{check_bits, from_bigint, int_to_bigint};
use super::{float, small_int};
use crate::cx::{Cx, R, Raise};
use crate::ir::{BinaryOp, UnaryOp};
use crate::obj::Obj;
use crate::types::ExcKind;

/// `a op b` of two integers; `None` when there is no such operator.
///
/// # Errors
/// What Python raises; [`crate::cx::Limit::Memory`] before a number gets too large.
pub(super) fn binary<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    if let (Some(x), Some(y)) = (small_int(a), small_int(b))
        && let Some(answer) = small(cx, op, x, y)?
    {
        return Ok(Some(answer));
    }
    let (Some(x), Some(y)) = (int_to_bigint(a), int_to_bigint(b)) else {
        return Ok(None);
    };
    large(cx, op, &x, &y)
}

/// Within 64 bits; `None` when the result is not.
#[inline]
fn small<'a>(cx: &Cx<'a>, op: BinaryOp, x: i64, y: i64) -> R<'a, Option<Obj<'a>>> {
    let number = match op {
        BinaryOp::Add => x.checked_add(y),
        BinaryOp::Sub => x.checked_sub(y),
        BinaryOp::Mul => x.checked_mul(y),
        BinaryOp::BitAnd => Some(x & y),
        BinaryOp::BitOr => Some(x | y),
        BinaryOp::BitXor => Some(x ^ y),
        BinaryOp::FloorDiv | BinaryOp::Mod if y == 0 => return Err(by_zero(cx, op)),
        BinaryOp::FloorDiv => x
            .checked_div(y)
            .map(|quotient| quotient - i64::from(x % y != 0 && (x < 0) != (y < 0))),
        BinaryOp::Mod => Some(match x.checked_rem(y) {
            Some(rest) if rest != 0 && (rest < 0) != (y < 0) => rest + y,
            rest => rest.unwrap_or(0),
        }),
        BinaryOp::LShift if (0..63).contains(&y) => {
            let shifted = x << y;
            (shifted >> y == x).then_some(shifted)
        }
        BinaryOp::RShift if y >= 0 => Some(x >> y.min(63)),
        BinaryOp::Pow if y >= 0 => u32::try_from(y).ok().and_then(|exponent| x.checked_pow(exponent)),
        BinaryOp::Div if y != 0 && x.unsigned_abs() <= 1 << 53 && y.unsigned_abs() <= 1 << 53 => {
            return Ok(Some(Obj::Float(x as f64 / y as f64)));
        }
        _ => None,
    };
    Ok(number.map(Obj::Int))
}

#[cold]
fn by_zero<'a>(cx: &Cx<'a>, op: BinaryOp) -> Raise<'a> {
    let message = match op {
        BinaryOp::Div => "division by zero",
        BinaryOp::Mod if cx.program.version.minor >= 11 => "integer modulo by zero",
        _ => "integer division or modulo by zero",
    };
    cx.raise(ExcKind::ZeroDivisionError, format_args!("{message}"))
}

fn large<'a>(cx: &Cx<'a>, op: BinaryOp, x: &BigInt, y: &BigInt) -> R<'a, Option<Obj<'a>>> {
    // Multiplying and dividing take time by the product of the lengths.
    cx.use_fuel((x.bits() / 512) * (y.bits() / 512).max(1))?;
    let number = match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => {
            check_bits(cx, x.bits() + y.bits())?;
            x * y
        }
        BinaryOp::BitAnd => x & y,
        BinaryOp::BitOr => x | y,
        BinaryOp::BitXor => x ^ y,
        BinaryOp::Div => return divide(cx, x, y).map(|float| Some(Obj::Float(float))),
        BinaryOp::FloorDiv | BinaryOp::Mod => {
            let (quotient, rest) = floor_divide(cx, op, x, y)?;
            if op == BinaryOp::Mod { rest } else { quotient }
        }
        BinaryOp::Pow => return power(cx, x, y).map(Some),
        BinaryOp::LShift | BinaryOp::RShift => shift(cx, op, x, y)?,
        BinaryOp::MatMul => return Ok(None),
    };
    from_bigint(cx, &number).map(Some)
}

fn floor_divide<'a>(cx: &Cx<'a>, op: BinaryOp, x: &BigInt, y: &BigInt) -> R<'a, (BigInt, BigInt)> {
    if y.is_zero() {
        return Err(by_zero(cx, op));
    }
    let (quotient, rest) = (x / y, x % y);
    if !rest.is_zero() && rest.is_negative() != y.is_negative() {
        return Ok((quotient - 1, rest + y));
    }
    Ok((quotient, rest))
}

fn shift<'a>(cx: &Cx<'a>, op: BinaryOp, x: &BigInt, y: &BigInt) -> R<'a, BigInt> {
    if y.is_negative() {
        return Err(cx.value_error(format_args!("negative shift count")));
    }
    if x.is_zero() {
        return Ok(BigInt::zero());
    }
    let count = y.to_u64().filter(|count| i64::try_from(*count).is_ok());
    if op == BinaryOp::RShift {
        return Ok(match count {
            Some(count) if count <= x.bits() => x >> count,
            _ if x.is_negative() => BigInt::from(-1),
            _ => BigInt::zero(),
        });
    }
    let Some(count) = count else {
        return Err(cx.raise(ExcKind::OverflowError, format_args!("too many digits in integer")));
    };
    check_bits(cx, x.bits().saturating_add(count))?;
    Ok(x << count)
}

fn power<'a>(cx: &Cx<'a>, x: &BigInt, y: &BigInt) -> R<'a> {
    if y.is_negative() {
        let (base, exponent) = (to_float(cx, x)?, to_float(cx, y)?);
        return float::power(cx, base, exponent);
    }
    if x.bits() <= 1 {
        // -1, 0 or 1.
        let odd = y.bit(0);
        return Ok(Obj::Int(match x.to_i64() {
            Some(-1) if !odd => 1,
            Some(0) if y.is_zero() => 1,
            other => other.unwrap_or(0),
        }));
    }
    let exponent = y.to_u64().unwrap_or(u64::MAX);
    // A base of n bits is at least 2^(n-1).
    check_bits(cx, (x.bits() - 1).saturating_mul(exponent))?;
    let bits = x.bits().saturating_mul(exponent);
    cx.use_fuel((bits / 1024).saturating_mul(bits / 1024))?;
    from_bigint(cx, &x.pow(exponent as u32))
}

/// The float nearest to an integer.
///
/// # Errors
/// `OverflowError`.
pub fn to_float<'a>(cx: &Cx<'a>, number: &BigInt) -> R<'a, f64> {
    match number.to_f64().filter(|float| float.is_finite()) {
        Some(float) => Ok(float),
        None => Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("int too large to convert to float"),
        )),
    }
}

/// `x / y` rounded once: a quotient of 66 bits or more, whose last bit also stands for the rest, rounds like the
/// exact one.
fn divide<'a>(cx: &Cx<'a>, x: &BigInt, y: &BigInt) -> R<'a, f64> {
    if y.is_zero() {
        return Err(by_zero(cx, BinaryOp::Div));
    }
    if x.is_zero() {
        return Ok(if y.is_negative() { -0.0 } else { 0.0 });
    }
    let shift = 66 - (x.bits() as i64 - y.bits() as i64);
    let (left, right) = if shift >= 0 {
        (x.abs() << shift, y.abs())
    } else {
        (x.abs(), y.abs() << -shift)
    };
    let mut quotient = &left / &right;
    if !(&left % &right).is_zero() {
        quotient |= BigInt::from(1);
    }
    let exponent = quotient.bits() as i64 - shift;
    if exponent > 1025 {
        return Err(too_large(cx));
    }
    if exponent < -1020 {
        return Err(cx.leave("a quotient near 0"));
    }
    let rounded = quotient.to_f64().unwrap_or(f64::INFINITY);
    // In two steps, each of which is exact: the power itself may be out of range.
    let half = (-shift / 2) as i32;
    let scaled = rounded * 2_f64.powi(half) * 2_f64.powi(-shift as i32 - half);
    if scaled.is_infinite() {
        return Err(too_large(cx));
    }
    Ok(if x.is_negative() == y.is_negative() {
        scaled
    } else {
        -scaled
    })
}

#[cold]
fn too_large<'a>(cx: &Cx<'a>) -> Raise<'a> {
    cx.raise(
        ExcKind::OverflowError,
        format_args!("integer division result too large for a float"),
    )
}

/// `-a`, `+a`, `~a` of an integer.
///
/// # Errors
/// Of limits.
pub(super) fn unary<'a>(cx: &Cx<'a>, op: UnaryOp, a: Obj<'a>) -> R<'a> {
    if let Some(number) = small_int(a) {
        let small = match op {
            UnaryOp::Neg => number.checked_neg(),
            UnaryOp::Invert => Some(!number),
            _ => Some(number),
        };
        if let Some(small) = small {
            return Ok(Obj::Int(small));
        }
    }
    let number = int_to_bigint(a).unwrap_or_default();
    let answer = match op {
        UnaryOp::Neg => -number,
        UnaryOp::Invert => -number - 1,
        _ => return Ok(a),
    };
    from_bigint(cx, &answer)
}
