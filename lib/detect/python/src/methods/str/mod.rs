//! Methods of `str`. Texts that are ASCII take short ways; where Unicode's tables differ between Python versions and
//! Rust, the pair falls back.

mod case;
mod pad;
mod predicate;
pub(crate) mod recent;
mod search;
mod split;

use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::{Args, MethodFn};

pub(crate) use pad::padded as padded_both;
pub use predicate::is_space;

/// The method of this name.
#[must_use]
pub fn lookup(name: &str) -> Option<MethodFn> {
    Some(match name {
        "startswith" => search::startswith,
        "endswith" => search::endswith,
        "find" => search::find,
        "rfind" => search::rfind,
        "index" => search::index,
        "rindex" => search::rindex,
        "count" => search::count,
        "replace" => search::replace,
        "removeprefix" => search::removeprefix,
        "removesuffix" => search::removesuffix,
        "split" => split::split,
        "rsplit" => split::rsplit,
        "splitlines" => split::splitlines,
        "partition" => split::partition,
        "rpartition" => split::rpartition,
        "join" => split::join,
        "strip" => pad::strip,
        "lstrip" => pad::lstrip,
        "rstrip" => pad::rstrip,
        "ljust" => pad::ljust,
        "rjust" => pad::rjust,
        "center" => pad::center,
        "zfill" => pad::zfill,
        "expandtabs" => pad::expandtabs,
        "lower" => case::lower,
        "upper" => case::upper,
        "casefold" => case::casefold,
        "title" => case::title,
        "capitalize" => case::capitalize,
        "swapcase" => case::swapcase,
        "isalpha" => predicate::isalpha,
        "isdigit" => predicate::isdigit,
        "isdecimal" => predicate::isdecimal,
        "isnumeric" => predicate::isnumeric,
        "isalnum" => predicate::isalnum,
        "isspace" => predicate::isspace,
        "islower" => predicate::islower,
        "isupper" => predicate::isupper,
        "istitle" => predicate::istitle,
        "isascii" => predicate::isascii,
        "isidentifier" => predicate::isidentifier,
        "isprintable" => predicate::isprintable,
        "encode" => encode,
        "format" => crate::text::format_method,
        "format_map" => crate::text::format_map_method,
        _ => return None,
    })
}

/// The receiver's text.
#[inline]
pub(super) fn text<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a str> {
    match value {
        Obj::Str(text) => Ok(text),
        _ => Err(cx.leave("a method of str on something else")),
    }
}

/// Refuses arguments beyond these counts, and named ones; the messages differ by method and version.
#[inline]
pub(super) fn arity<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, least: usize, most: usize) -> R<'a, ()> {
    if args.kw.is_empty() && (least..=most).contains(&args.pos.len()) {
        return Ok(());
    }
    Err(cx.leave("a wrong number of arguments, or named ones"))
}

/// A text argument of a search method.
pub(super) fn needle<'a>(cx: &Cx<'a>, value: Obj<'a>, method: &str) -> R<'a, &'a str> {
    match value {
        Obj::Str(text) => Ok(text),
        _ => {
            let name = crate::ops::type_name(cx, value);
            if cx.program.version.minor >= 13 {
                let name = if matches!(value, Obj::None) { "None" } else { name };
                return Err(cx.type_error(format_args!("{method}() argument 1 must be str, not {name}")));
            }
            Err(cx.type_error(format_args!("must be str, not {name}")))
        }
    }
}

/// An integer argument, or this when it is missing.
pub(super) fn int_or<'a>(cx: &Cx<'a>, value: Option<Obj<'a>>, default: i64) -> R<'a, i64> {
    match value {
        None => Ok(default),
        Some(Obj::Int(number)) => Ok(number),
        Some(Obj::Bool(flag)) => Ok(i64::from(flag)),
        Some(_) => Err(cx.leave("an argument that is no small int")),
    }
}

/// Bytes from `start` to `end` in code points, as slices count them; the first is the offset in code points.
/// `None` when `start` is beyond the end, where not even an empty text is found.
pub(super) fn window<'a>(
    cx: &Cx<'a>,
    text: &'a str,
    start: Option<Obj<'a>>,
    end: Option<Obj<'a>>,
) -> R<'a, Option<(usize, &'a str)>> {
    if start.is_none() && end.is_none() {
        return Ok(Some((0, text)));
    }
    let count = length(text);
    let bound = |value: Option<Obj<'a>>, default: usize| -> R<'a, usize> {
        match value {
            None | Some(Obj::None) => Ok(default),
            Some(Obj::Int(number)) => Ok(clamp(number, count)),
            Some(Obj::Bool(flag)) => Ok(clamp(i64::from(flag), count)),
            Some(Obj::Big(_)) => Err(cx.leave("a huge index")),
            Some(_) => Err(cx.type_error(format_args!(
                "slice indices must be integers or None or have an __index__ method"
            ))),
        }
    };
    let from = bound(start, 0)?;
    let to = bound(end, count)?.min(count);
    if from > to {
        return Ok(None);
    }
    let first = offset(text, from);
    let last = offset(text, to);
    Ok(text.get(first..last).map(|part| (from, part)))
}

/// An index counted from either end, not below 0.
fn clamp(index: i64, count: usize) -> usize {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let index = if index < 0 {
        index.saturating_add(count).max(0)
    } else {
        index
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Code points of a text.
#[inline]
#[must_use]
pub fn length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

/// The byte offset of a code point; the end when there are fewer.
#[must_use]
pub fn offset(text: &str, at: usize) -> usize {
    if text.is_ascii() {
        return at.min(text.len());
    }
    text.char_indices()
        .nth(at)
        .map_or(text.len(), |(offset, _)| offset)
}

fn encode<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let text = text(cx, receiver)?;
    arity(cx, args, 0, 1)?;
    match args.pos.first() {
        None => Ok(Obj::Bytes(text.as_bytes())),
        Some(Obj::Str("utf-8" | "utf8" | "UTF-8" | "UTF8" | "utf_8")) => Ok(Obj::Bytes(text.as_bytes())),
        Some(Obj::Str("ascii" | "ASCII" | "us-ascii" | "latin-1" | "latin1" | "iso-8859-1"))
            if text.is_ascii() =>
        {
            Ok(Obj::Bytes(text.as_bytes()))
        }
        _ => Err(cx.leave("an encoding other than utf-8")),
    }
}
