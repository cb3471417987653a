//! Upper and lower case.

use super::recent::any_recent;
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

/// Refuses text whose case depends on the version of Python.
fn stable<'a>(cx: &Cx<'a>, text: &str) -> R<'a, ()> {
    if any_recent(text) {
        return Err(cx.leave("characters that came to Unicode lately"));
    }
    Ok(())
}

/// Whether the character's case is that of one character, and title case is upper case: Latin-1 and Cyrillic.
fn is_simple(character: char) -> bool {
    matches!(character, '\0'..='\x7f' | '\u{c0}'..='\u{de}' | '\u{e0}'..='\u{ff}' | '\u{400}'..='\u{45f}')
}

/// The one character that a simple one becomes.
fn one(mut characters: impl Iterator<Item = char>, otherwise: char) -> char {
    characters.next().unwrap_or(otherwise)
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
    stable(cx, text)?;
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
    stable(cx, text)?;
    cx.reserve(text.len())?;
    cx.str(&text.to_uppercase())
}

pub(super) fn casefold<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if text(cx, receiver)?.chars().all(is_simple) {
        return lower(cx, receiver, args);
    }
    Err(cx.leave("casefold of text that is not ascii"))
}

pub(super) fn swapcase<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if !text.is_ascii() {
        if !text.chars().all(is_simple) {
            return Err(cx.leave("swapcase of text that is not ascii"));
        }
        cx.reserve(text.len())?;
        let swapped: String = text
            .chars()
            .map(|character| match character.is_uppercase() {
                true => one(character.to_lowercase(), character),
                false => one(character.to_uppercase(), character),
            })
            .collect();
        return cx.str(&swapped);
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
    titled(cx, receiver, args, |before| {
        !(before.is_lowercase() || before.is_uppercase())
    })
}

/// Upper case for the first letter and those whose predecessor says so, lower case for the others.
fn titled<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>, starts: fn(char) -> bool) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if !text.chars().all(is_simple) {
        return Err(cx.leave("title case of text that is not ascii"));
    }
    cx.reserve(text.len())?;
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), cx.bump);
    let mut before = None;
    for character in text.chars() {
        let upper = before.is_none_or(starts);
        out.push(match (character.is_ascii(), upper) {
            (true, true) => character.to_ascii_uppercase(),
            (true, false) => character.to_ascii_lowercase(),
            (false, true) => one(character.to_uppercase(), character),
            (false, false) => one(character.to_lowercase(), character),
        });
        before = Some(character);
    }
    Ok(Obj::Str(out.into_bump_str()))
}
