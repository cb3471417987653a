//! Sets, and views that behave as sets.

use crate::cx::{Cx, R};
use crate::iter::{self, IterState};
use crate::obj::{Obj, Set, View, ViewKind};
use crate::program::{Const, ConstSet};

/// Whether this is a `set` or `frozenset`.
#[must_use]
pub fn is_set(value: Obj<'_>) -> bool {
    matches!(value, Obj::Set(_) | Obj::ConstSet(_) | Obj::ConstFrozenSet(_))
}

/// Whether this is a set or a view that behaves as one.
#[must_use]
pub fn is(value: Obj<'_>) -> bool {
    is_set(value) || matches!(value, Obj::View(view) if view.kind != ViewKind::Values)
}

/// Elements of a set or of such a view, with their hashes, in whatever order. A change meanwhile is not noticed.
pub enum Elements<'a> {
    /// Made by the rule.
    Set(&'a Set<'a>, usize),
    /// Constants.
    Const(&'a ConstSet, usize),
    /// Of another iterable.
    Other(IterState<'a>),
}

impl<'a> Elements<'a> {
    /// Those of an iterable.
    ///
    /// # Errors
    /// `TypeError` for what cannot be iterated.
    pub fn of(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, Self> {
        Ok(match value {
            Obj::Set(set) => Self::Set(set, 0),
            Obj::ConstSet(set) | Obj::ConstFrozenSet(set) => Self::Const(set, 0),
            value => Self::Other(iter::iter(cx, value)?),
        })
    }

    /// The next one. Costs a step of fuel.
    ///
    /// # Errors
    /// `TypeError` when it is unhashable.
    pub fn next(&mut self, cx: &Cx<'a>) -> R<'a, Option<(u64, Obj<'a>)>> {
        match self {
            Self::Set(set, place) => {
                cx.tick()?;
                let table = set.inner.borrow();
                let Some((at, item, _)) = table.next_from(*place) else {
                    return Ok(None);
                };
                *place = at + 1;
                Ok(table.entry(at).map(|(hash, ..)| (hash, item)))
            }
            Self::Const(set, place) => {
                cx.tick()?;
                let Some((hash, id)) = set.entries.get(*place) else {
                    return Ok(None);
                };
                *place += 1;
                Ok(Some((*hash, cx.constant(*id))))
            }
            Self::Other(state) => match state.next(cx)? {
                Some(item) => Ok(Some((super::hash(cx, item)?, item))),
                None => Ok(None),
            },
        }
    }
}

/// Whether a set holds an element whose hash is at hand.
///
/// # Errors
/// What comparing raises.
pub fn has<'a>(cx: &Cx<'a>, set: Obj<'a>, hash: u64, item: Obj<'a>) -> R<'a, bool> {
    match set {
        Obj::Set(set) => set.has(cx, hash, item),
        Obj::ConstSet(set) | Obj::ConstFrozenSet(set) => const_has(cx, set, hash, item),
        Obj::View(view) => in_view(cx, view, item),
        _ => Ok(false),
    }
}

fn const_has<'a>(cx: &Cx<'a>, set: &'a ConstSet, hash: u64, item: Obj<'a>) -> R<'a, bool> {
    let found = super::map::find_const(cx, &set.table, hash, item, |place| {
        set.entries
            .get(place as usize)
            .filter(|entry| entry.0 == hash)
            .map(|entry| entry.1)
    })?;
    Ok(found.is_some())
}

/// `item in set`: an unhashable set is looked for as the frozenset equal to it.
///
/// # Errors
/// `TypeError` when `item` is unhashable.
#[inline]
pub fn contains<'a>(cx: &Cx<'a>, set: Obj<'a>, item: Obj<'a>) -> R<'a, bool> {
    if let (Obj::ConstSet(set) | Obj::ConstFrozenSet(set), Obj::Str(text)) = (set, item) {
        return Ok(const_has_text(cx, set, text));
    }
    let hash = key_hash(cx, item)?;
    has(cx, set, hash, item)
}

#[inline]
fn const_has_text(cx: &Cx<'_>, set: &ConstSet, text: &str) -> bool {
    let hash = super::key::hash_str(text);
    set.table
        .find(hash, |place| {
            set.entries.get(*place as usize).is_some_and(|(other, id)| {
                *other == hash
                    && matches!(cx.program.consts.get(*id as usize), Some(Const::Str(a)) if &**a == text)
            })
        })
        .is_some()
}

/// The hash under which a set looks for `item`: that of the equal frozenset for a set.
///
/// # Errors
/// `TypeError` when it is unhashable.
pub fn key_hash<'a>(cx: &Cx<'a>, item: Obj<'a>) -> R<'a, u64> {
    match item {
        Obj::Set(set) => Ok(super::key::hash_frozenset(
            set.inner.borrow().live_entries().map(|(hash, ..)| hash),
        )),
        Obj::ConstSet(set) => Ok(super::key::hash_frozenset(
            set.entries.iter().map(|(hash, _)| *hash),
        )),
        item => super::hash(cx, item),
    }
}

/// `item in view`.
///
/// # Errors
/// `TypeError` when a key is unhashable.
pub fn in_view<'a>(cx: &Cx<'a>, view: &'a View<'a>, item: Obj<'a>) -> R<'a, bool> {
    match view.kind {
        ViewKind::Keys => Ok(super::dict_get(cx, view.dict, item)?.is_some()),
        ViewKind::Items => {
            let (key, value) = match super::equal::as_tuple(item) {
                Obj::Tuple([key, value]) => (*key, *value),
                Obj::ConstTuple(seq) => match *seq.items {
                    [key, value] => (cx.constant(key), cx.constant(value)),
                    _ => return Ok(false),
                },
                _ => return Ok(false),
            };
            match super::dict_get(cx, view.dict, key)? {
                Some(found) => super::same_or_eq(cx, found, value),
                None => Ok(false),
            }
        }
        ViewKind::Values => {
            let mut members = super::map::Members::of(cx, view.dict);
            while let Some((_, value)) = members.next(cx)? {
                if super::same_or_eq(cx, value, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Whether all elements of `a` are in `b`, both sets or views.
///
/// # Errors
/// What comparing raises.
pub fn is_subset<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if let Obj::View(_) = a {
        let mut items = iter::iter(cx, a)?;
        while let Some(item) = items.next(cx)? {
            if !super::contains(cx, b, item)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let mut elements = Elements::of(cx, a)?;
    while let Some((hash, item)) = elements.next(cx)? {
        if !has(cx, b, hash, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `a == b` of two sets or views.
///
/// # Errors
/// What comparing raises.
pub fn equal<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if super::len(cx, a)? != super::len(cx, b)? {
        return Ok(false);
    }
    // A view goes through its own elements.
    match (a, b) {
        (Obj::View(_), _) | (_, Obj::Set(_) | Obj::ConstSet(_) | Obj::ConstFrozenSet(_)) => {
            is_subset(cx, a, b)
        }
        _ => is_subset(cx, b, a),
    }
}
