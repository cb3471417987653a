//! Questions about characters. Beyond ASCII they rest on Unicode's tables, whose version is Python's own.

use super::recent::any_recent;
use super::{arity, text};
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::Args;

/// `str.isspace` of one character: White_Space of Unicode and the four separators of ASCII.
#[inline]
#[must_use]
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// Whether a text is not empty and all of it is so.
fn all<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>, is: fn(u8) -> bool) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if text.is_ascii() {
        return Ok(Obj::Bool(!text.is_empty() && text.bytes().all(is)));
    }
    // Letters of other scripts are as 'a' is to all of these questions.
    if text
        .chars()
        .all(|character| character.is_ascii() || is_plain_letter(character))
    {
        let as_one = |character: char| u8::try_from(character).ok().filter(u8::is_ascii).unwrap_or(b'a');
        return Ok(Obj::Bool(text.chars().map(as_one).all(is)));
    }
    Err(cx.leave("a question about characters beyond ascii"))
}

pub(super) fn isalpha<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    all(cx, receiver, args, |byte| byte.is_ascii_alphabetic())
}

pub(super) fn isdigit<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    all(cx, receiver, args, |byte| byte.is_ascii_digit())
}

pub(super) fn isdecimal<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    all(cx, receiver, args, |byte| byte.is_ascii_digit())
}

pub(super) fn isnumeric<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    all(cx, receiver, args, |byte| byte.is_ascii_digit())
}

pub(super) fn isalnum<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    all(cx, receiver, args, |byte| byte.is_ascii_alphanumeric())
}

pub(super) fn isspace<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    Ok(Obj::Bool(!text.is_empty() && text.chars().all(is_space)))
}

pub(super) fn isascii<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    Ok(Obj::Bool(text.is_ascii()))
}

pub(super) fn isidentifier<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let starts_with_digit = text(cx, receiver)?
        .as_bytes()
        .first()
        .is_some_and(u8::is_ascii_digit);
    match all(cx, receiver, args, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'_'
    })? {
        Obj::Bool(true) => Ok(Obj::Bool(!starts_with_digit)),
        other => Ok(other),
    }
}

pub(super) fn isprintable<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if text(cx, receiver)?.is_empty() {
        arity(cx, args, 0, 0)?;
        return Ok(Obj::Bool(true));
    }
    all(cx, receiver, args, |byte| matches!(byte, b' '..=b'~'))
}

/// Letters, as all versions of Python know them, that are neither digits nor numbers.
fn is_plain_letter(character: char) -> bool {
    matches!(character,
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}'
        | '\u{400}'..='\u{481}' | '\u{48a}'..='\u{52f}' | '\u{5d0}'..='\u{5ea}'
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{ac00}'..='\u{d7a3}')
}

/// `islower`, `isupper`: some letter of this case and none of the other.
fn cased<'a>(
    cx: &Cx<'a>,
    receiver: Obj<'a>,
    args: &Args<'_, 'a>,
    own: fn(char) -> bool,
    other: fn(char) -> bool,
) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if any_recent(text) || text.chars().any(is_titlecase) {
        return Err(cx.leave("a question about characters beyond ascii"));
    }
    Ok(Obj::Bool(text.chars().any(own) && !text.chars().any(other)))
}

/// Letters of both cases at once.
fn is_titlecase(character: char) -> bool {
    matches!(character, '\u{1c4}'..='\u{1cc}' | '\u{1f1}'..='\u{1f3}' | '\u{1f88}'..='\u{1ffc}')
}

pub(super) fn islower<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    cased(cx, receiver, args, char::is_lowercase, char::is_uppercase)
}

pub(super) fn isupper<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    cased(cx, receiver, args, char::is_uppercase, char::is_lowercase)
}

pub(super) fn istitle<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 0)?;
    if !text.is_ascii() {
        return Err(cx.leave("a question about characters beyond ascii"));
    }
    let mut after_letter = false;
    let mut letters = false;
    for byte in text.bytes() {
        let fits = match byte {
            b'A'..=b'Z' => !after_letter,
            b'a'..=b'z' => after_letter,
            _ => true,
        };
        if !fits {
            return Ok(Obj::Bool(false));
        }
        after_letter = byte.is_ascii_alphabetic();
        letters |= after_letter;
    }
    Ok(Obj::Bool(letters))
}
