//! Integers beyond 64 bits: between objects and [`BigInt`], and compared with floats exactly.

use std::cmp::Ordering;

use bumpalo::collections::Vec as BumpVec;
use num_bigint::{BigInt, Sign};
use num_traits::{FromPrimitive, ToPrimitive};

use crate::cx::{Cx, Limit, R, Raise};
use crate::obj::{Big, Obj};

/// The number that a [`Big`] is.
#[must_use]
pub fn to_bigint(big: Big<'_>) -> BigInt {
    let sign = if big.is_negative() {
        Sign::Minus
    } else {
        Sign::Plus
    };
    BigInt::from_slice(sign, big.magnitude())
}

/// The number that an `int` or `bool` object is; `None` for anything else.
#[must_use]
pub fn int_to_bigint(value: Obj<'_>) -> Option<BigInt> {
    match value {
        Obj::Int(number) => Some(number.into()),
        Obj::Bool(flag) => Some(i64::from(flag).into()),
        Obj::Big(big) => Some(to_bigint(big)),
        _ => None,
    }
}

/// The object of a number: [`Obj::Int`] where it fits.
///
/// # Errors
/// [`Limit::Memory`] when it is too large.
pub fn from_bigint<'a>(cx: &Cx<'a>, number: &BigInt) -> R<'a> {
    if let Some(small) = number.to_i64() {
        return Ok(Obj::Int(small));
    }
    check_bits(cx, number.bits())?;
    let mut laid_out = BumpVec::with_capacity_in(number.bits() as usize / 32 + 2, cx.bump);
    laid_out.push(u32::from(number.sign() == Sign::Minus));
    laid_out.extend(number.iter_u32_digits());
    Ok(Obj::Big(Big(laid_out.into_bump_slice())))
}

/// To be asked before a number of so many bits is made.
///
/// # Errors
/// [`Limit::Memory`] when it is too large.
pub fn check_bits<'a>(cx: &Cx<'a>, bits: u64) -> R<'a, ()> {
    if bits > cx.limits.int_bits {
        return Err(Raise::Limit(Limit::Memory));
    }
    cx.use_fuel(bits / 512)
}

/// The `int` of canonical decimal text with an optional sign.
///
/// # Errors
/// [`Limit::Memory`] when it is too large.
pub fn int_from_decimal<'a>(cx: &Cx<'a>, digits: &str) -> R<'a> {
    if let Ok(small) = digits.parse() {
        return Ok(Obj::Int(small));
    }
    // A digit takes 3.33 bits, and reading is quadratic.
    check_bits(cx, digits.len() as u64 * 10 / 3)?;
    cx.use_fuel((digits.len() as u64 / 64).pow(2))?;
    match digits.parse::<BigInt>() {
        Ok(number) => from_bigint(cx, &number),
        Err(_) => Err(cx.leave("a number that cannot be read")),
    }
}

/// The float nearest to an `int`; `None` where Python raises `OverflowError`.
#[must_use]
pub fn to_f64(big: Big<'_>) -> Option<f64> {
    to_bigint(big).to_f64().filter(|float| float.is_finite())
}

/// Compares an `int` of 64 bits with a float, exactly; `None` for NaN.
#[must_use]
pub fn compare_int_float(int: i64, float: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= LIMIT {
        return Some(Ordering::Less);
    }
    if float < -LIMIT {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    Some(
        int.cmp(&(whole as i64))
            .then_with(|| 0.0_f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal)),
    )
}

/// Compares two numbers exactly; `None` when one is NaN, `None` inside when one is no number.
#[must_use]
pub fn compare_numbers(a: Obj<'_>, b: Obj<'_>) -> Option<Option<Ordering>> {
    Some(match (plain(a), plain(b)) {
        (Obj::Int(a), Obj::Int(b)) => Some(a.cmp(&b)),
        (Obj::Float(a), Obj::Float(b)) => a.partial_cmp(&b),
        (Obj::Int(a), Obj::Float(b)) => compare_int_float(a, b),
        (Obj::Float(a), Obj::Int(b)) => compare_int_float(b, a).map(Ordering::reverse),
        (Obj::Big(a), Obj::Big(b)) => Some(compare_big(a, b)),
        (Obj::Big(a), Obj::Int(_)) => Some(sign(a)),
        (Obj::Int(_), Obj::Big(b)) => Some(sign(b).reverse()),
        (Obj::Big(a), Obj::Float(b)) => compare_big_float(a, b),
        (Obj::Float(a), Obj::Big(b)) => compare_big_float(b, a).map(Ordering::reverse),
        _ => return None,
    })
}

fn plain(value: Obj<'_>) -> Obj<'_> {
    match value {
        Obj::Bool(flag) => Obj::Int(i64::from(flag)),
        value => value,
    }
}

fn sign(big: Big<'_>) -> Ordering {
    if big.is_negative() {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

fn compare_big(a: Big<'_>, b: Big<'_>) -> Ordering {
    let signs = sign(a).cmp(&sign(b));
    let (x, y) = (a.magnitude(), b.magnitude());
    let magnitudes = x
        .len()
        .cmp(&y.len())
        .then_with(|| x.iter().rev().cmp(y.iter().rev()));
    signs.then(if a.is_negative() {
        magnitudes.reverse()
    } else {
        magnitudes
    })
}

fn compare_big_float(big: Big<'_>, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // A float of that size is whole.
    match BigInt::from_f64(float) {
        Some(whole) if float.abs() >= 9_223_372_036_854_775_808.0 => Some(to_bigint(big).cmp(&whole)),
        Some(_) => Some(sign(big)),
        None if float > 0.0 => Some(Ordering::Less),
        None => Some(Ordering::Greater),
    }
}
