//! Built-in functions and types as callables.

use crate::cx::{Cx, R};
use crate::program::Const;
use crate::registry::Args;
use crate::types::Type;

/// The built-in of this name: function, type, exception class or constant. `None` when Python has none of that name
/// or we do not know it; [`is_builtin`] tells which.
#[must_use]
pub fn lookup(_name: &str) -> Option<Const> {
    None
}

/// Whether CPython has a built-in of this name.
#[must_use]
pub fn is_builtin(_name: &str) -> bool {
    false
}

/// Calls a class: `int(…)`, `list(…)`, `ValueError(…)`.
///
/// # Errors
/// What Python raises.
pub fn construct<'a>(cx: &Cx<'a>, _class: Type, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// `Class.name` of a built-in class: `dict.fromkeys`, `str.lower` as a function of its receiver.
///
/// # Errors
/// `AttributeError`, or the fallback.
pub fn class_attr<'a>(cx: &Cx<'a>, _class: Type, _name: &'a str) -> R<'a> {
    Err(cx.leave("not built"))
}
