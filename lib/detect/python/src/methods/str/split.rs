//! Splitting and joining.

use bumpalo::collections::Vec as BumpVec;

use super::{arity, int_or, is_space, needle, text};
use crate::cx::{Cx, R, Raise};
use crate::obj::{List, Obj};
use crate::ops;
use crate::registry::Args;
use crate::types::ExcKind;

/// Separator and how many splits.
fn options<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, (Option<&'a str>, usize)> {
    let known = args
        .kw
        .iter()
        .all(|(name, _)| matches!(*name, "sep" | "maxsplit"));
    let doubled = (args.named("sep").is_some() && !args.pos.is_empty())
        || (args.named("maxsplit").is_some() && args.pos.len() > 1);
    if !known || doubled || args.pos.len() > 2 {
        return Err(cx.leave("arguments of split"));
    }
    let most = int_or(
        cx,
        args.pos.get(1).copied().or_else(|| args.named("maxsplit")),
        -1,
    )?;
    let separator = match args.pos.first().copied().or_else(|| args.named("sep")) {
        None | Some(Obj::None) => None,
        Some(Obj::Str("")) => return Err(cx.value_error(format_args!("empty separator"))),
        Some(Obj::Str(separator)) => Some(separator),
        Some(other) => {
            let name = ops::type_name(cx, other);
            return Err(cx.type_error(format_args!("must be str or None, not {name}")));
        }
    };
    Ok((separator, usize::try_from(most).unwrap_or(usize::MAX)))
}

fn list<'a>(cx: &Cx<'a>, parts: impl Iterator<Item = &'a str>) -> R<'a> {
    let mut items = BumpVec::new_in(cx.bump);
    for part in parts {
        cx.tick()?;
        items.push(Obj::Str(part));
    }
    Ok(List::object(cx, items))
}

pub(super) fn split<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let (separator, most) = options(cx, args)?;
    match separator {
        Some(separator) => list(cx, text.splitn(most.saturating_add(1), separator)),
        None => {
            let mut items = BumpVec::new_in(cx.bump);
            let mut rest = text.trim_start_matches(is_space);
            while !rest.is_empty() {
                cx.tick()?;
                if items.len() == most {
                    // The last part keeps what white space it has, but not at its beginning.
                    items.push(Obj::Str(rest));
                    break;
                }
                let end = rest.find(is_space).unwrap_or(rest.len());
                items.push(Obj::Str(&rest[..end]));
                rest = rest[end..].trim_start_matches(is_space);
            }
            Ok(List::object(cx, items))
        }
    }
}

pub(super) fn rsplit<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let (separator, most) = options(cx, args)?;
    let mut items = BumpVec::new_in(cx.bump);
    match separator {
        Some(separator) => {
            for part in text.rsplitn(most.saturating_add(1), separator) {
                cx.tick()?;
                items.push(Obj::Str(part));
            }
        }
        None => {
            let mut rest = text.trim_end_matches(is_space);
            while !rest.is_empty() {
                cx.tick()?;
                if items.len() == most {
                    items.push(Obj::Str(rest));
                    break;
                }
                let before = rest.trim_end_matches(|character| !is_space(character));
                items.push(Obj::Str(&rest[before.len()..]));
                rest = before.trim_end_matches(is_space);
            }
        }
    }
    items.reverse();
    Ok(List::object(cx, items))
}

/// Whether a line ends here.
const fn is_line_end(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\x0b' | '\x0c' | '\x1c' | '\x1d' | '\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

pub(super) fn splitlines<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let keep = match (args.pos, args.kw) {
        ([], []) => false,
        ([Obj::Bool(keep)], []) | ([], [("keepends", Obj::Bool(keep))]) => *keep,
        _ => return Err(cx.leave("arguments of splitlines")),
    };
    let mut items = BumpVec::new_in(cx.bump);
    let mut rest = text;
    while !rest.is_empty() {
        cx.tick()?;
        let end = rest.find(is_line_end).unwrap_or(rest.len());
        let mut next = end + rest[end..].chars().next().map_or(0, char::len_utf8);
        if rest[end..].starts_with("\r\n") {
            next = end + 2;
        }
        items.push(Obj::Str(&rest[..if keep { next } else { end }]));
        rest = &rest[next..];
    }
    Ok(List::object(cx, items))
}

fn separator<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, method: &str) -> R<'a, &'a str> {
    arity(cx, args, 1, 1)?;
    if cx.program.version.minor >= 13 && !matches!(args.pos[0], Obj::Str(_)) {
        return Err(cx.leave("an argument that is no str"));
    }
    match needle(cx, args.pos[0], method)? {
        "" => Err(cx.value_error(format_args!("empty separator"))),
        separator => Ok(separator),
    }
}

fn triple<'a>(cx: &Cx<'a>, parts: [&'a str; 3]) -> Obj<'a> {
    Obj::Tuple(cx.bump.alloc(parts.map(Obj::Str)))
}

pub(super) fn partition<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let separator = separator(cx, args, "partition")?;
    Ok(match text.split_once(separator) {
        Some((before, after)) => triple(cx, [before, separator, after]),
        None => triple(cx, [text, "", ""]),
    })
}

pub(super) fn rpartition<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    let separator = separator(cx, args, "rpartition")?;
    Ok(match text.rsplit_once(separator) {
        Some((before, after)) => triple(cx, [before, separator, after]),
        None => triple(cx, ["", "", text]),
    })
}

pub(super) fn join<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let separator = text(cx, receiver)?;
    arity(cx, args, 1, 1)?;
    let items = match crate::iter::collect(cx, args.pos[0]) {
        Ok(items) => items,
        Err(Raise::Exception(error)) if error.kind == ExcKind::TypeError && !is_lazy(args.pos[0]) => {
            return Err(cx.type_error(format_args!("can only join an iterable")));
        }
        Err(raise) => return Err(raise),
    };
    let mut bytes = separator.len().saturating_mul(items.len().saturating_sub(1));
    for (at, item) in items.iter().enumerate() {
        match item {
            Obj::Str(text) => bytes = bytes.saturating_add(text.len()),
            other => {
                let name = ops::type_name(cx, *other);
                return Err(cx.type_error(format_args!(
                    "sequence item {at}: expected str instance, {name} found"
                )));
            }
        }
    }
    if let [only] = &*items {
        return Ok(*only);
    }
    cx.reserve(bytes)?;
    let mut out = bumpalo::collections::String::with_capacity_in(bytes, cx.bump);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        if let Obj::Str(text) = item {
            out.push_str(text);
        }
    }
    Ok(Obj::Str(out.into_bump_str()))
}

/// Whether a `TypeError` may come from within.
const fn is_lazy(value: Obj<'_>) -> bool {
    matches!(value, Obj::Iter(_) | Obj::Native(_))
}
