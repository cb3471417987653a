//! `+` and `*` of sequences.

use bumpalo::collections::Vec as BumpVec;

use crate::cx::{Cx, R};
use crate::iter::IterState;
use crate::obj::{List, Obj};
use crate::types::ExcKind;

/// `a + b` when `a` is a sequence.
///
/// # Errors
/// `TypeError`, limits.
pub(super) fn concat<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    Ok(Some(match (a, b) {
        (Obj::Str(x), Obj::Str(y)) => Obj::Str(match (x.is_empty(), y.is_empty()) {
            (true, _) => y,
            (_, true) => x,
            _ => join_text(cx, x, y)?,
        }),
        (Obj::Bytes(x), Obj::Bytes(y)) => {
            cx.reserve(x.len() + y.len())?;
            let mut joined = BumpVec::with_capacity_in(x.len() + y.len(), cx.bump);
            joined.extend_from_slice(x);
            joined.extend_from_slice(y);
            Obj::Bytes(joined.into_bump_slice())
        }
        (Obj::Bytes(_), _) => {
            let name = super::type_name(cx, b);
            return Err(cx.type_error(format_args!("can't concat {name} to bytes")));
        }
        (Obj::Str(_), _) => return Err(only(cx, "str", b)),
        (
            Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_),
            Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_),
        ) => List::object(cx, joined(cx, a, b)?),
        (Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_), _) => return Err(only(cx, "list", b)),
        (Obj::Tuple(_) | Obj::ConstTuple(_), Obj::Tuple(_) | Obj::ConstTuple(_)) => {
            Obj::Tuple(joined(cx, a, b)?.into_bump_slice())
        }
        (Obj::Tuple(_) | Obj::ConstTuple(_), _) => return Err(only(cx, "tuple", b)),
        _ => return Ok(None),
    }))
}

fn join_text<'a>(cx: &Cx<'a>, x: &str, y: &str) -> R<'a, &'a str> {
    cx.reserve(x.len() + y.len())?;
    let mut joined = bumpalo::collections::String::with_capacity_in(x.len() + y.len(), cx.bump);
    joined.push_str(x);
    joined.push_str(y);
    Ok(joined.into_bump_str())
}

#[cold]
fn only<'a>(cx: &Cx<'a>, what: &str, other: Obj<'a>) -> crate::cx::Raise<'a> {
    let name = super::type_name(cx, other);
    cx.type_error(format_args!(
        "can only concatenate {what} (not \"{name}\") to {what}"
    ))
}

fn joined<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, BumpVec<'a, Obj<'a>>> {
    let len = super::len(cx, a)? + super::len(cx, b)?;
    cx.reserve(len * size_of::<Obj<'_>>())?;
    let mut items = BumpVec::with_capacity_in(len, cx.bump);
    for part in [a, b] {
        let mut state = IterState::sequence(cx, part);
        while let Some(item) = state.next(cx)? {
            items.push(item);
        }
    }
    Ok(items)
}

fn is_repeatable(value: Obj<'_>) -> bool {
    matches!(
        value,
        Obj::Str(_)
            | Obj::Bytes(_)
            | Obj::NodeList(_)
            | Obj::ConstList(_)
            | Obj::List(_)
            | Obj::Tuple(_)
            | Obj::ConstTuple(_)
    )
}

/// `a * b` when either is a sequence.
///
/// # Errors
/// `TypeError`, `OverflowError`, limits.
pub(super) fn multiply<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    let (sequence, count) = if is_repeatable(a) {
        (a, b)
    } else if is_repeatable(b) {
        (b, a)
    } else {
        return Ok(None);
    };
    let count = match count {
        Obj::Int(count) => count,
        Obj::Bool(flag) => i64::from(flag),
        Obj::Big(_) => {
            return Err(cx.raise(
                ExcKind::OverflowError,
                format_args!("cannot fit 'int' into an index-sized integer"),
            ));
        }
        Obj::Native(_) | Obj::Class(_) => return Err(cx.leave("a sequence multiplied by an object")),
        other => {
            let name = super::type_name(cx, other);
            return Err(cx.type_error(format_args!(
                "can't multiply sequence by non-int of type '{name}'"
            )));
        }
    };
    repeat(cx, sequence, usize::try_from(count).unwrap_or(0)).map(Some)
}

fn repeat<'a>(cx: &Cx<'a>, sequence: Obj<'a>, count: usize) -> R<'a> {
    let reserve = |len: usize, size: usize| cx.reserve(len.saturating_mul(size).saturating_mul(count));
    Ok(match sequence {
        Obj::Str("") => sequence,
        Obj::Str(text) => {
            reserve(text.len(), 1)?;
            let mut repeated = bumpalo::collections::String::with_capacity_in(text.len() * count, cx.bump);
            for _ in 0..count {
                repeated.push_str(text);
            }
            Obj::Str(repeated.into_bump_str())
        }
        Obj::Bytes([]) => sequence,
        Obj::Bytes(bytes) => {
            reserve(bytes.len(), 1)?;
            let mut repeated = BumpVec::with_capacity_in(bytes.len() * count, cx.bump);
            for _ in 0..count {
                repeated.extend_from_slice(bytes);
            }
            Obj::Bytes(repeated.into_bump_slice())
        }
        _ => {
            let once = joined(cx, sequence, Obj::Tuple(&[]))?;
            reserve(once.len(), size_of::<Obj<'_>>())?;
            let count = if once.is_empty() { 0 } else { count };
            let mut repeated = BumpVec::with_capacity_in(once.len() * count, cx.bump);
            for _ in 0..count {
                repeated.extend_from_slice(&once);
            }
            match sequence {
                Obj::Tuple(_) | Obj::ConstTuple(_) => Obj::Tuple(repeated.into_bump_slice()),
                _ => List::object(cx, repeated),
            }
        }
    })
}
