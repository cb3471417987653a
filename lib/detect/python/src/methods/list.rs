//! Methods of `list`.

use bumpalo::collections::Vec as BumpVec;

use super::{arity, sort};
use crate::cx::{Cx, R, Raise};
use crate::iter::{self, IterState};
use crate::obj::{List, Obj};
use crate::ops;
use crate::registry::{Args, MethodFn};
use crate::types::ExcKind;

/// The method of this name.
#[must_use]
pub fn lookup(name: &str) -> Option<MethodFn> {
    Some(match name {
        "append" => append,
        "clear" => clear,
        "copy" => copy,
        "count" => count,
        "extend" => extend,
        "index" => index,
        "insert" => insert,
        "pop" => pop,
        "remove" => remove,
        "reverse" => reverse,
        "sort" => sort_method,
        _ => return None,
    })
}

/// The list that a method changes.
fn changing<'a>(cx: &Cx<'a>, receiver: Obj<'a>) -> R<'a, &'a List<'a>> {
    match receiver {
        Obj::List(list) => list.check_change(cx).map(|()| list),
        Obj::NodeList(_) => Err(cx.leave("changes the record")),
        _ => Err(cx.leave("changes a constant")),
    }
}

fn append<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    let item = arity::one(cx, args, "list", "append")?;
    push(cx, list, item)?;
    Ok(Obj::None)
}

/// Appends, with an eye on the arena.
fn push<'a>(cx: &Cx<'a>, list: &'a List<'a>, item: Obj<'a>) -> R<'a, ()> {
    let mut items = list.items.borrow_mut();
    if items.len() == items.capacity() {
        cx.reserve(items.len() * 2 * size_of::<Obj<'_>>())?;
    }
    items.push(item);
    Ok(())
}

fn clear<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    arity::none(cx, args, "list", "clear")?;
    list.items.borrow_mut().clear();
    Ok(Obj::None)
}

fn copy<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::none(cx, args, "list", "copy")?;
    Ok(List::object(cx, iter::collect(cx, receiver)?))
}

fn count<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let item = arity::one(cx, args, "list", "count")?;
    count_equal(cx, receiver, item)
}

/// How many elements of a list or tuple equal `item`.
///
/// # Errors
/// What comparing raises.
pub(super) fn count_equal<'a>(cx: &Cx<'a>, sequence: Obj<'a>, item: Obj<'a>) -> R<'a> {
    let mut state = IterState::sequence(cx, sequence);
    let mut count = 0;
    while let Some(element) = state.next(cx)? {
        count += i64::from(ops::same_or_eq(cx, element, item)?);
    }
    Ok(Obj::Int(count))
}

/// The first place of an element equal to `item`.
///
/// # Errors
/// What comparing raises.
pub(super) fn place_of<'a>(
    cx: &Cx<'a>,
    sequence: Obj<'a>,
    item: Obj<'a>,
    (start, stop): (usize, usize),
) -> R<'a, Option<usize>> {
    let mut state = IterState::sequence(cx, sequence);
    let mut place = 0;
    while place < stop {
        let Some(element) = state.next(cx)? else { break };
        if place >= start && ops::same_or_eq(cx, element, item)? {
            return Ok(Some(place));
        }
        place += 1;
    }
    Ok(None)
}

fn extend<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    extend_with(cx, list, arity::one(cx, args, "list", "extend")?)?;
    Ok(Obj::None)
}

/// `list.extend(values)`.
///
/// # Errors
/// What iterating raises; what came before is in the list.
pub fn extend_with<'a>(cx: &Cx<'a>, list: &'a List<'a>, values: Obj<'a>) -> R<'a, ()> {
    list.check_change(cx)?;
    if let Obj::List(_) | Obj::Tuple(_) = values {
        let items = iter::collect(cx, values)?;
        cx.reserve(items.len() * size_of::<Obj<'_>>())?;
        list.items.borrow_mut().extend_from_slice(&items);
        return Ok(());
    }
    let mut state = iter::iter(cx, values)?;
    while let Some(item) = state.next(cx)? {
        push(cx, list, item)?;
    }
    Ok(())
}

fn index<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::between(cx, args, "list", "index", 1, 3)?;
    let [item, rest @ ..] = args.pos else {
        return Ok(Obj::None);
    };
    let bounds = arity::bounds(cx, rest, ops::len(cx, receiver)?)?;
    match place_of(cx, receiver, *item, bounds)? {
        Some(place) => Ok(Obj::Int(place as i64)),
        None => {
            let shown = crate::text::repr(cx, *item)?;
            Err(cx.value_error(format_args!("{shown} is not in list")))
        }
    }
}

fn insert<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    arity::between(cx, args, "list", "insert", 2, 2)?;
    let [place, item] = args.pos else {
        return Ok(Obj::None);
    };
    let place = arity::integer(cx, *place)?;
    let mut items = list.items.borrow_mut();
    cx.use_fuel(items.len() as u64 / 64)?;
    let len = items.len();
    let from_start = if place < 0 {
        place.saturating_add(len as i64)
    } else {
        place
    };
    items.insert(usize::try_from(from_start).unwrap_or(0).min(len), *item);
    Ok(Obj::None)
}

fn pop<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    arity::between(cx, args, "list", "pop", 0, 1)?;
    let place = match args.pos.first() {
        Some(place) => arity::integer(cx, *place)?,
        None => -1,
    };
    let mut items = list.items.borrow_mut();
    let len = items.len();
    if len == 0 {
        return Err(index_error(cx, "pop from empty list"));
    }
    let from_start = if place < 0 {
        place.saturating_add(len as i64)
    } else {
        place
    };
    match usize::try_from(from_start) {
        Ok(place) if place < len => {
            cx.use_fuel((len - place) as u64 / 64)?;
            Ok(items.remove(place))
        }
        _ => Err(index_error(cx, "pop index out of range")),
    }
}

#[cold]
fn index_error<'a>(cx: &Cx<'a>, message: &str) -> Raise<'a> {
    cx.raise(ExcKind::IndexError, format_args!("{message}"))
}

fn remove<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    let item = arity::one(cx, args, "list", "remove")?;
    match place_of(cx, receiver, item, (0, usize::MAX))? {
        Some(place) => {
            let mut items = list.items.borrow_mut();
            if place < items.len() {
                items.remove(place);
            }
            Ok(Obj::None)
        }
        None => Err(cx.value_error(format_args!("list.remove(x): x not in list"))),
    }
}

fn reverse<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    arity::none(cx, args, "list", "reverse")?;
    list.items.borrow_mut().reverse();
    Ok(Obj::None)
}

fn sort_method<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let list = changing(cx, receiver)?;
    if !args.pos.is_empty() {
        return Err(cx.type_error(format_args!("sort() takes no positional arguments")));
    }
    let (key, reverse) = sort::options(cx, args.kw)?;
    let taken = std::mem::replace(&mut *list.items.borrow_mut(), BumpVec::new_in(cx.bump));
    let mut sorted = BumpVec::from_iter_in(taken.iter().copied(), cx.bump);
    let result = sort::sort(cx, &mut sorted, key, reverse);
    let mut items = list.items.borrow_mut();
    let changed = !items.is_empty();
    *items = sorted;
    result?;
    if changed {
        return Err(cx.value_error(format_args!("list modified during sort")));
    }
    Ok(Obj::None)
}
