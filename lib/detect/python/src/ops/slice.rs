//! Indices and slices.

use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;
use crate::types::ExcKind;

/// A slice of a sequence of known length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First index. With a negative step it may be -1, when nothing is selected.
    pub start: i64,
    /// End, exclusive; -1 stands before the first element.
    pub stop: i64,
    /// Never 0.
    pub step: i64,
    /// How many elements are selected.
    pub count: usize,
}

impl Span {
    /// The indices in order of selection.
    pub fn indices(self) -> impl Iterator<Item = usize> {
        (0..self.count as i64).map(move |nth| (self.start + nth * self.step) as usize)
    }
}

/// The slice that `parts` (start, stop, step) select of `len` elements.
///
/// # Errors
/// `TypeError` for parts that are no integers, `ValueError` for step 0.
pub fn span<'a>(cx: &Cx<'a>, parts: &[Obj<'a>; 3], len: usize) -> R<'a, Span> {
    let len = len as i64;
    let step = part(cx, parts[2])?.unwrap_or(1).max(-i64::MAX);
    if step == 0 {
        return Err(cx.value_error(format_args!("slice step cannot be zero")));
    }
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let place = |index: i64| {
        let index = if index < 0 {
            index.saturating_add(len)
        } else {
            index
        };
        index.clamp(low, high)
    };
    let start = part(cx, parts[0])?.map_or(if step > 0 { low } else { high }, place);
    let stop = part(cx, parts[1])?.map_or(if step > 0 { high } else { low }, place);
    let distance = if step > 0 { stop - start } else { start - stop };
    let count = if distance <= 0 {
        0
    } else {
        (distance - 1) / step.abs() + 1
    };
    Ok(Span {
        start,
        stop,
        step,
        count: count as usize,
    })
}

fn part<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, Option<i64>> {
    Ok(match value {
        Obj::None => None,
        Obj::Int(number) => Some(number),
        Obj::Bool(flag) => Some(i64::from(flag)),
        Obj::Big(big) if big.is_negative() => Some(i64::MIN),
        Obj::Big(_) => Some(i64::MAX),
        Obj::Const(_) | Obj::Native(_) => return Err(cx.leave("an object as part of a slice")),
        _ => {
            return Err(cx.type_error(format_args!(
                "slice indices must be integers or None or have an __index__ method"
            )));
        }
    })
}

/// The index that an object is within a sequence of `len` elements; `None` outside of it. What is no integer is
/// told by `wrong`.
///
/// # Errors
/// That one, `IndexError` for an integer beyond 64 bits.
pub fn index<'a>(
    cx: &Cx<'a>,
    value: Obj<'a>,
    len: usize,
    wrong: impl FnOnce() -> Raise<'a>,
) -> R<'a, Option<usize>> {
    let number = match value {
        Obj::Int(number) => number,
        Obj::Bool(flag) => i64::from(flag),
        Obj::Big(_) => {
            return Err(cx.raise(
                ExcKind::IndexError,
                format_args!("cannot fit 'int' into an index-sized integer"),
            ));
        }
        Obj::Const(_) => return index(cx, super::resolve(cx, value)?, len, wrong),
        _ => return Err(wrong()),
    };
    let place = if number < 0 {
        number.saturating_add(len as i64)
    } else {
        number
    };
    Ok(usize::try_from(place).ok().filter(|place| *place < len))
}

/// The bytes that a character of a text takes; `None` outside of it.
#[must_use]
pub fn char_at(text: &str, place: usize) -> Option<&str> {
    if text.is_ascii() {
        return text.get(place..=place);
    }
    let (start, character) = text.char_indices().nth(place)?;
    text.get(start..start + character.len_utf8())
}

/// The characters from `start` to `stop`, which are in order and within the text.
#[must_use]
pub fn chars_between(text: &str, start: usize, stop: usize) -> &str {
    if text.is_ascii() {
        return text.get(start..stop).unwrap_or_default();
    }
    let mut offsets = text
        .char_indices()
        .map(|(at, _)| at)
        .chain(std::iter::once(text.len()));
    let from = offsets.nth(start).unwrap_or(text.len());
    let to = match stop.checked_sub(start + 1) {
        Some(more) => offsets.nth(more).unwrap_or(text.len()),
        None => from,
    };
    text.get(from..to).unwrap_or_default()
}
