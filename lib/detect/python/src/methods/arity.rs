//! How many arguments methods written in C take, and what they say about others.

use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::Args;

/// How messages name a method: with its class since Python 3.9.
fn full_name<'a>(cx: &Cx<'a>, class: &str, name: &str) -> &'a str {
    if cx.program.version.minor < 9 {
        cx.bump.alloc_str(name)
    } else {
        bumpalo::format!(in cx.bump, "{}.{}", class, name).into_bump_str()
    }
}

/// No argument at all.
///
/// # Errors
/// `TypeError`.
#[inline]
pub fn none<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, class: &str, name: &str) -> R<'a, ()> {
    if args.pos.is_empty() && args.kw.is_empty() {
        return Ok(());
    }
    no_keywords(cx, args, class, name)?;
    let (full, given) = (full_name(cx, class, name), args.pos.len());
    Err(cx.type_error(format_args!("{full}() takes no arguments ({given} given)")))
}

/// Exactly one positional argument.
///
/// # Errors
/// `TypeError`.
#[inline]
pub fn one<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, class: &str, name: &str) -> R<'a> {
    if let ([only], true) = (args.pos, args.kw.is_empty()) {
        return Ok(*only);
    }
    no_keywords(cx, args, class, name)?;
    let (full, given) = (full_name(cx, class, name), args.pos.len());
    Err(cx.type_error(format_args!(
        "{full}() takes exactly one argument ({given} given)"
    )))
}

/// From `least` to `most` positional arguments.
///
/// # Errors
/// `TypeError`.
#[inline]
pub fn between<'a>(
    cx: &Cx<'a>,
    args: &Args<'_, 'a>,
    class: &str,
    name: &str,
    least: usize,
    most: usize,
) -> R<'a, ()> {
    let given = args.pos.len();
    if args.kw.is_empty() && (least..=most).contains(&given) {
        return Ok(());
    }
    no_keywords(cx, args, class, name)?;
    let (bound, limit) = match (least == most, given < least) {
        (true, _) => ("", least),
        (false, true) => ("at least ", least),
        (false, false) => ("at most ", most),
    };
    let plural = if limit == 1 { "" } else { "s" };
    Err(cx.type_error(format_args!(
        "{name} expected {bound}{limit} argument{plural}, got {given}"
    )))
}

/// No keyword arguments.
///
/// # Errors
/// `TypeError`.
#[inline]
pub fn no_keywords<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, class: &str, name: &str) -> R<'a, ()> {
    if args.kw.is_empty() {
        return Ok(());
    }
    let full = full_name(cx, class, name);
    Err(cx.type_error(format_args!("{full}() takes no keyword arguments")))
}

/// No keyword arguments, of a method of any number of positional ones: their messages name the class later.
///
/// # Errors
/// `TypeError`.
pub fn no_keywords_of_many<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, class: &str, name: &str) -> R<'a, ()> {
    if args.kw.is_empty() || cx.program.version.minor >= 11 {
        return no_keywords(cx, args, class, name);
    }
    Err(cx.type_error(format_args!("{name}() takes no keyword arguments")))
}

/// An argument that is an index.
///
/// # Errors
/// `TypeError`; falls back on integers beyond 64 bits.
pub fn integer<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, i64> {
    match crate::ops::resolve(cx, value)? {
        Obj::Int(number) => Ok(number),
        Obj::Bool(flag) => Ok(i64::from(flag)),
        Obj::Big(_) | Obj::Native(_) => Err(cx.leave("a large integer as an argument")),
        Obj::Float(_) if cx.program.version.minor < 10 => {
            Err(cx.type_error(format_args!("integer argument expected, got float")))
        }
        other => {
            let name = crate::ops::type_name(cx, other);
            Err(cx.type_error(format_args!(
                "'{name}' object cannot be interpreted as an integer"
            )))
        }
    }
}

/// `start` and `stop` of `index` methods, as places within `len` elements.
///
/// # Errors
/// `TypeError`.
pub fn bounds<'a>(cx: &Cx<'a>, args: &[Obj<'a>], len: usize) -> R<'a, (usize, usize)> {
    let part = |value: Option<&Obj<'a>>, missing: usize| match value {
        None => Ok(missing),
        Some(Obj::Int(number)) => Ok(place(*number, len)),
        Some(Obj::Bool(flag)) => Ok(place(i64::from(*flag), len)),
        Some(Obj::Big(big)) if big.is_negative() => Ok(0),
        Some(Obj::Big(_)) => Ok(len),
        Some(Obj::Const(_) | Obj::Native(_)) => Err(cx.leave("an object as an index")),
        Some(_) => Err(cx.type_error(format_args!(
            "slice indices must be integers or have an __index__ method"
        ))),
    };
    Ok((part(args.first(), 0)?, part(args.get(1), len)?))
}

fn place(index: i64, len: usize) -> usize {
    let from_start = if index < 0 {
        index.saturating_add(len as i64)
    } else {
        index
    };
    usize::try_from(from_start).unwrap_or(0).min(len)
}
