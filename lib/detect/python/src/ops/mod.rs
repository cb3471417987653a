//! What operators and protocols do on objects: each function is Python's, over all forms of an object.

pub mod key;
mod types;

pub use types::{builtin_name, class_name, class_of, is_instance, is_subclass, resolve, type_name, type_of};

use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, CompareOp, UnaryOp};
use crate::obj::Obj;

/// `bool(value)`.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn truthy<'a>(cx: &Cx<'a>, _value: Obj<'a>) -> R<'a, bool> {
    Err(cx.leave("not built"))
}

/// `a is b`. Falls back where CPython's answer rests on interning or caching (texts, numbers, empty tuples).
///
/// # Errors
/// The fallback.
pub fn is<'a>(cx: &Cx<'a>, _a: Obj<'a>, _b: Obj<'a>) -> R<'a, bool> {
    Err(cx.leave("not built"))
}

/// `a == b`.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn eq<'a>(cx: &Cx<'a>, _a: Obj<'a>, _b: Obj<'a>) -> R<'a, bool> {
    Err(cx.leave("not built"))
}

/// `a is b or a == b`, as containers compare their elements.
///
/// # Errors
/// What Python raises.
pub fn same_or_eq<'a>(cx: &Cx<'a>, _a: Obj<'a>, _b: Obj<'a>) -> R<'a, bool> {
    Err(cx.leave("not built"))
}

/// Any comparison operator.
///
/// # Errors
/// What Python raises.
pub fn compare<'a>(cx: &Cx<'a>, _op: CompareOp, _a: Obj<'a>, _b: Obj<'a>) -> R<'a, bool> {
    Err(cx.leave("not built"))
}

/// `item in container`.
///
/// # Errors
/// What Python raises.
pub fn contains<'a>(cx: &Cx<'a>, _container: Obj<'a>, _item: Obj<'a>) -> R<'a, bool> {
    Err(cx.leave("not built"))
}

/// A hash, equal for equal values (`1`, `1.0`, `True`). Not CPython's: whoever asks for `hash(x)` falls back.
///
/// # Errors
/// `TypeError` for what is unhashable.
pub fn hash<'a>(cx: &Cx<'a>, _value: Obj<'a>) -> R<'a, u64> {
    Err(cx.leave("not built"))
}

/// `len(value)`.
///
/// # Errors
/// `TypeError`.
pub fn len<'a>(cx: &Cx<'a>, _value: Obj<'a>) -> R<'a, usize> {
    Err(cx.leave("not built"))
}

/// `value[index]`, slices included.
///
/// # Errors
/// What Python raises.
pub fn get_item<'a>(cx: &Cx<'a>, _value: Obj<'a>, _index: Obj<'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// The value of a dictionary under a key; `None` when it lacks it.
///
/// # Errors
/// `TypeError` when the key is unhashable; the fallback of [`Cx::object`].
pub fn dict_get<'a>(cx: &Cx<'a>, _dict: Obj<'a>, _key: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
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

/// The `int` of canonical decimal text with an optional sign.
///
/// # Errors
/// [`crate::cx::Limit::Memory`] when it is too large.
pub fn int_from_decimal<'a>(cx: &Cx<'a>, _digits: &str) -> R<'a> {
    Err(cx.leave("not built"))
}
