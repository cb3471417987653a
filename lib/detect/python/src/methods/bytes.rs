//! Methods of `bytes`: decoding, and what texts have too, with bytes.

use super::arity;
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::{Args, MethodFn};

/// The method of this name.
#[must_use]
pub fn lookup(name: &str) -> Option<MethodFn> {
    Some(match name {
        "decode" => decode,
        "hex" => hex,
        "startswith" => startswith,
        "endswith" => endswith,
        "lower" => lower,
        "upper" => upper,
        _ => return None,
    })
}

fn bytes<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a [u8]> {
    match value {
        Obj::Bytes(bytes) => Ok(bytes),
        _ => Err(cx.leave("a method of bytes on something else")),
    }
}

/// An option given by place or name, if it is a text.
fn option<'a>(args: &Args<'_, 'a>, place: usize, name: &str) -> Option<Option<&'a str>> {
    match args.pos.get(place).copied().or_else(|| args.named(name)) {
        None => Some(None),
        Some(Obj::Str(text)) => Some(Some(text)),
        Some(_) => None,
    }
}

fn decode<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let bytes = bytes(cx, receiver)?;
    let known = args.kw.iter().enumerate().all(|(at, (name, _))| match *name {
        "encoding" => args.pos.is_empty() && at < 2,
        "errors" => args.pos.len() < 2 && at < 2,
        _ => false,
    });
    let (Some(encoding), Some(errors), true, 0..=2) = (
        option(args, 0, "encoding"),
        option(args, 1, "errors"),
        known,
        args.pos.len(),
    ) else {
        return Err(cx.leave("arguments of decode"));
    };
    decoded(cx, bytes, encoding.unwrap_or("utf-8"), errors.unwrap_or("strict"))
}

/// Text of bytes; what is not valid falls back, unless it is to be ignored or replaced.
pub(crate) fn decoded<'a>(cx: &Cx<'a>, bytes: &'a [u8], encoding: &str, errors: &str) -> R<'a> {
    cx.reserve(bytes.len())?;
    match encoding {
        "utf-8" | "utf8" | "UTF-8" | "UTF8" | "utf_8" | "U8" => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                return Ok(Obj::Str(text));
            }
            // One replacement for each maximal part of a sequence, as in Python.
            match errors {
                "replace" => cx.str(&String::from_utf8_lossy(bytes)),
                "ignore" => {
                    let valid: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
                    cx.str(&valid)
                }
                _ => Err(cx.leave("bytes that are no utf-8")),
            }
        }
        "ascii" | "ASCII" | "us-ascii" => match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => Ok(Obj::Str(text)),
            _ => match errors {
                "replace" => with_each(cx, bytes, |byte| match byte {
                    0..=0x7f => Some(char::from(byte)),
                    _ => Some('\u{fffd}'),
                }),
                "ignore" => with_each(cx, bytes, |byte| byte.is_ascii().then(|| char::from(byte))),
                _ => Err(cx.leave("bytes that are no ascii")),
            },
        },
        "latin-1" | "latin1" | "iso-8859-1" | "ISO-8859-1" => {
            with_each(cx, bytes, |byte| Some(char::from(byte)))
        }
        _ => Err(cx.leave("an encoding that is not known")),
    }
}

fn with_each<'a>(cx: &Cx<'a>, bytes: &[u8], character: fn(u8) -> Option<char>) -> R<'a> {
    let text: String = bytes.iter().filter_map(|byte| character(*byte)).collect();
    cx.str(&text)
}

fn hex<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let bytes = bytes(cx, receiver)?;
    if !args.pos.is_empty() || !args.kw.is_empty() {
        return Err(cx.leave("hex with separators"));
    }
    cx.reserve(bytes.len().saturating_mul(2))?;
    let mut out = bumpalo::collections::String::with_capacity_in(bytes.len() * 2, cx.bump);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    Ok(Obj::Str(out.into_bump_str()))
}

fn startswith<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let bytes = bytes(cx, receiver)?;
    match (args.pos, args.kw) {
        ([Obj::Bytes(prefix)], []) => Ok(Obj::Bool(bytes.starts_with(prefix))),
        _ => Err(cx.leave("arguments of bytes.startswith")),
    }
}

fn endswith<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let bytes = bytes(cx, receiver)?;
    match (args.pos, args.kw) {
        ([Obj::Bytes(suffix)], []) => Ok(Obj::Bool(bytes.ends_with(suffix))),
        _ => Err(cx.leave("arguments of bytes.endswith")),
    }
}

fn lower<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let bytes = bytes(cx, receiver)?;
    arity::none(cx, args, "bytes", "lower")?;
    cx.reserve(bytes.len())?;
    let copy = cx.bump.alloc_slice_copy(bytes);
    copy.make_ascii_lowercase();
    Ok(Obj::Bytes(copy))
}

fn upper<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let bytes = bytes(cx, receiver)?;
    arity::none(cx, args, "bytes", "upper")?;
    cx.reserve(bytes.len())?;
    let copy = cx.bump.alloc_slice_copy(bytes);
    copy.make_ascii_uppercase();
    Ok(Obj::Bytes(copy))
}
