//! `value[index]`: reading.

use bumpalo::collections::Vec as BumpVec;
use streamalert_value::key_hash;

use super::slice::{self, Span};
use crate::cx::{Cx, R, Raise};
use crate::eval;
use crate::iter::IterState;
use crate::obj::{Dict, DictKind, List, Obj, Range};
use crate::program::ConstSeq;
use crate::registry::Args;
use crate::types::ExcKind;

/// `value[index]`, slices included.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn get_item<'a>(cx: &Cx<'a>, value: Obj<'a>, index: Obj<'a>) -> R<'a> {
    if let (Obj::NodeDict(node), Obj::Str(text)) = (value, index) {
        return match cx.node(node).get_hashed(key_hash(text.as_bytes()), text) {
            Some(found) => cx.object(found),
            None => Err(cx.key_error(index)),
        };
    }
    slow(cx, value, index)
}

#[inline(never)]
fn slow<'a>(cx: &Cx<'a>, value: Obj<'a>, index: Obj<'a>) -> R<'a> {
    match value {
        Obj::NodeDict(_) | Obj::ConstDict(_) => match super::dict_get(cx, value, index)? {
            Some(found) => Ok(found),
            None => Err(cx.key_error(index)),
        },
        Obj::Dict(dict) => dict_item(cx, dict, index),
        Obj::NodeList(node) => match index {
            Obj::Slice(parts) => list_slice(cx, value, parts),
            Obj::Int(place @ 0..) => match cx.node(node).items().nth(place as usize) {
                Some(found) => cx.object(found),
                None => Err(out_of_range(cx, "list")),
            },
            _ => sequence_item(cx, value, index, "list"),
        },
        Obj::List(_) | Obj::ConstList(_) => match index {
            Obj::Slice(parts) => list_slice(cx, value, parts),
            _ => sequence_item(cx, value, index, "list"),
        },
        Obj::Tuple(_) | Obj::ConstTuple(_) => match index {
            Obj::Slice(parts) => tuple_slice(cx, value, parts),
            _ => sequence_item(cx, value, index, "tuple"),
        },
        Obj::Str(text) => match index {
            Obj::Slice(parts) => text_slice(cx, text, parts),
            _ => {
                let place = slice::index(cx, index, super::text_len(text), || wrong_text_index(cx, index))?;
                match place.and_then(|place| slice::char_at(text, place)) {
                    Some(character) => Ok(Obj::Str(character)),
                    None => Err(cx.raise(ExcKind::IndexError, format_args!("string index out of range"))),
                }
            }
        },
        Obj::Bytes(bytes) => bytes_item(cx, bytes, index),
        Obj::Range(range) => range_item(cx, range, index),
        Obj::Native(native) => match (native.index(cx, index), native.as_tuple()) {
            (Some(answer), _) => answer,
            (None, Some(items)) => slow(cx, Obj::Tuple(items), index),
            (None, None) => Err(not_subscriptable(cx, value)),
        },
        Obj::Const(_) => get_item(cx, super::resolve(cx, value)?, index),
        Obj::Type(_) | Obj::Class(_) | Obj::NativeClass(_) => Err(cx.leave("a class with an index")),
        _ => Err(not_subscriptable(cx, value)),
    }
}

#[cold]
fn not_subscriptable<'a>(cx: &Cx<'a>, value: Obj<'a>) -> Raise<'a> {
    let name = super::type_name(cx, value);
    cx.type_error(format_args!("'{name}' object is not subscriptable"))
}

#[cold]
fn out_of_range<'a>(cx: &Cx<'a>, what: &str) -> Raise<'a> {
    cx.raise(ExcKind::IndexError, format_args!("{what} index out of range"))
}

/// "list indices must be integers or slices, not str".
#[cold]
pub(super) fn wrong_index<'a>(cx: &Cx<'a>, what: &str, index: Obj<'a>) -> Raise<'a> {
    let name = super::type_name(cx, index);
    cx.type_error(format_args!(
        "{what} indices must be integers or slices, not {name}"
    ))
}

#[cold]
fn wrong_text_index<'a>(cx: &Cx<'a>, index: Obj<'a>) -> Raise<'a> {
    if cx.program.version.minor < 11 {
        return cx.type_error(format_args!("string indices must be integers"));
    }
    let name = super::type_name(cx, index);
    cx.type_error(format_args!("string indices must be integers, not '{name}'"))
}

fn dict_item<'a>(cx: &Cx<'a>, dict: &'a Dict<'a>, key: Obj<'a>) -> R<'a> {
    if let Some(value) = dict.get(cx, key)? {
        return Ok(value);
    }
    match dict.kind {
        DictKind::Plain | DictKind::Ordered | DictKind::Default(Obj::None) => Err(cx.key_error(key)),
        DictKind::Counter => Ok(Obj::Int(0)),
        DictKind::Default(factory) => {
            let value = eval::call(cx, factory, &Args::positional(&[]))?;
            dict.insert(cx, key, value)?;
            Ok(value)
        }
    }
}

/// The element of a list or tuple of any form at a place; `None` outside of it.
///
/// # Errors
/// The fallback of [`Cx::object`].
pub fn element<'a>(cx: &Cx<'a>, value: Obj<'a>, place: usize) -> R<'a, Option<Obj<'a>>> {
    Ok(match value {
        Obj::NodeList(node) => match cx.node(node).items().nth(place) {
            Some(found) => Some(cx.object(found)?),
            None => None,
        },
        Obj::List(list) => list.items.borrow().get(place).copied(),
        Obj::ConstList(seq) | Obj::ConstTuple(seq) => const_element(cx, seq, place),
        Obj::Tuple(items) => items.get(place).copied(),
        _ => None,
    })
}

fn const_element<'a>(cx: &Cx<'a>, seq: &'a ConstSeq, place: usize) -> Option<Obj<'a>> {
    seq.items.get(place).map(|id| cx.constant(*id))
}

fn sequence_item<'a>(cx: &Cx<'a>, value: Obj<'a>, index: Obj<'a>, what: &str) -> R<'a> {
    let place = slice::index(cx, index, super::len(cx, value)?, || wrong_index(cx, what, index))?;
    let found = match place {
        Some(place) => element(cx, value, place)?,
        None => None,
    };
    found.ok_or_else(|| out_of_range(cx, what))
}

/// The elements that a slice selects of a list or tuple of any form.
fn selected<'a>(cx: &Cx<'a>, value: Obj<'a>, span: Span) -> R<'a, BumpVec<'a, Obj<'a>>> {
    cx.reserve(span.count * size_of::<Obj<'_>>())?;
    let mut items = BumpVec::with_capacity_in(span.count, cx.bump);
    if let Obj::NodeList(_) = value {
        // Nodes are found one after the other only.
        let mut all = BumpVec::new_in(cx.bump);
        let mut state = IterState::sequence(cx, value);
        while let Some(item) = state.next(cx)? {
            all.push(item);
        }
        items.extend(span.indices().filter_map(|place| all.get(place).copied()));
        return Ok(items);
    }
    for place in span.indices() {
        if let Some(item) = element(cx, value, place)? {
            items.push(item);
        }
    }
    Ok(items)
}

fn list_slice<'a>(cx: &Cx<'a>, value: Obj<'a>, parts: &[Obj<'a>; 3]) -> R<'a> {
    let span = slice::span(cx, parts, super::len(cx, value)?)?;
    Ok(List::object(cx, selected(cx, value, span)?))
}

fn tuple_slice<'a>(cx: &Cx<'a>, value: Obj<'a>, parts: &[Obj<'a>; 3]) -> R<'a> {
    let len = super::len(cx, value)?;
    let span = slice::span(cx, parts, len)?;
    if span.count == len && span.step == 1 {
        return Ok(value);
    }
    Ok(Obj::Tuple(selected(cx, value, span)?.into_bump_slice()))
}

fn text_slice<'a>(cx: &Cx<'a>, text: &'a str, parts: &[Obj<'a>; 3]) -> R<'a> {
    cx.use_fuel(text.len() as u64 / 64)?;
    let span = slice::span(cx, parts, super::text_len(text))?;
    if span.step == 1 || span.count == 0 {
        let start = span.start.max(0) as usize;
        return Ok(Obj::Str(slice::chars_between(text, start, start + span.count)));
    }
    let mut chosen = bumpalo::collections::String::new_in(cx.bump);
    if text.is_ascii() {
        let bytes = text.as_bytes();
        cx.reserve(span.count)?;
        chosen.extend(
            span.indices()
                .filter_map(|place| bytes.get(place))
                .map(|byte| char::from(*byte)),
        );
    } else {
        cx.reserve(text.len() * 4)?;
        let characters = BumpVec::from_iter_in(text.chars(), cx.bump);
        chosen.extend(span.indices().filter_map(|place| characters.get(place)));
    }
    Ok(Obj::Str(chosen.into_bump_str()))
}

fn bytes_item<'a>(cx: &Cx<'a>, bytes: &'a [u8], index: Obj<'a>) -> R<'a> {
    if let Obj::Slice(parts) = index {
        let span = slice::span(cx, parts, bytes.len())?;
        if span.step == 1 || span.count == 0 {
            let start = span.start.max(0) as usize;
            return Ok(Obj::Bytes(
                bytes.get(start..start + span.count).unwrap_or_default(),
            ));
        }
        cx.reserve(span.count)?;
        let chosen = span.indices().filter_map(|place| bytes.get(place).copied());
        return Ok(Obj::Bytes(
            BumpVec::from_iter_in(chosen, cx.bump).into_bump_slice(),
        ));
    }
    let place = slice::index(cx, index, bytes.len(), || wrong_index(cx, "byte", index))?;
    match place.and_then(|place| bytes.get(place)) {
        Some(byte) => Ok(Obj::Int(i64::from(*byte))),
        None => Err(cx.raise(ExcKind::IndexError, format_args!("index out of range"))),
    }
}

fn range_item<'a>(cx: &Cx<'a>, range: &Range, index: Obj<'a>) -> R<'a> {
    let Ok(len) = usize::try_from(range.count().min(i64::MAX as u64)) else {
        return Err(cx.leave("a long range"));
    };
    match index {
        Obj::Slice(parts) => {
            let span = slice::span(cx, parts, len)?;
            let place = |nth: i64| {
                nth.checked_mul(range.step)
                    .and_then(|offset| range.start.checked_add(offset))
            };
            match (
                place(span.start),
                place(span.stop),
                range.step.checked_mul(span.step),
            ) {
                (Some(start), Some(stop), Some(step)) => {
                    Ok(Obj::Range(cx.bump.alloc(Range { start, stop, step })))
                }
                _ => Err(cx.leave("a range beyond 64 bits")),
            }
        }
        Obj::Big(_) => Err(out_of_range(cx, "range object")),
        _ => match slice::index(cx, index, len, || wrong_index(cx, "range", index))? {
            Some(place) => Ok(Obj::Int(range.at(place as u64))),
            None => Err(out_of_range(cx, "range object")),
        },
    }
}
