//! Percent-encoding.

use bumpalo::collections::Vec as BumpVec;

use super::{is_plain, text};
use crate::cx::{Cx, R};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;
use crate::types::ExcKind;

/// `quote(string, safe='/', encoding=None, errors=None)`
pub(super) fn quote<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value, safe, encoding, errors] = bind(cx, args, ["string", "safe", "encoding", "errors"], 1)?;
    default_codec(cx, [encoding, errors])?;
    let value = ops::resolve(cx, value.unwrap_or(Obj::None))?;
    quoted(cx, value, safe_text(cx, safe, "/")?, false)
}

/// `quote_plus(string, safe='', encoding=None, errors=None)`
pub(super) fn quote_plus<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value, safe, encoding, errors] = bind(cx, args, ["string", "safe", "encoding", "errors"], 1)?;
    default_codec(cx, [encoding, errors])?;
    let value = ops::resolve(cx, value.unwrap_or(Obj::None))?;
    quoted(cx, value, safe_text(cx, safe, "")?, true)
}

pub(super) fn safe_text<'a>(cx: &Cx<'a>, safe: Option<Obj<'a>>, default: &'a str) -> R<'a, &'a str> {
    match safe {
        None => Ok(default),
        Some(safe) => match text(cx, safe)? {
            Some(safe) => Ok(safe),
            None => Err(cx.leave("safe characters that are no text")),
        },
    }
}

/// Only `None` is known for encodings and what to do with errors.
pub(super) fn default_codec<'a>(cx: &Cx<'a>, given: [Option<Obj<'a>>; 2]) -> R<'a, ()> {
    match given {
        [None | Some(Obj::None), None | Some(Obj::None)] => Ok(()),
        _ => Err(cx.leave("the encoding of an address")),
    }
}

/// Percent-encodes a text or bytes; `plus` makes spaces `+`.
pub(super) fn quoted<'a>(cx: &Cx<'a>, value: Obj<'a>, safe: &str, plus: bool) -> R<'a> {
    let bytes = match value {
        Obj::Str("") => return Ok(value),
        Obj::Str(text) => text.as_bytes(),
        Obj::Bytes(bytes) => bytes,
        _ if is_plain(value) => {
            return Err(cx.type_error(format_args!("quote_from_bytes() expected bytes")));
        }
        _ => return Err(cx.leave("an object that is quoted")),
    };
    let is_safe = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'.' | b'-' | b'~')
            || byte.is_ascii() && safe.as_bytes().contains(&byte)
    };
    cx.reserve(bytes.len().saturating_mul(3))?;
    let mut out = bumpalo::collections::String::with_capacity_in(bytes.len(), cx.bump);
    for byte in bytes {
        match *byte {
            b' ' if plus => out.push('+'),
            byte if is_safe(byte) => out.push(char::from(byte)),
            byte => {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    Ok(Obj::Str(out.into_bump_str()))
}

/// `unquote(string, encoding='utf-8', errors='replace')`
pub(super) fn unquote<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match ops::resolve(cx, to_unquote(cx, args)?)? {
        Obj::Str(text) => Ok(Obj::Str(unquoted(cx, text)?)),
        value @ (Obj::None | Obj::Bool(_) | Obj::Int(_) | Obj::Float(_)) => {
            // It looks for a `%` first.
            Ok(Obj::Bool(ops::contains(cx, value, Obj::Str("%"))?))
        }
        _ => Err(cx.leave("something unquoted that is no text")),
    }
}

/// `unquote_plus(string, encoding='utf-8', errors='replace')`
pub(super) fn unquote_plus<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let value = ops::resolve(cx, to_unquote(cx, args)?)?;
    match value {
        Obj::Str(text) => Ok(Obj::Str(unquoted_plus(cx, text)?)),
        _ if is_plain(value) => {
            let class = ops::type_name(cx, value);
            Err(cx.raise(
                ExcKind::AttributeError,
                format_args!("'{class}' object has no attribute 'replace'"),
            ))
        }
        _ => Err(cx.leave("something unquoted that is no text")),
    }
}

fn to_unquote<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value, encoding, errors] = bind(cx, args, ["string", "encoding", "errors"], 1)?;
    match (encoding, errors) {
        (None | Some(Obj::None | Obj::Str("utf-8")), None | Some(Obj::None | Obj::Str("replace"))) => {
            Ok(value.unwrap_or(Obj::None))
        }
        _ => Err(cx.leave("the encoding of an address")),
    }
}

/// `unquote_to_bytes(string)`
pub(super) fn unquote_to_bytes<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value] = bind(cx, args, ["string"], 1)?;
    match ops::resolve(cx, value.unwrap_or(Obj::None))? {
        Obj::Str(text) => Ok(Obj::Bytes(decoded(cx, text)?)),
        Obj::Bytes(bytes) => Ok(Obj::Bytes(decoded_bytes(cx, bytes)?)),
        _ => Err(cx.leave("something unquoted that is no text")),
    }
}

/// With `+` as a space, as in forms.
pub(super) fn unquoted_plus<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a, &'a str> {
    if !text.contains('+') {
        return unquoted(cx, text);
    }
    unquoted(cx, cx.text(&text.replace('+', " "))?)
}

/// With `%xx` as the bytes of UTF-8; each run of ASCII characters is decoded by itself.
pub(super) fn unquoted<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a, &'a str> {
    cx.reserve(text.len())?;
    if !text.contains('%') {
        return Ok(text);
    }
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), cx.bump);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|one: char| !one.is_ascii()).unwrap_or(rest.len());
        let (ascii, after) = rest.split_at(end);
        // One replacement for each maximal part of a sequence, as in Python.
        out.push_str(&String::from_utf8_lossy(decoded(cx, ascii)?));
        let end = after.find(|one: char| one.is_ascii()).unwrap_or(after.len());
        let (other, after) = after.split_at(end);
        out.push_str(other);
        rest = after;
    }
    Ok(out.into_bump_str())
}

fn decoded<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a, &'a [u8]> {
    decoded_bytes(cx, text.as_bytes())
}

fn decoded_bytes<'a>(cx: &Cx<'a>, bytes: &'a [u8]) -> R<'a, &'a [u8]> {
    cx.reserve(bytes.len())?;
    if !bytes.contains(&b'%') {
        return Ok(bytes);
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = BumpVec::with_capacity_in(bytes.len(), cx.bump);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    Ok(out.into_bump_slice())
}
