//! Methods of `tuple`.

use super::{arity, list};
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::registry::{Args, MethodFn};

/// The method of this name.
#[must_use]
pub fn lookup(name: &str) -> Option<MethodFn> {
    Some(match name {
        "count" => count,
        "index" => index,
        _ => return None,
    })
}

fn count<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let item = arity::one(cx, args, "tuple", "count")?;
    list::count_equal(cx, receiver, item)
}

fn index<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    arity::between(cx, args, "tuple", "index", 1, 3)?;
    let [item, rest @ ..] = args.pos else {
        return Ok(Obj::None);
    };
    let bounds = arity::bounds(cx, rest, ops::len(cx, receiver)?)?;
    match list::place_of(cx, receiver, *item, bounds)? {
        Some(place) => Ok(Obj::Int(place as i64)),
        None => Err(cx.value_error(format_args!("tuple.index(x): x not in tuple"))),
    }
}
