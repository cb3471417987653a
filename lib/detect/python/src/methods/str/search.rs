//! Finding and replacing.

use super::{arity, int_or, length, needle, offset, text, window};
use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;

pub(super) fn startswith<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if let (Obj::Str(text), [Obj::Str(prefix)], []) = (receiver, args.pos, args.kw) {
        return Ok(Obj::Bool(text.starts_with(prefix)));
    }
    affix(cx, receiver, args, "startswith", |part, affix| {
        part.starts_with(affix)
    })
}

pub(super) fn endswith<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if let (Obj::Str(text), [Obj::Str(suffix)], []) = (receiver, args.pos, args.kw) {
        return Ok(Obj::Bool(text.ends_with(suffix)));
    }
    affix(cx, receiver, args, "endswith", |part, affix| {
        part.ends_with(affix)
    })
}

fn affix<'a>(
    cx: &Cx<'a>,
    receiver: Obj<'a>,
    args: &Args<'_, 'a>,
    method: &str,
    has: fn(&str, &str) -> bool,
) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 1, 3)?;
    let part = window(cx, text, args.pos.get(1).copied(), args.pos.get(2).copied())?;
    let holds = |value: Obj<'a>| -> R<'a, Option<bool>> {
        match value {
            Obj::Str(affix) => Ok(Some(part.is_some_and(|(_, part)| has(part, affix)))),
            _ => Ok(None),
        }
    };
    if let Some(answer) = holds(args.pos[0])? {
        return Ok(Obj::Bool(answer));
    }
    if !matches!(args.pos[0], Obj::Tuple(_) | Obj::ConstTuple(_)) {
        let name = ops::type_name(cx, args.pos[0]);
        return Err(cx.type_error(format_args!(
            "{method} first arg must be str or a tuple of str, not {name}"
        )));
    }
    let mut affixes = crate::iter::iter(cx, args.pos[0])?;
    while let Some(affix) = affixes.next(cx)? {
        match holds(affix)? {
            Some(true) => return Ok(Obj::Bool(true)),
            Some(false) => {}
            None => {
                let name = ops::type_name(cx, affix);
                return Err(cx.type_error(format_args!(
                    "tuple for {method} must only contain str, not {name}"
                )));
            }
        }
    }
    Ok(Obj::Bool(false))
}

/// The place of the first or last occurrence, in code points.
fn place<'a>(
    cx: &Cx<'a>,
    receiver: Obj<'a>,
    args: &Args<'_, 'a>,
    method: &str,
    last: bool,
) -> R<'a, Option<i64>> {
    let text = text(cx, receiver)?;
    arity(cx, args, 1, 3)?;
    if cx.program.version.minor < 13 {
        // Here the bounds are looked at first.
        window(cx, "", args.pos.get(1).copied(), args.pos.get(2).copied())?;
    }
    let needle = needle(cx, args.pos[0], method)?;
    let Some((from, part)) = window(cx, text, args.pos.get(1).copied(), args.pos.get(2).copied())? else {
        return Ok(None);
    };
    cx.use_fuel(part.len() as u64 / 64)?;
    let found = if last {
        part.rfind(needle)
    } else {
        part.find(needle)
    };
    Ok(found.map(|at| (from + length(&part[..at])) as i64))
}

pub(super) fn find<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    Ok(Obj::Int(place(cx, receiver, args, "find", false)?.unwrap_or(-1)))
}

pub(super) fn rfind<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    Ok(Obj::Int(place(cx, receiver, args, "rfind", true)?.unwrap_or(-1)))
}

pub(super) fn index<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let found = place(cx, receiver, args, "index", false)?;
    found.map(Obj::Int).ok_or_else(|| not_found(cx))
}

pub(super) fn rindex<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let found = place(cx, receiver, args, "rindex", true)?;
    found.map(Obj::Int).ok_or_else(|| not_found(cx))
}

fn not_found<'a>(cx: &Cx<'a>) -> Raise<'a> {
    cx.value_error(format_args!("substring not found"))
}

pub(super) fn count<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 1, 3)?;
    if cx.program.version.minor < 13 {
        // Here the bounds are looked at first.
        window(cx, "", args.pos.get(1).copied(), args.pos.get(2).copied())?;
    }
    let needle = needle(cx, args.pos[0], "count")?;
    let Some((_, part)) = window(cx, text, args.pos.get(1).copied(), args.pos.get(2).copied())? else {
        return Ok(Obj::Int(0));
    };
    cx.use_fuel(part.len() as u64 / 64)?;
    let count = if needle.is_empty() {
        length(part) + 1
    } else {
        part.matches(needle).count()
    };
    Ok(Obj::Int(count as i64))
}

pub(super) fn replace<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 2, 3)?;
    let mut parts = [""; 2];
    for (at, part) in parts.iter_mut().enumerate() {
        *part = match args.pos[at] {
            Obj::Str(text) => text,
            Obj::None => {
                return Err(cx.type_error(format_args!(
                    "replace() argument {} must be str, not None",
                    at + 1
                )));
            }
            other => {
                let name = ops::type_name(cx, other);
                return Err(cx.type_error(format_args!(
                    "replace() argument {} must be str, not {name}",
                    at + 1
                )));
            }
        };
    }
    let [old, new] = parts;
    let most = int_or(cx, args.pos.get(2).copied(), -1)?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if most == 0 || (!old.is_empty() && !text.contains(old)) {
        cx.use_fuel(text.len() as u64 / 64)?;
        return Ok(Obj::Str(text));
    }
    let times = if old.is_empty() {
        length(text) + 1
    } else {
        text.matches(old).count()
    };
    let bytes = (text.len()).saturating_add(times.min(most).saturating_mul(new.len()));
    cx.reserve(bytes)?;
    let mut out = bumpalo::collections::String::with_capacity_in(bytes, cx.bump);
    if old.is_empty() {
        // Before each of the first characters, and at the end if there is one left.
        let split = offset(text, most.min(length(text)));
        for character in text[..split].chars() {
            out.push_str(new);
            out.push(character);
        }
        if most > length(text) {
            out.push_str(new);
        }
        out.push_str(&text[split..]);
        return Ok(Obj::Str(out.into_bump_str()));
    }
    let mut rest = text;
    for _ in 0..times.min(most) {
        let Some((before, after)) = rest.split_once(old) else {
            break;
        };
        out.push_str(before);
        out.push_str(new);
        rest = after;
    }
    out.push_str(rest);
    Ok(Obj::Str(out.into_bump_str()))
}

pub(super) fn removeprefix<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    remove(cx, receiver, args, |text, affix| text.strip_prefix(affix))
}

pub(super) fn removesuffix<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    remove(cx, receiver, args, |text, affix| text.strip_suffix(affix))
}

fn remove<'a>(
    cx: &Cx<'a>,
    receiver: Obj<'a>,
    args: &Args<'_, 'a>,
    strip: for<'t> fn(&'t str, &str) -> Option<&'t str>,
) -> R<'a> {
    if cx.program.version.minor < 9 {
        return Err(cx.leave("a method that this python does not have"));
    }
    let text = text(cx, receiver)?;
    arity(cx, args, 1, 1)?;
    match args.pos[0] {
        Obj::Str(affix) => Ok(Obj::Str(strip(text, affix).unwrap_or(text))),
        _ => Err(cx.leave("an argument that is no str")),
    }
}
