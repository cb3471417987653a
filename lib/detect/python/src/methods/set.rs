//! Methods of `set` and `frozenset`.

use super::arity;
use crate::cx::{Cx, R};
use crate::iter;
use crate::obj::{Obj, Set};
use crate::ops::setlike::{self, Elements};
use crate::ops::{self, setops};
use crate::registry::{Args, MethodFn};
use crate::types::ExcKind;

/// The method of this name. Those of `set` alone fall back on a `frozenset`.
#[must_use]
pub fn lookup(name: &str) -> Option<MethodFn> {
    Some(match name {
        "add" => add,
        "clear" => clear,
        "copy" => copy,
        "difference" => difference,
        "difference_update" => difference_update,
        "discard" => discard,
        "intersection" => intersection,
        "intersection_update" => intersection_update,
        "isdisjoint" => is_disjoint,
        "issubset" => is_subset,
        "issuperset" => is_superset,
        "pop" => pop,
        "remove" => remove,
        "symmetric_difference" => symmetric_difference,
        "symmetric_difference_update" => symmetric_difference_update,
        "union" => union,
        "update" => update,
        _ => return None,
    })
}

/// The set that a method changes.
fn changing<'a>(cx: &Cx<'a>, receiver: Obj<'a>) -> R<'a, &'a Set<'a>> {
    match receiver {
        Obj::Set(set) if !set.frozen => Ok(set),
        Obj::ConstSet(_) => Err(cx.leave("changes a constant")),
        _ => Err(cx.leave("changes a frozenset")),
    }
}

fn class(receiver: Obj<'_>) -> &'static str {
    ops::builtin_name(ops::type_of(receiver))
}

fn add<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let set = changing(cx, receiver)?;
    set.add(cx, arity::one(cx, args, "set", "add")?)?;
    Ok(Obj::None)
}

fn clear<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let set = changing(cx, receiver)?;
    arity::none(cx, args, "set", "clear")?;
    set.inner.borrow_mut().clear();
    Ok(Obj::None)
}

fn copy<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, class(receiver), "copy")?;
    if setops::is_frozen(receiver) {
        return Ok(receiver);
    }
    Ok(Obj::Set(setops::of(cx, receiver, false)?))
}

fn discard<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let set = changing(cx, receiver)?;
    let item = arity::one(cx, args, "set", "discard")?;
    set.remove_hashed(cx, setlike::key_hash(cx, item)?, item)?;
    Ok(Obj::None)
}

fn remove<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let set = changing(cx, receiver)?;
    let item = arity::one(cx, args, "set", "remove")?;
    if set.remove_hashed(cx, setlike::key_hash(cx, item)?, item)? {
        return Ok(Obj::None);
    }
    Err(cx.key_error(item))
}

fn pop<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let set = changing(cx, receiver)?;
    arity::none(cx, args, "set", "pop")?;
    // Falls back where the order is CPython's.
    let first = iter::iter(cx, receiver)?.next(cx)?;
    let Some(item) = first else {
        return Err(cx.raise(ExcKind::KeyError, format_args!("pop from an empty set")));
    };
    set.remove_hashed(cx, ops::hash(cx, item)?, item)?;
    Ok(item)
}

type Combine = for<'a> fn(&Cx<'a>, Obj<'a>, Obj<'a>, bool) -> R<'a, &'a Set<'a>>;

/// The receiver combined with each argument in turn.
fn combined<'a>(
    cx: &Cx<'a>,
    receiver: Obj<'a>,
    args: &Args<'_, 'a>,
    name: &str,
    combine: Combine,
) -> R<'a, &'a Set<'a>> {
    arity::no_keywords_of_many(cx, args, class(receiver), name)?;
    let frozen = setops::is_frozen(receiver);
    let mut result = setops::of(cx, receiver, frozen)?;
    for other in args.pos {
        let other = ops::resolve(cx, *other)?;
        result = combine(cx, Obj::Set(result), other, frozen)?;
    }
    Ok(result)
}

fn changed<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>, name: &str, combine: Combine) -> R<'a> {
    let set = changing(cx, receiver)?;
    let result = combined(cx, receiver, args, name, combine)?;
    setops::replace(set, result);
    Ok(Obj::None)
}

fn union<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    combined(cx, receiver, args, "union", setops::union).map(Obj::Set)
}

fn intersection<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    combined(cx, receiver, args, "intersection", setops::intersection).map(Obj::Set)
}

fn difference<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    combined(cx, receiver, args, "difference", setops::difference).map(Obj::Set)
}

fn symmetric_difference<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::one(cx, args, class(receiver), "symmetric_difference")?;
    combined(
        cx,
        receiver,
        args,
        "symmetric_difference",
        setops::symmetric_difference,
    )
    .map(Obj::Set)
}

fn update<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let set = changing(cx, receiver)?;
    arity::no_keywords_of_many(cx, args, "set", "update")?;
    // One after the other: what came before an error stays.
    for other in args.pos {
        setops::add_all(cx, set, ops::resolve(cx, *other)?)?;
    }
    Ok(Obj::None)
}

fn intersection_update<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    changed(cx, receiver, args, "intersection_update", setops::intersection)
}

fn difference_update<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let set = changing(cx, receiver)?;
    arity::no_keywords_of_many(cx, args, "set", "difference_update")?;
    for other in args.pos {
        let other = match ops::resolve(cx, *other)? {
            Obj::Set(same) if std::ptr::eq(set, same) => {
                set.inner.borrow_mut().clear();
                continue;
            }
            other => other,
        };
        let mut elements = Elements::of(cx, other)?;
        while let Some((hash, item)) = elements.next(cx)? {
            set.remove_hashed(cx, hash, item)?;
        }
    }
    Ok(Obj::None)
}

fn symmetric_difference_update<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    changing(cx, receiver)?;
    arity::one(cx, args, "set", "symmetric_difference_update")?;
    changed(
        cx,
        receiver,
        args,
        "symmetric_difference_update",
        setops::symmetric_difference,
    )
}

/// `isdisjoint` of sets and of views.
pub(crate) fn is_disjoint<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let other = ops::resolve(cx, arity::one(cx, args, class(receiver), "isdisjoint")?)?;
    if let Obj::View(_) = receiver {
        let mut items = iter::iter(cx, other)?;
        while let Some(item) = items.next(cx)? {
            if ops::contains(cx, receiver, item)? {
                return Ok(Obj::Bool(false));
            }
        }
        return Ok(Obj::Bool(true));
    }
    let mut elements = Elements::of(cx, other)?;
    while let Some((hash, item)) = elements.next(cx)? {
        if setlike::has(cx, receiver, hash, item)? {
            return Ok(Obj::Bool(false));
        }
    }
    Ok(Obj::Bool(true))
}

fn is_subset<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let other = ops::resolve(cx, arity::one(cx, args, class(receiver), "issubset")?)?;
    let other = if setlike::is_set(other) {
        other
    } else {
        Obj::Set(setops::of(cx, other, false)?)
    };
    Ok(Obj::Bool(
        ops::len(cx, receiver)? <= ops::len(cx, other)? && setlike::is_subset(cx, receiver, other)?,
    ))
}

fn is_superset<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let other = ops::resolve(cx, arity::one(cx, args, class(receiver), "issuperset")?)?;
    let other = if setlike::is_set(other) || cx.program.version.minor >= 11 {
        other
    } else {
        Obj::Set(setops::of(cx, other, false)?)
    };
    let mut elements = Elements::of(cx, other)?;
    while let Some((hash, item)) = elements.next(cx)? {
        if !setlike::has(cx, receiver, hash, item)? {
            return Ok(Obj::Bool(false));
        }
    }
    Ok(Obj::Bool(true))
}
