//! Methods of `range`.

use super::arity;
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;

pub(crate) fn count<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let item = arity::one(cx, args, "range", "count")?;
    match (receiver, ops::small_int(item)) {
        (Obj::Range(range), Some(number)) => Ok(Obj::Int(i64::from(range.place_of(number).is_some()))),
        _ => Err(cx.leave("counting what is no integer in a range")),
    }
}

pub(crate) fn index<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let item = arity::one(cx, args, "range", "index")?;
    match (receiver, ops::small_int(item)) {
        (Obj::Range(range), Some(number)) => match range.place_of(number) {
            Some(place) => Ok(Obj::Int(place as i64)),
            None => {
                let shown = crate::text::repr(cx, item)?;
                Err(cx.value_error(format_args!("{shown} is not in range")))
            }
        },
        _ => Err(cx.leave("looking for what is no integer in a range")),
    }
}
