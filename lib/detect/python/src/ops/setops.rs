//! `|`, `&`, `-`, `^` of sets and of views that behave as sets.

use super::setlike::{self, Elements};
use crate::cx::{Cx, R, Raise};
use crate::ir::BinaryOp;
use crate::obj::{Obj, Set, ViewKind};

/// Whether this is a `frozenset`.
#[must_use]
pub(crate) fn is_frozen(value: Obj<'_>) -> bool {
    match value {
        Obj::ConstFrozenSet(_) => true,
        Obj::Set(set) => set.frozen,
        _ => false,
    }
}

/// `a op b` when both are sets, or one is a view and the other anything to iterate.
///
/// # Errors
/// What iterating and hashing raise.
pub(super) fn binary<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    let view = |value| matches!(value, Obj::View(view) if view.kind != ViewKind::Values);
    let sets = setlike::is_set(a) && setlike::is_set(b);
    if !sets && !view(a) && !view(b) {
        return Ok(None);
    }
    let frozen = sets && is_frozen(a);
    let result = match op {
        BinaryOp::BitOr => union(cx, a, b, frozen),
        BinaryOp::BitAnd if sets => intersection(cx, a, b, frozen),
        BinaryOp::BitAnd if view(a) => view_intersection(cx, a, b),
        BinaryOp::BitAnd => view_intersection(cx, b, a),
        BinaryOp::Sub => difference(cx, a, b, frozen),
        BinaryOp::BitXor => symmetric_difference(cx, a, b, frozen),
        _ => return Ok(None),
    };
    match result {
        // Which unhashable values are met differs between versions.
        Err(Raise::Exception(_)) if has_items(a) || has_items(b) => {
            Err(cx.leave("unhashable values in a view"))
        }
        result => result.map(|set| Some(Obj::Set(set))),
    }
}

fn has_items(value: Obj<'_>) -> bool {
    matches!(value, Obj::View(view) if view.kind == ViewKind::Items)
}

fn view_intersection<'a>(cx: &Cx<'a>, view: Obj<'a>, other: Obj<'a>) -> R<'a, &'a Set<'a>> {
    let mutable = matches!(other, Obj::Set(set) if !set.frozen) || matches!(other, Obj::ConstSet(_));
    let (through, within) = if mutable && super::len(cx, view)? <= super::len(cx, other)? {
        (view, other)
    } else {
        (other, view)
    };
    let result = Set::empty(cx, false);
    let mut elements = Elements::of(cx, through)?;
    while let Some((hash, item)) = elements.next(cx)? {
        if setlike::has(cx, within, hash, item)? {
            result.add_hashed(cx, hash, item)?;
        }
    }
    Ok(result)
}

/// `a op= b`; `None` when `b` is no set, which is then left to the operator without `=`.
pub(super) fn in_place<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> Option<R<'a>> {
    if is_frozen(a) || !setlike::is_set(b) {
        return None;
    }
    let Obj::Set(set) = a else {
        return Some(Err(cx.leave("changes a constant")));
    };
    let result = match op {
        BinaryOp::BitOr => union(cx, a, b, false),
        BinaryOp::BitAnd => intersection(cx, a, b, false),
        BinaryOp::Sub => difference(cx, a, b, false),
        BinaryOp::BitXor => symmetric_difference(cx, a, b, false),
        _ => return None,
    };
    Some(result.map(|result| {
        replace(set, result);
        a
    }))
}

/// Gives a set the elements of another, which is then of no use.
pub(crate) fn replace<'a>(set: &'a Set<'a>, with: &'a Set<'a>) {
    if std::ptr::eq(set, with) {
        return;
    }
    let mut table = set.inner.borrow_mut();
    let changes = table.changes;
    std::mem::swap(&mut *table, &mut with.inner.borrow_mut());
    table.changes = changes.wrapping_add(1);
}

/// A set of all elements of an iterable.
///
/// # Errors
/// What iterating and hashing raise.
pub(crate) fn of<'a>(cx: &Cx<'a>, value: Obj<'a>, frozen: bool) -> R<'a, &'a Set<'a>> {
    let set = Set::empty(cx, frozen);
    add_all(cx, set, value)?;
    Ok(set)
}

/// Adds all elements of an iterable.
///
/// # Errors
/// What iterating and hashing raise.
pub(crate) fn add_all<'a>(cx: &Cx<'a>, set: &'a Set<'a>, value: Obj<'a>) -> R<'a, ()> {
    if matches!(value, Obj::Set(other) if std::ptr::eq(set, other)) {
        return Ok(());
    }
    let mut elements = Elements::of(cx, value)?;
    while let Some((hash, item)) = elements.next(cx)? {
        set.add_hashed(cx, hash, item)?;
    }
    Ok(())
}

pub(crate) fn union<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>, frozen: bool) -> R<'a, &'a Set<'a>> {
    let set = of(cx, a, frozen)?;
    add_all(cx, set, b)?;
    Ok(set)
}

pub(crate) fn intersection<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>, frozen: bool) -> R<'a, &'a Set<'a>> {
    let result = Set::empty(cx, frozen);
    // Of two sets the shorter one is gone through, and its elements are kept.
    let (through, within) =
        if setlike::is_set(a) && setlike::is_set(b) && super::len(cx, b)? > super::len(cx, a)? {
            (a, b)
        } else {
            (b, a)
        };
    let within = if setlike::is_set(within) {
        within
    } else {
        Obj::Set(of(cx, within, false)?)
    };
    let mut elements = Elements::of(cx, through)?;
    while let Some((hash, item)) = elements.next(cx)? {
        if setlike::has(cx, within, hash, item)? {
            result.add_hashed(cx, hash, item)?;
        }
    }
    Ok(result)
}

pub(crate) fn difference<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>, frozen: bool) -> R<'a, &'a Set<'a>> {
    if setlike::is_set(a) && setlike::is_set(b) {
        let result = Set::empty(cx, frozen);
        let mut elements = Elements::of(cx, a)?;
        while let Some((hash, item)) = elements.next(cx)? {
            if !setlike::has(cx, b, hash, item)? {
                result.add_hashed(cx, hash, item)?;
            }
        }
        return Ok(result);
    }
    let result = of(cx, a, frozen)?;
    let mut elements = Elements::of(cx, b)?;
    while let Some((hash, item)) = elements.next(cx)? {
        result.remove_hashed(cx, hash, item)?;
    }
    Ok(result)
}

pub(crate) fn symmetric_difference<'a>(
    cx: &Cx<'a>,
    a: Obj<'a>,
    b: Obj<'a>,
    frozen: bool,
) -> R<'a, &'a Set<'a>> {
    let result = of(cx, a, frozen)?;
    // An element that `b` gives twice counts once.
    let other = of(cx, b, false)?;
    let mut elements = Elements::of(cx, Obj::Set(other))?;
    while let Some((hash, item)) = elements.next(cx)? {
        if !result.remove_hashed(cx, hash, item)? {
            result.add_hashed(cx, hash, item)?;
        }
    }
    Ok(result)
}
