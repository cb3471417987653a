//! Texts of objects: `str`, `repr`, `format`, `%`.

mod layout;
mod number;
mod percent;
mod repr;
mod spec;
mod template;

use crate::cx::{Cx, R};
use crate::obj::{Exception, Obj};
use crate::registry::Args;
use crate::types::ExcKind;

pub use percent::percent;
pub use template::{format_map_method, format_method};

/// `str(value)`.
///
/// # Errors
/// What Python raises.
pub fn str<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a str> {
    match value {
        Obj::Str(text) => Ok(text),
        Obj::Exception(error) => exception(cx, error),
        Obj::Native(native) => native.str(cx),
        _ => repr(cx, value),
    }
}

/// `repr(value)`.
///
/// # Errors
/// What Python raises.
pub fn repr<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a str> {
    match value {
        Obj::None => return Ok("None"),
        Obj::Bool(true) => return Ok("True"),
        Obj::Bool(false) => return Ok("False"),
        _ => {}
    }
    let mut out = Text::new_in(cx.bump);
    repr::write(cx, value, &mut out, 0)?;
    Ok(out.into_bump_str())
}

/// `ascii(value)`.
///
/// # Errors
/// What Python raises.
pub fn ascii<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a str> {
    let text = repr(cx, value)?;
    if text.is_ascii() {
        return Ok(text);
    }
    cx.reserve(text.len().saturating_mul(10))?;
    let mut out = Text::new_in(cx.bump);
    for character in text.chars() {
        let code = u32::from(character);
        let escape = match code {
            0..=0x7f => {
                out.push(character);
                continue;
            }
            0x80..=0xff => format!("\\x{code:02x}"),
            0x100..=0xffff => format!("\\u{code:04x}"),
            _ => format!("\\U{code:08x}"),
        };
        out.push_str(&escape);
    }
    Ok(out.into_bump_str())
}

/// `format(value, spec)`.
///
/// # Errors
/// What Python raises.
pub fn format<'a>(cx: &Cx<'a>, value: Obj<'a>, spec: &str) -> R<'a, &'a str> {
    if spec.is_empty() {
        return str(cx, value);
    }
    spec::format(cx, value, spec)
}

/// `str(exception)`.
///
/// # Errors
/// What Python raises.
pub fn exception<'a>(cx: &Cx<'a>, exception: &'a Exception<'a>) -> R<'a, &'a str> {
    let special = exception.kind.is_subclass(ExcKind::OSError)
        || exception.kind.is_subclass(ExcKind::SyntaxError)
        || exception.kind.is_subclass(ExcKind::UnicodeDecodeError)
        || exception.kind.is_subclass(ExcKind::UnicodeEncodeError);
    match exception.args {
        [] => Ok(""),
        [one] if exception.kind.is_subclass(ExcKind::KeyError) => repr(cx, *one),
        [one] => str(cx, *one),
        _ if special => Err(cx.leave("the text of an exception with fields of its own")),
        args => repr(cx, Obj::Tuple(args)),
    }
}

/// A text being made in the arena.
type Text<'a> = bumpalo::collections::String<'a>;

/// The one positional argument; anything else falls back.
fn only<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([one], []) => Ok(*one),
        _ => Err(cx.leave("a wrong number of arguments, or named ones")),
    }
}
