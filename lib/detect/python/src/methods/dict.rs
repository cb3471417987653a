//! Methods of `dict`. Those of its subclasses in `collections` are in the modules beside.

use super::{arity, counter, ordered};
use crate::cx::{Cx, R, Raise};
use crate::iter::{self, IterState};
use crate::obj::{Dict, DictKind, Obj, View, ViewKind};
use crate::ops;
use crate::ops::map::Members;
use crate::registry::{Args, MethodFn};
use crate::types::ExcKind;

/// The method of this name. Those of one subclass alone fall back on the others.
#[must_use]
pub fn lookup(name: &str) -> Option<MethodFn> {
    Some(match name {
        "get" => get,
        "items" => items,
        "keys" => keys,
        "values" => values,
        "clear" => clear,
        "copy" => copy,
        "fromkeys" => fromkeys,
        "pop" => pop,
        "popitem" => popitem,
        "setdefault" => setdefault,
        "update" => update,
        "move_to_end" => ordered::move_to_end,
        "most_common" => counter::most_common,
        "elements" => counter::elements,
        "subtract" => counter::subtract,
        "total" => counter::total,
        _ => return None,
    })
}

/// The dictionary that a method changes.
pub(super) fn changing<'a>(cx: &Cx<'a>, receiver: Obj<'a>) -> R<'a, &'a Dict<'a>> {
    match receiver {
        Obj::Dict(dict) => dict.check_change(cx).map(|()| dict),
        Obj::NodeDict(_) => Err(cx.leave("changes the record")),
        _ => Err(cx.leave("changes a constant")),
    }
}

fn get<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (key, default) = match (args.pos, args.kw.is_empty()) {
        ([key], true) => (*key, Obj::None),
        ([key, default], true) => (*key, *default),
        _ => {
            arity::between(cx, args, "dict", "get", 1, 2)?;
            return Ok(Obj::None);
        }
    };
    Ok(ops::dict_get(cx, receiver, key)?.unwrap_or(default))
}

fn view<'a>(cx: &Cx<'a>, dict: Obj<'a>, kind: ViewKind) -> Obj<'a> {
    Obj::View(cx.bump.alloc(View { dict, kind }))
}

fn items<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, "dict", "items")?;
    Ok(view(cx, receiver, ViewKind::Items))
}

fn keys<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, "dict", "keys")?;
    Ok(view(cx, receiver, ViewKind::Keys))
}

fn values<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, "dict", "values")?;
    Ok(view(cx, receiver, ViewKind::Values))
}

fn clear<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let dict = changing(cx, receiver)?;
    arity::none(cx, args, "dict", "clear")?;
    dict.inner.borrow_mut().clear();
    Ok(Obj::None)
}

fn copy<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, "dict", "copy")?;
    let kind = match receiver {
        Obj::Dict(dict) => dict.kind,
        _ => DictKind::Plain,
    };
    let copy = Dict::of_kind(cx, kind);
    merge(cx, copy, receiver)?;
    Ok(Obj::Dict(copy))
}

/// Sets all members of another dictionary.
fn merge<'a>(cx: &Cx<'a>, dict: &'a Dict<'a>, other: Obj<'a>) -> R<'a, ()> {
    let mut members = Members::of(cx, other);
    while let Some((key, value)) = members.next(cx)? {
        dict.insert(cx, key, value)?;
    }
    Ok(())
}

fn fromkeys<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match receiver {
        Obj::Dict(dict) if !matches!(dict.kind, DictKind::Plain) => {
            Err(cx.leave("fromkeys of a class of collections"))
        }
        _ => from_keys(cx, args),
    }
}

/// `dict.fromkeys(keys, value=None)`.
///
/// # Errors
/// What iterating and hashing raise.
pub fn from_keys<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::between(cx, args, "dict", "fromkeys", 1, 2)?;
    let dict = Dict::of_kind(cx, DictKind::Plain);
    let value = args.pos.get(1).copied().unwrap_or(Obj::None);
    let keys = args.pos.first().copied().unwrap_or(Obj::None);
    let mut state = iter::iter(cx, keys)?;
    while let Some(key) = state.next(cx)? {
        dict.insert(cx, key, value)?;
    }
    Ok(Obj::Dict(dict))
}

fn pop<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let dict = changing(cx, receiver)?;
    if matches!(dict.kind, DictKind::Ordered) && !args.kw.is_empty() {
        return Err(cx.leave("a keyword of OrderedDict.pop"));
    }
    arity::between(cx, args, "dict", "pop", 1, 2)?;
    let key = args.pos.first().copied().unwrap_or(Obj::None);
    // An empty dictionary does not ask for the key's hash.
    if dict.is_empty() && matches!(dict.kind, DictKind::Plain | DictKind::Default(_)) {
        return args.pos.get(1).copied().ok_or_else(|| cx.key_error(key));
    }
    match (dict.remove(cx, key)?, args.pos.get(1)) {
        (Some((_, value)), _) => Ok(value),
        (None, Some(default)) => Ok(*default),
        (None, None) => Err(cx.key_error(key)),
    }
}

fn popitem<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let dict = changing(cx, receiver)?;
    let ordered = matches!(dict.kind, DictKind::Ordered);
    let mut last = true;
    if ordered {
        last = ordered::last(cx, args, 0)?;
    } else {
        arity::none(cx, args, "dict", "popitem")?;
    }
    let mut table = dict.inner.borrow_mut();
    let place = if last {
        table.entries.len().checked_sub(1)
    } else {
        table.next_from(0).map(|(place, ..)| place)
    };
    // There is no deleted entry at the end.
    match place.and_then(|place| table.remove(cx, place)) {
        Some((key, value)) => Ok(Obj::Tuple(cx.bump.alloc([key, value]))),
        None if ordered => Err(key_error(cx, "dictionary is empty")),
        None => Err(key_error(cx, "popitem(): dictionary is empty")),
    }
}

#[cold]
fn key_error<'a>(cx: &Cx<'a>, message: &str) -> Raise<'a> {
    cx.raise(ExcKind::KeyError, format_args!("{message}"))
}

fn setdefault<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if matches!(receiver, Obj::Dict(dict) if matches!(dict.kind, DictKind::Ordered)) && !args.kw.is_empty() {
        return Err(cx.leave("a keyword of OrderedDict.setdefault"));
    }
    arity::between(cx, args, "dict", "setdefault", 1, 2)?;
    let key = args.pos.first().copied().unwrap_or(Obj::None);
    if let Some(value) = ops::dict_get(cx, receiver, key)? {
        return Ok(value);
    }
    let default = args.pos.get(1).copied().unwrap_or(Obj::None);
    changing(cx, receiver)?.insert(cx, key, default)?;
    Ok(default)
}

fn update<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let dict = changing(cx, receiver)?;
    if matches!(dict.kind, DictKind::Counter) {
        return counter::update(cx, dict, args);
    }
    if args.pos.len() > 1 {
        let given = args.pos.len();
        return Err(cx.type_error(format_args!("update expected at most 1 argument, got {given}")));
    }
    if let Some(other) = args.pos.first() {
        update_with(cx, dict, *other)?;
    }
    for (name, value) in args.kw {
        dict.insert(cx, Obj::Str(name), *value)?;
    }
    Ok(Obj::None)
}

/// `dict.update(other)` without keywords, which `dict(other)` and `dict | other` rest on as well.
///
/// # Errors
/// What iterating raises, `TypeError` and `ValueError` for what are no pairs.
pub fn update_with<'a>(cx: &Cx<'a>, dict: &'a Dict<'a>, other: Obj<'a>) -> R<'a, ()> {
    let other = ops::resolve(cx, other)?;
    if ops::map::is_dict(other) {
        return merge(cx, dict, other);
    }
    if matches!(other, Obj::Native(_) | Obj::Class(_)) {
        return Err(cx.leave("a dictionary updated with an object"));
    }
    let mut state = iter::iter(cx, other)?;
    let mut place = 0_usize;
    while let Some(element) = state.next(cx)? {
        let (key, value) = pair(cx, element, place)?;
        dict.insert(cx, key, value)?;
        place += 1;
    }
    Ok(())
}

fn pair<'a>(cx: &Cx<'a>, element: Obj<'a>, place: usize) -> R<'a, (Obj<'a>, Obj<'a>)> {
    if let Obj::Tuple([key, value]) = element {
        return Ok((*key, *value));
    }
    let mut parts: IterState<'a> = match iter::iter(cx, element) {
        Ok(parts) => parts,
        Err(Raise::Exception(exception)) if exception.kind == ExcKind::TypeError => {
            return Err(cx.type_error(format_args!(
                "cannot convert dictionary update sequence element #{place} to a sequence"
            )));
        }
        Err(raise) => return Err(raise),
    };
    let mut both = [Obj::None; 2];
    let mut count = 0_usize;
    while let Some(part) = parts.next(cx)? {
        if let Some(slot) = both.get_mut(count) {
            *slot = part;
        }
        count += 1;
    }
    match count {
        2 => Ok(both.into()),
        _ => Err(cx.value_error(format_args!(
            "dictionary update sequence element #{place} has length {count}; 2 is required"
        ))),
    }
}
