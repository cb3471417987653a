//! Stripping and padding.

use super::{arity, int_or, is_space, length, text};
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::Args;

fn trimmed<'a>(
    cx: &Cx<'a>,
    receiver: Obj<'a>,
    args: &Args<'_, 'a>,
    method: &str,
    left: bool,
    right: bool,
) -> R<'a> {
    let mut text = text(cx, receiver)?;
    arity(cx, args, 0, 1)?;
    let characters = match args.pos.first() {
        None | Some(Obj::None) => None,
        Some(Obj::Str(characters)) => Some(*characters),
        Some(_) => return Err(cx.type_error(format_args!("{method} arg must be None or str"))),
    };
    let goes = |character: char| match characters {
        None => is_space(character),
        Some(characters) => characters.contains(character),
    };
    if left {
        text = text.trim_start_matches(goes);
    }
    if right {
        text = text.trim_end_matches(goes);
    }
    Ok(Obj::Str(text))
}

pub(super) fn strip<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    trimmed(cx, receiver, args, "strip", true, true)
}

pub(super) fn lstrip<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    trimmed(cx, receiver, args, "lstrip", true, false)
}

pub(super) fn rstrip<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    trimmed(cx, receiver, args, "rstrip", false, true)
}

/// The text with this much of a character before and after.
pub(crate) fn padded<'a>(
    cx: &Cx<'a>,
    text: &'a str,
    before: usize,
    fill: char,
    after: usize,
) -> R<'a, &'a str> {
    if before + after == 0 {
        return Ok(text);
    }
    let bytes = (before + after)
        .saturating_mul(fill.len_utf8())
        .saturating_add(text.len());
    cx.reserve(bytes)?;
    let mut out = bumpalo::collections::String::with_capacity_in(bytes, cx.bump);
    out.extend(std::iter::repeat_n(fill, before));
    out.push_str(text);
    out.extend(std::iter::repeat_n(fill, after));
    Ok(out.into_bump_str())
}

/// How many characters are missing, and what to fill them with.
fn missing<'a>(cx: &Cx<'a>, text: &'a str, args: &Args<'_, 'a>) -> R<'a, (usize, char)> {
    arity(cx, args, 1, 2)?;
    let width = int_or(cx, args.pos.first().copied(), 0)?;
    let fill = match args.pos.get(1) {
        None => ' ',
        Some(Obj::Str(fill)) => {
            let mut characters = fill.chars();
            match (characters.next(), characters.next()) {
                (Some(one), None) => one,
                _ => {
                    return Err(cx.type_error(format_args!(
                        "The fill character must be exactly one character long"
                    )));
                }
            }
        }
        Some(_) => return Err(cx.leave("a fill character that is no str")),
    };
    let width = usize::try_from(width).unwrap_or(0);
    Ok((width.saturating_sub(length(text)), fill))
}

pub(super) fn ljust<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let (missing, fill) = missing(cx, text, args)?;
    Ok(Obj::Str(padded(cx, text, 0, fill, missing)?))
}

pub(super) fn rjust<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let (missing, fill) = missing(cx, text, args)?;
    Ok(Obj::Str(padded(cx, text, missing, fill, 0)?))
}

pub(super) fn center<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let (missing, fill) = missing(cx, text, args)?;
    // CPython puts the odd character to the left when both the gap and the width are odd.
    let width = length(text) + missing;
    let before = missing / 2 + (missing & width & 1);
    Ok(Obj::Str(padded(cx, text, before, fill, missing - before)?))
}

pub(super) fn zfill<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 1, 1)?;
    let (missing, _) = missing(cx, text, args)?;
    match text.strip_prefix(['+', '-']) {
        Some(digits) if missing > 0 => {
            let filled = padded(cx, digits, missing, '0', 0)?;
            let sign = &text[..1];
            cx.reserve(filled.len() + 1)?;
            Ok(Obj::Str(
                bumpalo::format!(in cx.bump, "{}{}", sign, filled).into_bump_str(),
            ))
        }
        _ => Ok(Obj::Str(padded(cx, text, missing, '0', 0)?)),
    }
}

pub(super) fn expandtabs<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 1)?;
    let size = usize::try_from(int_or(cx, args.pos.first().copied(), 8)?).unwrap_or(0);
    cx.reserve(
        text.matches('\t')
            .count()
            .saturating_mul(size)
            .saturating_add(text.len()),
    )?;
    let mut out = bumpalo::collections::String::new_in(cx.bump);
    let mut column = 0;
    for character in text.chars() {
        match character {
            '\t' if size > 0 => {
                let gap = size - column % size;
                out.extend(std::iter::repeat_n(' ', gap));
                column += gap;
            }
            '\t' => {}
            '\n' | '\r' => {
                out.push(character);
                column = 0;
            }
            _ => {
                out.push(character);
                column += 1;
            }
        }
    }
    Ok(Obj::Str(out.into_bump_str()))
}
