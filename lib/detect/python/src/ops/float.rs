//! Arithmetic of `float`.

use super::big;
use crate::cx::{Cx, R, Raise};
use crate::ir::BinaryOp;
use crate::obj::Obj;
use crate::types::ExcKind;

/// `a op b` of two numbers of which one is a float; `None` when there is no such operator.
///
/// # Errors
/// What Python raises; falls back on complex results.
pub(super) fn binary<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    use BinaryOp::{Add, BitAnd, BitOr, BitXor, Div, FloorDiv, LShift, MatMul, Mod, Mul, Pow, RShift, Sub};
    if matches!(op, BitAnd | BitOr | BitXor | LShift | RShift | MatMul) {
        return Ok(None);
    }
    let (x, y) = (to_float(cx, a)?, to_float(cx, b)?);
    if y == 0.0 && matches!(op, Div | FloorDiv | Mod) {
        return Err(by_zero(cx, op));
    }
    Ok(Some(Obj::Float(match op {
        Add => x + y,
        Sub => x - y,
        Mul => x * y,
        Div => x / y,
        FloorDiv => divmod(x, y).0,
        Mod => divmod(x, y).1,
        Pow => return power(cx, x, y).map(Some),
        _ => return Ok(None),
    })))
}

/// The number as a float.
///
/// # Errors
/// `OverflowError` when it is too large, `TypeError` when it is no number.
pub fn to_float<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, f64> {
    match value {
        Obj::Float(float) => Ok(float),
        Obj::Int(number) => Ok(number as f64),
        Obj::Bool(flag) => Ok(f64::from(u8::from(flag))),
        Obj::Big(number) => big::to_f64(number).ok_or_else(|| {
            cx.raise(
                ExcKind::OverflowError,
                format_args!("int too large to convert to float"),
            )
        }),
        _ => {
            let name = super::type_name(cx, value);
            Err(cx.type_error(format_args!("must be real number, not {name}")))
        }
    }
}

#[cold]
fn by_zero<'a>(cx: &Cx<'a>, op: BinaryOp) -> Raise<'a> {
    let minor = cx.program.version.minor;
    let message = match op {
        BinaryOp::Div => "float division by zero",
        BinaryOp::FloorDiv if minor < 9 => "float divmod()",
        BinaryOp::FloorDiv => "float floor division by zero",
        _ if minor < 13 => "float modulo",
        _ => "float modulo by zero",
    };
    cx.raise(ExcKind::ZeroDivisionError, format_args!("{message}"))
}

/// Quotient rounded down and rest, with the divisor's sign; the divisor is not 0. The rest is exact, so the quotient
/// is found from what it leaves, which is near a whole number.
#[must_use]
pub fn divmod(x: f64, y: f64) -> (f64, f64) {
    let mut rest = x % y;
    let mut quotient = (x - rest) / y;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(y);
    } else if (y < 0.0) != (rest < 0.0) {
        rest += y;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(x / y), rest);
    }
    let floor = quotient.floor();
    let whole = if quotient - floor > 0.5 {
        floor + 1.0
    } else {
        floor
    };
    (whole, rest)
}

/// `x ** y`.
///
/// # Errors
/// `ZeroDivisionError`, `OverflowError`; falls back on complex results.
pub fn power<'a>(cx: &Cx<'a>, x: f64, y: f64) -> R<'a> {
    if x == 0.0 && y < 0.0 {
        return Err(cx.raise(
            ExcKind::ZeroDivisionError,
            format_args!("0.0 cannot be raised to a negative power"),
        ));
    }
    if x < 0.0 && x.is_finite() && y.is_finite() && y.fract() != 0.0 {
        return Err(cx.leave("a complex number"));
    }
    let result = x.powf(y);
    if result.is_infinite() && x.is_finite() && y.is_finite() {
        let args = [Obj::Int(34), Obj::Str("Numerical result out of range")];
        return Err(cx.raise_with(ExcKind::OverflowError, &args));
    }
    Ok(Obj::Float(result))
}
