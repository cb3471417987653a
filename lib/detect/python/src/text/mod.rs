//! Texts of objects: `str`, `repr`, `format`, `%`.

use crate::cx::{Cx, R};
use crate::obj::{Exception, Obj};

/// `str(value)`.
///
/// # Errors
/// What Python raises.
pub fn str<'a>(cx: &Cx<'a>, _value: Obj<'a>) -> R<'a, &'a str> {
    Err(cx.leave("not built"))
}

/// `repr(value)`.
///
/// # Errors
/// What Python raises.
pub fn repr<'a>(cx: &Cx<'a>, _value: Obj<'a>) -> R<'a, &'a str> {
    Err(cx.leave("not built"))
}

/// `ascii(value)`.
///
/// # Errors
/// What Python raises.
pub fn ascii<'a>(cx: &Cx<'a>, _value: Obj<'a>) -> R<'a, &'a str> {
    Err(cx.leave("not built"))
}

/// `format(value, spec)`.
///
/// # Errors
/// What Python raises.
pub fn format<'a>(cx: &Cx<'a>, _value: Obj<'a>, _spec: &str) -> R<'a, &'a str> {
    Err(cx.leave("not built"))
}

/// `template % values`.
///
/// # Errors
/// What Python raises.
pub fn percent<'a>(cx: &Cx<'a>, _template: &'a str, _values: Obj<'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// `str(exception)`.
///
/// # Errors
/// What Python raises.
pub fn exception<'a>(cx: &Cx<'a>, _exception: &'a Exception<'a>) -> R<'a, &'a str> {
    Err(cx.leave("not built"))
}
