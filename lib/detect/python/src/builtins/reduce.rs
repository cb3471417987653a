//! Functions that make one value of many.

use super::{misfit, only};
use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, CompareOp};
use crate::obj::{List, Obj};
use crate::registry::Args;
use crate::{eval, iter, ops};

pub(super) fn any<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    quantified(cx, args, true)
}

pub(super) fn all<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    quantified(cx, args, false)
}

fn quantified<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, until: bool) -> R<'a> {
    let mut state = iter::iter(cx, only(cx, args)?)?;
    while let Some(item) = state.next(cx)? {
        if ops::truthy(cx, item)? == until {
            return Ok(Obj::Bool(until));
        }
    }
    Ok(Obj::Bool(!until))
}

pub(super) fn sum<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (values, start) = match (args.pos, args.kw) {
        ([values], []) => (*values, Obj::Int(0)),
        ([values, start], []) | ([values], [("start", start)]) => (*values, *start),
        _ => return Err(misfit(cx)),
    };
    let mut state = iter::iter(cx, values)?;
    match start {
        Obj::Str(_) => {
            return Err(cx.type_error(format_args!("sum() can't sum strings [use ''.join(seq) instead]")));
        }
        Obj::Bytes(_) => return Err(cx.leave("sum of bytes")),
        _ => {}
    }
    let mut total = start;
    while let Some(item) = state.next(cx)? {
        // From 3.12 on floats are summed with compensation.
        if cx.program.version.minor >= 12 && matches!(item, Obj::Float(_)) {
            return Err(cx.leave("a sum of floats"));
        }
        total = ops::binary(cx, BinaryOp::Add, total, item)?;
    }
    Ok(total)
}

pub(super) fn min<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    extreme(cx, args, CompareOp::Lt, "min")
}

pub(super) fn max<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    extreme(cx, args, CompareOp::Gt, "max")
}

fn extreme<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, op: CompareOp, name: &str) -> R<'a> {
    if args
        .kw
        .iter()
        .any(|(name, _)| !matches!(*name, "key" | "default"))
    {
        return Err(misfit(cx));
    }
    let key = args.named("key").filter(|key| !matches!(key, Obj::None));
    let default = args.named("default");
    let values = match args.pos {
        [] => return Err(misfit(cx)),
        [values] => iter::collect(cx, *values)?,
        several if default.is_none() => {
            let mut values = bumpalo::collections::Vec::new_in(cx.bump);
            values.extend_from_slice(several);
            values
        }
        _ => return Err(misfit(cx)),
    };
    let key_of = |value: Obj<'a>| match key {
        Some(key) => eval::call(cx, key, &Args::positional(&[value])),
        None => Ok(value),
    };
    let Some((first, rest)) = values.split_first() else {
        return default.ok_or_else(|| {
            if cx.program.version.minor >= 12 {
                cx.value_error(format_args!("{name}() iterable argument is empty"))
            } else {
                cx.value_error(format_args!("{name}() arg is an empty sequence"))
            }
        });
    };
    let mut best = *first;
    let mut best_key = key_of(best)?;
    for value in rest {
        let value_key = key_of(*value)?;
        if ops::compare(cx, op, value_key, best_key)? {
            (best, best_key) = (*value, value_key);
        }
    }
    Ok(best)
}

/// Whether sorting a set leads to one and the same list whatever the order it is gone through: numbers, or texts.
fn is_put_in_order(values: Obj<'_>) -> bool {
    let Obj::Set(set) = values else {
        return false;
    };
    let table = set.inner.borrow();
    let all = |fits: fn(&Obj<'_>) -> bool| table.live_entries().all(|(_, item, _)| fits(&item));
    all(|item| matches!(item, Obj::Str(_)))
        || all(|item| match item {
            Obj::Float(number) => !number.is_nan(),
            Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) => true,
            _ => false,
        })
}

pub(super) fn sorted<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [values] = args.pos else {
        return Err(misfit(cx));
    };
    // With a key, elements of equal keys keep the set's order, which is CPython's own.
    let plain = args.named("key").is_none_or(|key| matches!(key, Obj::None));
    let items = if plain && is_put_in_order(*values) {
        iter::collect_in_any_order(cx, *values)?
    } else {
        iter::collect(cx, *values)?
    };
    let list = List::object(cx, items);
    let kw = Args {
        pos: &[],
        kw: args.kw,
    };
    eval::call_method(cx, list, "sort", &kw)?;
    Ok(list)
}
