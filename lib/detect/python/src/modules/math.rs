//! `math`: what does not depend on the platform's library.

use num_bigint::BigInt;

use crate::builtins::{misfit, only};
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn};
use crate::types::ExcKind;

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "math",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("ceil", |cx, args| whole(cx, args, f64::ceil)),
    function("floor", |cx, args| whole(cx, args, f64::floor)),
    function("trunc", |cx, args| whole(cx, args, f64::trunc)),
    function("fabs", |cx, args| {
        Ok(Obj::Float(float(cx, only(cx, args)?)?.abs()))
    }),
    function("isfinite", |cx, args| {
        Ok(Obj::Bool(float(cx, only(cx, args)?)?.is_finite()))
    }),
    function("isinf", |cx, args| {
        Ok(Obj::Bool(float(cx, only(cx, args)?)?.is_infinite()))
    }),
    function("isnan", |cx, args| {
        Ok(Obj::Bool(float(cx, only(cx, args)?)?.is_nan()))
    }),
    function("sqrt", |cx, args| {
        let value = float(cx, only(cx, args)?)?;
        if value < 0.0 {
            // 3.14 says more.
            return Err(cx.value_error(format_args!("math domain error")));
        }
        Ok(Obj::Float(value.sqrt()))
    }),
    function("gcd", gcd),
    function("copysign", |cx, args| {
        let (one, two) = pair(cx, args)?;
        Ok(Obj::Float(one.copysign(two)))
    }),
    function("fmod", |cx, args| {
        let (one, two) = pair(cx, args)?;
        let rest = one % two;
        if rest.is_nan() && !one.is_nan() && !two.is_nan() {
            return Err(cx.value_error(format_args!("math domain error")));
        }
        Ok(Obj::Float(rest))
    }),
    function("isclose", is_close),
];

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    match name {
        "pi" => Some(Const::Float(std::f64::consts::PI)),
        "e" => Some(Const::Float(std::f64::consts::E)),
        "tau" => Some(Const::Float(std::f64::consts::TAU)),
        "inf" => Some(Const::Float(f64::INFINITY)),
        "nan" => Some(Const::Float(f64::NAN)),
        _ => super::function(FUNCTIONS, name),
    }
}

fn float<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, f64> {
    match ops::resolve(cx, value)? {
        Obj::Float(float) => Ok(float),
        Obj::Int(number) => Ok(number as f64),
        Obj::Bool(flag) => Ok(f64::from(u8::from(flag))),
        Obj::Big(_) | Obj::Native(_) => Err(cx.leave("math of such an object")),
        other => {
            let name = ops::type_name(cx, other);
            Err(cx.type_error(format_args!("must be real number, not {name}")))
        }
    }
}

fn pair<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, (f64, f64)> {
    match args.pos {
        [one, two] if args.kw.is_empty() => Ok((float(cx, *one)?, float(cx, *two)?)),
        _ => Err(misfit(cx)),
    }
}

/// `isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)`
fn is_close<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let known = args
        .kw
        .iter()
        .all(|(name, _)| matches!(*name, "rel_tol" | "abs_tol"));
    let ([one, two], true) = (args.pos, known) else {
        return Err(misfit(cx));
    };
    let (one, two) = (float(cx, *one)?, float(cx, *two)?);
    let (mut relative, mut absolute) = (1e-9, 0.0);
    for (name, value) in args.kw {
        match *name {
            "rel_tol" => relative = float(cx, *value)?,
            _ => absolute = float(cx, *value)?,
        }
    }
    if relative < 0.0 || absolute < 0.0 {
        return Err(cx.value_error(format_args!("tolerances must be non-negative")));
    }
    if one == two {
        return Ok(Obj::Bool(true));
    }
    if one.is_infinite() || two.is_infinite() {
        return Ok(Obj::Bool(false));
    }
    let away = (two - one).abs();
    let close = away <= (relative * two).abs() || away <= (relative * one).abs() || away <= absolute;
    Ok(Obj::Bool(close))
}

fn whole<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, round: fn(f64) -> f64) -> R<'a> {
    match ops::resolve(cx, only(cx, args)?)? {
        value @ (Obj::Int(_) | Obj::Big(_)) => Ok(value),
        Obj::Bool(flag) => Ok(Obj::Int(i64::from(flag))),
        Obj::Float(float) if float.is_nan() => {
            Err(cx.value_error(format_args!("cannot convert float NaN to integer")))
        }
        Obj::Float(float) if float.is_infinite() => Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("cannot convert float infinity to integer"),
        )),
        Obj::Float(float) => {
            let digits = streamalert_value::integer_of_float(round(float)).unwrap_or_default();
            ops::int_from_decimal(cx, &digits)
        }
        _ => Err(cx.leave("rounding of such an object")),
    }
}

fn gcd<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let ([one, two], []) = (args.pos, args.kw) else {
        return Err(misfit(cx));
    };
    let (Obj::Int(one), Obj::Int(two)) = (ops::resolve(cx, *one)?, ops::resolve(cx, *two)?) else {
        return Err(cx.leave("gcd of such objects"));
    };
    let (mut one, mut two) = (one.unsigned_abs(), two.unsigned_abs());
    while two != 0 {
        (one, two) = (two, one % two);
    }
    ops::big::from_bigint(cx, &BigInt::from(one))
}
