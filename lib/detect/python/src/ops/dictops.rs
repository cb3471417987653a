//! Operators of dictionaries and of `collections.Counter`.

use super::map::{self, Members};
use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, CompareOp};
use crate::obj::{Dict, DictKind, Obj};

fn kind(value: Obj<'_>) -> DictKind<'_> {
    match value {
        Obj::Dict(dict) => dict.kind,
        _ => DictKind::Plain,
    }
}

/// `a op b` when both are dictionaries that have the operator.
///
/// # Errors
/// What comparing counts raises.
pub(super) fn binary<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    if !map::is_dict(a) || !map::is_dict(b) {
        return Ok(None);
    }
    if let (DictKind::Counter, DictKind::Counter) = (kind(a), kind(b)) {
        return counters(cx, op, a, b);
    }
    if op != BinaryOp::BitOr || cx.program.version.minor < 9 {
        return Ok(None);
    }
    let kind = match (kind(a), kind(b)) {
        (DictKind::Plain | DictKind::Counter, DictKind::Plain) | (DictKind::Plain, DictKind::Counter) => {
            DictKind::Plain
        }
        (DictKind::Plain, kind) | (kind, DictKind::Plain) => kind,
        _ => return Err(cx.leave("two classes of dictionaries")),
    };
    let merged = Dict::of_kind(cx, kind);
    for part in [a, b] {
        let mut members = Members::of(cx, part);
        while let Some((key, value)) = members.next(cx)? {
            merged.insert(cx, key, value)?;
        }
    }
    Ok(Some(Obj::Dict(merged)))
}

/// `a |= b`, which is `a.update(b)`; `None` when there is no such operator.
pub(super) fn in_place<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> Option<R<'a>> {
    if let DictKind::Counter = kind(a) {
        return Some(Err(cx.leave("a counter changed by an operator")));
    }
    if op != BinaryOp::BitOr || cx.program.version.minor < 9 {
        return None;
    }
    let Obj::Dict(dict) = a else {
        return Some(Err(cx.leave("changes the record or a constant")));
    };
    Some(crate::methods::dict::update_with(cx, dict, b).map(|()| a))
}

fn counters<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    let result = Dict::of_kind(cx, DictKind::Counter);
    let zero = Obj::Int(0);
    let mut members = Members::of(cx, a);
    while let Some((key, count)) = members.next(cx)? {
        let other = map::dict_get(cx, b, key)?.unwrap_or(zero);
        let count = match op {
            BinaryOp::Add | BinaryOp::Sub => super::binary(cx, op, count, other)?,
            BinaryOp::BitOr if super::compare(cx, CompareOp::Lt, count, other)? => other,
            BinaryOp::BitAnd if !super::compare(cx, CompareOp::Lt, count, other)? => other,
            BinaryOp::BitOr | BinaryOp::BitAnd => count,
            _ => return Ok(None),
        };
        if super::compare(cx, CompareOp::Gt, count, zero)? {
            result.insert(cx, key, count)?;
        }
    }
    if op == BinaryOp::BitAnd {
        return Ok(Some(Obj::Dict(result)));
    }
    let mut members = Members::of(cx, b);
    while let Some((key, count)) = members.next(cx)? {
        if map::dict_get(cx, a, key)?.is_some() {
            continue;
        }
        if op == BinaryOp::Sub {
            if super::compare(cx, CompareOp::Lt, count, zero)? {
                result.insert(cx, key, super::binary(cx, BinaryOp::Sub, zero, count)?)?;
            }
        } else if super::compare(cx, CompareOp::Gt, count, zero)? {
            result.insert(cx, key, count)?;
        }
    }
    Ok(Some(Obj::Dict(result)))
}

/// `+counter`: counts above 0. `-counter`: those below 0, as positive ones.
///
/// # Errors
/// What comparing counts raises.
pub(super) fn counter_sign<'a>(cx: &Cx<'a>, counter: Obj<'a>, negative: bool) -> R<'a> {
    let result = Dict::of_kind(cx, DictKind::Counter);
    let zero = Obj::Int(0);
    let mut members = Members::of(cx, counter);
    while let Some((key, count)) = members.next(cx)? {
        if negative && super::compare(cx, CompareOp::Lt, count, zero)? {
            result.insert(cx, key, super::binary(cx, BinaryOp::Sub, zero, count)?)?;
        } else if !negative && super::compare(cx, CompareOp::Gt, count, zero)? {
            result.insert(cx, key, count)?;
        }
    }
    Ok(Obj::Dict(result))
}
