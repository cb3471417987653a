//! Upper and lower case.

use super::{arity, text};
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::Args;

/// A text made of ASCII text byte by byte; the same text when nothing changes.
fn ascii<'a>(cx: &Cx<'a>, text: &'a str, changes: fn(u8) -> bool, change: fn(u8) -> u8) -> R<'a> {
    if !text.bytes().any(changes) {
        return Ok(Obj::Str(text));
    }
    cx.reserve(text.len())?;
    let bytes = cx.bump.alloc_slice_copy(text.as_bytes());
    for byte in bytes.iter_mut() {
        *byte = change(*byte);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Obj::Str(text)),
        Err(_) => Err(cx.leave("a text that is not ascii")),
    }
}

pub(super) fn lower<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if text.is_ascii() {
        return ascii(
            cx,
            text,
            |byte| byte.is_ascii_uppercase(),
            |byte| byte.to_ascii_lowercase(),
        );
    }
    cx.reserve(text.len())?;
    cx.str(&text.to_lowercase())
}

pub(super) fn upper<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if text.is_ascii() {
        return ascii(
            cx,
            text,
            |byte| byte.is_ascii_lowercase(),
            |byte| byte.to_ascii_uppercase(),
        );
    }
    cx.reserve(text.len())?;
    cx.str(&text.to_uppercase())
}

pub(super) fn casefold<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if text(cx, receiver)?.is_ascii() {
        return lower(cx, receiver, args);
    }
    Err(cx.leave("casefold of text that is not ascii"))
}

pub(super) fn swapcase<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if !text.is_ascii() {
        return Err(cx.leave("swapcase of text that is not ascii"));
    }
    ascii(
        cx,
        text,
        |byte| byte.is_ascii_alphabetic(),
        |byte| {
            if byte.is_ascii_lowercase() {
                byte.to_ascii_uppercase()
            } else {
                byte.to_ascii_lowercase()
            }
        },
    )
}

pub(super) fn capitalize<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    titled(cx, receiver, args, |_| false)
}

pub(super) fn title<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    titled(cx, receiver, args, |before| !before.is_ascii_alphabetic())
}

/// Upper case for the first letter and those whose predecessor says so, lower case for the others.
fn titled<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>, starts: fn(u8) -> bool) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if !text.is_ascii() {
        return Err(cx.leave("title case of text that is not ascii"));
    }
    cx.reserve(text.len())?;
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), cx.bump);
    let mut before = None;
    for byte in text.bytes() {
        let upper = before.is_none_or(starts);
        out.push(char::from(if upper {
            byte.to_ascii_uppercase()
        } else {
            byte.to_ascii_lowercase()
        }));
        before = Some(byte);
    }
    Ok(Obj::Str(out.into_bump_str()))
}
