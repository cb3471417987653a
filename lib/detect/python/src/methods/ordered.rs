//! Methods of `collections.OrderedDict` that `dict` lacks.

use crate::cx::{Cx, R};
use crate::obj::{DictKind, Obj};
use crate::ops;
use crate::registry::Args;

/// The argument `last`, which is at this place and true when missing.
pub(super) fn last<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, place: usize) -> R<'a, bool> {
    let value = match (args.pos.get(place), args.kw) {
        (Some(value), []) if args.pos.len() == place + 1 => *value,
        (None, [("last", value)]) if args.pos.len() == place => *value,
        (None, []) if args.pos.len() == place => return Ok(true),
        _ => return Err(cx.leave("arguments of a method of OrderedDict")),
    };
    ops::truthy(cx, value)
}

pub(super) fn move_to_end<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let Obj::Dict(dict) = receiver else {
        return Err(cx.leave("move_to_end of a dict"));
    };
    let (DictKind::Ordered, Some(key)) = (dict.kind, args.pos.first()) else {
        return Err(cx.leave("move_to_end of a dict"));
    };
    let last = last(cx, args, 1)?;
    let hash = ops::hash(cx, *key)?;
    let place = dict.inner.borrow().find(cx, hash, *key)?;
    let Some(place) = place else {
        return Err(cx.key_error(*key));
    };
    let mut table = dict.inner.borrow_mut();
    cx.use_fuel(table.entries.len() as u64)?;
    table.move_to(cx, place, last);
    Ok(Obj::None)
}
