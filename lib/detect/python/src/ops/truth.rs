//! Truth and length.

use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;

/// `bool(value)`.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn truthy<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, bool> {
    match value {
        Obj::Bool(flag) => Ok(flag),
        Obj::None => Ok(false),
        Obj::Str(text) => Ok(!text.is_empty()),
        Obj::Int(number) => Ok(number != 0),
        Obj::NodeDict(node) | Obj::NodeList(node) => Ok(cx.node(node).is_truthy()),
        _ => slow(cx, value),
    }
}

#[cold]
fn slow<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, bool> {
    Ok(match value {
        Obj::Float(float) => float != 0.0,
        Obj::Bytes(bytes) => !bytes.is_empty(),
        Obj::ConstList(seq) | Obj::ConstTuple(seq) => !seq.items.is_empty(),
        Obj::ConstDict(dict) => !dict.entries.is_empty(),
        Obj::ConstSet(set) | Obj::ConstFrozenSet(set) => !set.entries.is_empty(),
        Obj::Tuple(items) => !items.is_empty(),
        Obj::List(list) => !list.items.borrow().is_empty(),
        Obj::Dict(dict) => !dict.is_empty(),
        Obj::Set(set) => set.inner.borrow().live != 0,
        Obj::Range(range) => range.count() != 0,
        Obj::View(_) => len(cx, value)? != 0,
        Obj::Native(native) => match native.as_tuple() {
            Some(items) => !items.is_empty(),
            None => return native.truthy(cx),
        },
        Obj::NotImplemented => return Err(cx.leave("the truth of NotImplemented")),
        Obj::Class(_) => return Err(cx.leave("the truth of a class of the user's")),
        Obj::Const(_) => return truthy(cx, super::resolve(cx, value)?),
        _ => true,
    })
}

/// `len(value)`.
///
/// # Errors
/// `TypeError`.
pub fn len<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, usize> {
    Ok(match value {
        Obj::Str(text) => text_len(text),
        Obj::NodeList(node) => cx.node(node).items().count(),
        Obj::NodeDict(node) => cx.node(node).members().count(),
        Obj::List(list) => list.items.borrow().len(),
        Obj::Tuple(items) => items.len(),
        Obj::ConstList(seq) | Obj::ConstTuple(seq) => seq.items.len(),
        Obj::ConstDict(dict) => dict.entries.len(),
        Obj::ConstSet(set) | Obj::ConstFrozenSet(set) => set.entries.len(),
        Obj::Dict(dict) => dict.len(),
        Obj::Set(set) => set.inner.borrow().live,
        Obj::Bytes(bytes) => bytes.len(),
        Obj::Range(range) => match usize::try_from(range.count()) {
            Ok(count) if i64::try_from(count).is_ok() => count,
            _ => return Err(too_long(cx)),
        },
        Obj::View(view) => len(cx, view.dict)?,
        Obj::Native(native) => match (native.as_tuple(), native.len(cx)) {
            (Some(items), _) => items.len(),
            (None, Some(len)) => len?,
            (None, None) => return Err(no_len(cx, value)),
        },
        Obj::Class(_) => return Err(cx.leave("the length of a class")),
        Obj::Const(_) => return len(cx, super::resolve(cx, value)?),
        _ => return Err(no_len(cx, value)),
    })
}

/// Code points of a text.
#[inline]
#[must_use]
pub fn text_len(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

#[cold]
fn no_len<'a>(cx: &Cx<'a>, value: Obj<'a>) -> Raise<'a> {
    let name = super::type_name(cx, value);
    cx.type_error(format_args!("object of type '{name}' has no len()"))
}

#[cold]
fn too_long<'a>(cx: &Cx<'a>) -> Raise<'a> {
    cx.raise(
        crate::types::ExcKind::OverflowError,
        format_args!("Python int too large to convert to C ssize_t"),
    )
}
