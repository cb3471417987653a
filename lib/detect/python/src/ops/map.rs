//! Dictionaries of all forms, as mappings.

use streamalert_value::key_hash;

use crate::cx::{Cx, R};
use crate::obj::{Dict, Obj};
use crate::program::{Const, ConstDict};

/// Whether this is a dictionary.
#[inline]
#[must_use]
pub fn is_dict(value: Obj<'_>) -> bool {
    matches!(value, Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_))
}

/// The value of a dictionary under a key; `None` when it lacks it, or when `dict` is no dictionary. Factories of
/// `defaultdict` are not asked.
///
/// # Errors
/// `TypeError` when the key is unhashable; the fallback of [`Cx::object`].
#[inline]
pub fn dict_get<'a>(cx: &Cx<'a>, dict: Obj<'a>, key: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    match (dict, key) {
        (Obj::NodeDict(node), Obj::Str(text)) => {
            match cx.node(node).get_hashed(key_hash(text.as_bytes()), text) {
                Some(value) => cx.object(value).map(Some),
                None => Ok(None),
            }
        }
        _ => slow(cx, dict, key),
    }
}

#[inline(never)]
fn slow<'a>(cx: &Cx<'a>, dict: Obj<'a>, key: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    let hash = super::hash(cx, key)?;
    match dict {
        Obj::Dict(dict) => dict.get_hashed(cx, hash, key),
        Obj::ConstDict(dict) => const_get(cx, dict, hash, key),
        Obj::Const(_) => dict_get(cx, super::resolve(cx, dict)?, key),
        // Keys of a record are texts, and no other object equals a text.
        Obj::NodeDict(_) if matches!(key, Obj::Str(_)) => dict_get(cx, dict, key),
        Obj::NodeDict(_) if matches!(key, Obj::Const(_)) => dict_get(cx, dict, super::resolve(cx, key)?),
        _ => Ok(None),
    }
}

fn const_get<'a>(cx: &Cx<'a>, dict: &'a ConstDict, hash: u64, key: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    let place = find_const(cx, &dict.table, hash, key, |place| {
        dict.entries
            .get(place as usize)
            .filter(|entry| entry.0 == hash)
            .map(|entry| entry.1)
    })?;
    Ok(place
        .and_then(|place| dict.entries.get(place as usize))
        .map(|entry| cx.constant(entry.2)))
}

/// The place in a table of constants whose constant, as `at` answers it for places of this hash, equals `key`.
///
/// # Errors
/// What comparing raises.
pub(crate) fn find_const<'a>(
    cx: &Cx<'a>,
    table: &hashbrown::HashTable<u32>,
    hash: u64,
    key: Obj<'a>,
    at: impl Fn(u32) -> Option<u32>,
) -> R<'a, Option<u32>> {
    // An error within the comparison ends the search as if found, and is answered afterwards.
    let mut failed = None;
    let found = table.find(hash, |place| {
        let Some(id) = at(*place) else { return false };
        match (&cx.program.consts.get(id as usize), key) {
            (Some(Const::Str(a)), Obj::Str(b)) => &**a == b,
            _ => super::same_or_eq(cx, cx.constant(id), key).unwrap_or_else(|raise| {
                failed = Some(raise);
                true
            }),
        }
    });
    match failed {
        Some(raise) => Err(raise),
        None => Ok(found.copied()),
    }
}

/// Keys and values of a dictionary in order. A change meanwhile is not noticed.
pub enum Members<'a> {
    /// Of the record.
    Node(streamalert_value::Members<'a>),
    /// Constants.
    Const(&'a ConstDict, usize),
    /// Made by the rule.
    Dict(&'a Dict<'a>, usize),
    /// No dictionary.
    Empty,
}

impl<'a> Members<'a> {
    /// Those of a dictionary.
    #[must_use]
    pub fn of(cx: &Cx<'a>, dict: Obj<'a>) -> Self {
        match dict {
            Obj::NodeDict(node) => Self::Node(cx.node(node).members()),
            Obj::ConstDict(dict) => Self::Const(dict, 0),
            Obj::Dict(dict) => Self::Dict(dict, 0),
            _ => Self::Empty,
        }
    }

    /// The next one. Costs a step of fuel.
    ///
    /// # Errors
    /// Of limits; the fallback of [`Cx::object`].
    pub fn next(&mut self, cx: &Cx<'a>) -> R<'a, Option<(Obj<'a>, Obj<'a>)>> {
        cx.tick()?;
        Ok(match self {
            Self::Node(members) => match members.next() {
                Some((key, value)) => Some((cx.object(key)?, cx.object(value)?)),
                None => None,
            },
            Self::Const(dict, place) => dict.entries.get(*place).map(|entry| {
                *place += 1;
                (cx.constant(entry.1), cx.constant(entry.2))
            }),
            Self::Dict(dict, place) => dict.inner.borrow().next_from(*place).map(|(at, key, value)| {
                *place = at + 1;
                (key, value)
            }),
            Self::Empty => None,
        })
    }
}
