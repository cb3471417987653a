//! `value[index]`: assigning and deleting.

use bumpalo::collections::Vec as BumpVec;

use super::item::wrong_index;
use super::slice::{self, Span};
use crate::cx::{Cx, R, Raise};
use crate::iter;
use crate::obj::{List, Obj};
use crate::types::ExcKind;

/// `value[index] = item`.
///
/// # Errors
/// What Python raises; falls back on frozen containers.
pub fn set_item<'a>(cx: &Cx<'a>, value: Obj<'a>, index: Obj<'a>, item: Obj<'a>) -> R<'a, ()> {
    match value {
        Obj::Dict(dict) => dict.insert(cx, super::resolve(cx, index)?, item),
        Obj::List(list) if list.is_shared => list.check_change(cx),
        Obj::List(list) => match index {
            Obj::Slice(parts) => {
                let span = slice::span(cx, parts, list.items.borrow().len())?;
                set_slice(cx, list, span, item)
            }
            _ => {
                let mut items = list.items.borrow_mut();
                let place = slice::index(cx, index, items.len(), || wrong_index(cx, "list", index))?;
                match place.and_then(|place| items.get_mut(place)) {
                    Some(slot) => {
                        *slot = item;
                        Ok(())
                    }
                    None => Err(no_place(cx)),
                }
            }
        },
        _ => Err(refuse(cx, value, index, "assignment")),
    }
}

#[cold]
fn no_place<'a>(cx: &Cx<'a>) -> Raise<'a> {
    cx.raise(
        ExcKind::IndexError,
        format_args!("list assignment index out of range"),
    )
}

#[cold]
fn refuse<'a>(cx: &Cx<'a>, value: Obj<'a>, index: Obj<'a>, what: &str) -> Raise<'a> {
    let verb = match value {
        Obj::NodeDict(_) | Obj::NodeList(_) => return cx.leave("changes the record"),
        Obj::ConstDict(_) | Obj::ConstList(_) => return cx.leave("changes a constant"),
        Obj::Native(_) | Obj::Const(_) | Obj::Class(_) => return cx.leave("changes an object"),
        Obj::Tuple(_)
        | Obj::ConstTuple(_)
        | Obj::Str(_)
        | Obj::Bytes(_)
        | Obj::Set(_)
        | Obj::ConstSet(_)
        | Obj::ConstFrozenSet(_)
        | Obj::Range(_)
        | Obj::View(_) => match index {
            Obj::Int(_) | Obj::Bool(_) if what == "deletion" => "doesn't",
            Obj::Big(_) => {
                return cx.raise(
                    ExcKind::IndexError,
                    format_args!("cannot fit 'int' into an index-sized integer"),
                );
            }
            _ => "does not",
        },
        _ => "does not",
    };
    let name = super::type_name(cx, value);
    cx.type_error(format_args!("'{name}' object {verb} support item {what}"))
}

/// Elements of what is assigned to a slice.
fn assigned<'a>(cx: &Cx<'a>, item: Obj<'a>, step: i64) -> R<'a, BumpVec<'a, Obj<'a>>> {
    match iter::iter(cx, item) {
        Ok(_) => iter::collect(cx, item),
        Err(Raise::Exception(exception)) if exception.kind == ExcKind::TypeError => {
            let message = if step == 1 && cx.program.version.minor < 13 {
                "can only assign an iterable"
            } else {
                "must assign iterable to extended slice"
            };
            Err(cx.type_error(format_args!("{message}")))
        }
        Err(raise) => Err(raise),
    }
}

fn set_slice<'a>(cx: &Cx<'a>, list: &'a List<'a>, span: Span, item: Obj<'a>) -> R<'a, ()> {
    let new = assigned(cx, item, span.step)?;
    if span.step != 1 {
        if new.len() != span.count {
            let (given, wanted) = (new.len(), span.count);
            return Err(cx.value_error(format_args!(
                "attempt to assign sequence of size {given} to extended slice of size {wanted}"
            )));
        }
        let mut items = list.items.borrow_mut();
        for (place, value) in span.indices().zip(new) {
            if let Some(slot) = items.get_mut(place) {
                *slot = value;
            }
        }
        return Ok(());
    }
    let mut items = list.items.borrow_mut();
    let start = (span.start.max(0) as usize).min(items.len());
    let stop = (start + span.count).min(items.len());
    cx.reserve((items.len() + new.len()) * size_of::<Obj<'_>>())?;
    let rest = BumpVec::from_iter_in(items.get(stop..).unwrap_or_default().iter().copied(), cx.bump);
    items.truncate(start);
    items.extend(new);
    items.extend(rest);
    Ok(())
}

/// `del value[index]`.
///
/// # Errors
/// What Python raises; falls back on frozen containers.
pub fn del_item<'a>(cx: &Cx<'a>, value: Obj<'a>, index: Obj<'a>) -> R<'a, ()> {
    match value {
        Obj::Dict(dict) => match dict.remove(cx, index)? {
            Some(_) => Ok(()),
            None => match dict.kind {
                // `Counter.__delitem__` does not mind.
                crate::obj::DictKind::Counter => Ok(()),
                _ => Err(cx.key_error(index)),
            },
        },
        Obj::List(list) if list.is_shared => list.check_change(cx),
        Obj::List(list) => match index {
            Obj::Slice(parts) => {
                let mut items = list.items.borrow_mut();
                let span = slice::span(cx, parts, items.len())?;
                cx.use_fuel(items.len() as u64 / 16)?;
                let mut places = BumpVec::from_iter_in(span.indices(), cx.bump);
                places.sort_unstable();
                let (mut at, mut next) = (0, places.iter().peekable());
                items.retain(|_| {
                    let dropped = next.next_if_eq(&&at).is_some();
                    at += 1;
                    !dropped
                });
                Ok(())
            }
            _ => {
                let mut items = list.items.borrow_mut();
                let place = slice::index(cx, index, items.len(), || wrong_index(cx, "list", index))?;
                match place {
                    Some(place) => {
                        items.remove(place);
                        Ok(())
                    }
                    None => Err(no_place(cx)),
                }
            }
        },
        _ => Err(refuse(cx, value, index, "deletion")),
    }
}
