//! What operators and protocols do on objects: each function is Python's, over all forms of an object.

pub mod big;
mod contains;
mod counter;
mod equal;
mod hash;
pub mod key;
pub mod map;
mod order;
pub mod setlike;
mod truth;
mod types;

pub use big::int_from_decimal;
pub use contains::contains;
pub use equal::{as_tuple, eq, is, same_or_eq};
pub use hash::{hash, hash_const};
pub use map::dict_get;
pub use order::compare;
pub use truth::{len, text_len, truthy};

pub use types::{builtin_name, class_name, class_of, is_instance, is_subclass, resolve, type_name, type_of};

use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, UnaryOp};
use crate::obj::Obj;

/// `value[index]`, slices included.
///
/// # Errors
/// What Python raises.
pub fn get_item<'a>(cx: &Cx<'a>, _value: Obj<'a>, _index: Obj<'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// `value[index] = item`.
///
/// # Errors
/// What Python raises; falls back on frozen containers.
pub fn set_item<'a>(cx: &Cx<'a>, _value: Obj<'a>, _index: Obj<'a>, _item: Obj<'a>) -> R<'a, ()> {
    Err(cx.leave("not built"))
}

/// `del value[index]`.
///
/// # Errors
/// What Python raises; falls back on frozen containers.
pub fn del_item<'a>(cx: &Cx<'a>, _value: Obj<'a>, _index: Obj<'a>) -> R<'a, ()> {
    Err(cx.leave("not built"))
}

/// `value.name` for anything but user classes and modules, which linking resolves.
///
/// # Errors
/// `AttributeError`; falls back on attributes that exist in CPython and not here.
pub fn get_attr<'a>(cx: &Cx<'a>, _value: Obj<'a>, _name: &'a str) -> R<'a> {
    Err(cx.leave("not built"))
}

/// `a op b`.
///
/// # Errors
/// What Python raises.
pub fn binary<'a>(cx: &Cx<'a>, _op: BinaryOp, _a: Obj<'a>, _b: Obj<'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// `a op= b`: lists, sets and dictionaries change in place and are answered; falls back on frozen ones.
///
/// # Errors
/// What Python raises.
pub fn in_place<'a>(cx: &Cx<'a>, _op: BinaryOp, _a: Obj<'a>, _b: Obj<'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// `-a`, `+a`, `~a`; `not a` is [`truthy`]'s opposite.
///
/// # Errors
/// What Python raises.
pub fn unary<'a>(cx: &Cx<'a>, _op: UnaryOp, _a: Obj<'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// An `int` or `bool` of 64 bits.
#[inline]
#[must_use]
pub fn small_int(value: Obj<'_>) -> Option<i64> {
    match value {
        Obj::Int(number) => Some(number),
        Obj::Bool(flag) => Some(i64::from(flag)),
        _ => None,
    }
}

/// Runs what goes into nested containers: too deep, and CPython answers instead, since where it raises
/// `RecursionError` depends on its own frames.
///
/// # Errors
/// The fallback; what `inner` raises.
pub fn nested<'a, T>(cx: &Cx<'a>, inner: impl FnOnce() -> R<'a, T>) -> R<'a, T> {
    let depth = cx.depth.get();
    if depth >= cx.limits.depth {
        return Err(cx.leave("containers nested too deep"));
    }
    cx.depth.set(depth + 1);
    let result = inner();
    cx.depth.set(depth);
    result
}
