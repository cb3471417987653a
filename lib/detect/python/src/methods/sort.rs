//! `list.sort` and `sorted`: stable, by `<` alone.
//!
//! The result of sorting by a total order does not depend on the algorithm. Which comparison raises first, and what
//! comes of an order that is none (NaN, sets), does: short lists are sorted as CPython up to 3.12 sorts them, by
//! binary insertion behind an ascending or reversed descending run ("listsort.txt" of its sources); other cases of
//! this sort fall back.

use std::cmp::Ordering;

use bumpalo::collections::Vec as BumpVec;

use crate::cx::{Cx, R, Raise};
use crate::eval;
use crate::ir::CompareOp;
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;

/// CPython sorts fewer elements than this by insertion alone.
const SHORT: usize = 64;

/// `key` (none for `None`) and `reverse` of the named arguments.
///
/// # Errors
/// `TypeError`.
pub fn options<'a>(cx: &Cx<'a>, named: &[(&'a str, Obj<'a>)]) -> R<'a, (Option<Obj<'a>>, bool)> {
    let minor = cx.program.version.minor;
    let (mut key, mut reverse) = (None, Obj::Bool(false));
    for (name, value) in named {
        match *name {
            "key" => key = Some(*value).filter(|key| !matches!(key, Obj::None)),
            "reverse" => reverse = *value,
            other if minor >= 13 => {
                return Err(cx.type_error(format_args!(
                    "sort() got an unexpected keyword argument '{other}'"
                )));
            }
            other => {
                return Err(cx.type_error(format_args!(
                    "'{other}' is an invalid keyword argument for sort()"
                )));
            }
        }
    }
    let reverse = match reverse {
        Obj::Bool(flag) => flag,
        Obj::Int(number) if i32::try_from(number).is_ok() => number != 0,
        other if minor >= 12 => ops::truthy(cx, other)?,
        Obj::Int(_) | Obj::Big(_) | Obj::Native(_) | Obj::Const(_) => {
            return Err(cx.leave("the direction of a sort"));
        }
        other => {
            let name = ops::type_name(cx, other);
            return Err(if minor < 10 {
                match other {
                    Obj::Float(_) => cx.type_error(format_args!("integer argument expected, got float")),
                    _ => cx.type_error(format_args!("an integer is required (got type {name})")),
                }
            } else {
                cx.type_error(format_args!(
                    "'{name}' object cannot be interpreted as an integer"
                ))
            });
        }
    };
    Ok((key, reverse))
}

/// Sorts by the keys that `key` makes of the elements, or by the elements.
///
/// # Errors
/// What keys and comparisons raise.
pub fn sort<'a>(
    cx: &Cx<'a>,
    items: &mut BumpVec<'a, Obj<'a>>,
    key: Option<Obj<'a>>,
    reverse: bool,
) -> R<'a, ()> {
    let mut pairs: BumpVec<'a, (Obj<'a>, Obj<'a>)> = BumpVec::with_capacity_in(items.len(), cx.bump);
    for item in items.iter() {
        let by = match key {
            Some(key) => eval::call(cx, key, &Args::positional(&[*item]))?,
            None => *item,
        };
        pairs.push((by, *item));
    }
    sort_pairs(cx, &mut pairs, reverse)?;
    items.clear();
    items.extend(pairs.iter().map(|pair| pair.1));
    Ok(())
}

/// Sorts elements by keys that are at hand, one for each.
pub(super) fn by_keys<'a>(
    cx: &Cx<'a>,
    items: &mut BumpVec<'a, Obj<'a>>,
    keys: &[Obj<'a>],
    reverse: bool,
) -> R<'a, ()> {
    let mut pairs = BumpVec::from_iter_in(keys.iter().copied().zip(items.iter().copied()), cx.bump);
    sort_pairs(cx, &mut pairs, reverse)?;
    items.clear();
    items.extend(pairs.iter().map(|pair| pair.1));
    Ok(())
}

fn sort_pairs<'a>(cx: &Cx<'a>, pairs: &mut [(Obj<'a>, Obj<'a>)], reverse: bool) -> R<'a, ()> {
    let len = pairs.len() as u64;
    cx.use_fuel(len * u64::from(len.max(1).ilog2() + 1) / 4)?;
    // Reversed before and after, so that equal elements keep their order.
    if reverse {
        pairs.reverse();
    }
    match total_order(pairs) {
        Some(compare) => pairs.sort_by(|a, b| compare(a.0, b.0)),
        None => by_comparing(cx, pairs)?,
    }
    if reverse {
        pairs.reverse();
    }
    Ok(())
}

type Compare<'a> = fn(Obj<'a>, Obj<'a>) -> Ordering;

/// A comparison that cannot fail, when all keys are texts or all are numbers without NaN.
fn total_order<'a>(pairs: &[(Obj<'a>, Obj<'a>)]) -> Option<Compare<'a>> {
    if pairs.iter().all(|(key, _)| matches!(key, Obj::Str(_))) {
        return Some(|a, b| match (a, b) {
            (Obj::Str(a), Obj::Str(b)) => a.cmp(b),
            _ => Ordering::Equal,
        });
    }
    let number = |key: Obj<'a>| match key {
        Obj::Float(float) => !float.is_nan(),
        Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) => true,
        _ => false,
    };
    if pairs.iter().all(|(key, _)| number(*key)) {
        return Some(|a, b| {
            ops::big::compare_numbers(a, b)
                .flatten()
                .unwrap_or(Ordering::Equal)
        });
    }
    None
}

fn less<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    cx.tick()?;
    ops::compare(cx, CompareOp::Lt, a, b)
}

fn by_comparing<'a>(cx: &Cx<'a>, pairs: &mut [(Obj<'a>, Obj<'a>)]) -> R<'a, ()> {
    let as_cpython = pairs.len() < 3 || pairs.len() < SHORT && cx.program.version.minor < 13;
    if as_cpython {
        return insertion_sort(cx, pairs);
    }
    if pairs.iter().any(|(key, _)| is_partial(cx, *key)) {
        return Err(cx.leave("a sort by what has no total order"));
    }
    let mut spare = BumpVec::from_iter_in(pairs.iter().copied(), cx.bump);
    match merge_sort(cx, &mut spare, pairs) {
        Err(Raise::Exception(_)) => Err(cx.leave("a sort that raises")),
        result => result,
    }
}

fn is_partial<'a>(cx: &Cx<'a>, key: Obj<'a>) -> bool {
    let partial = |value: Obj<'a>| {
        matches!(value, Obj::Float(float) if float.is_nan())
            || ops::setlike::is(value)
            || matches!(value, Obj::Dict(_) | Obj::Native(_))
    };
    if partial(key) {
        return true;
    }
    let mut parts = crate::iter::IterState::sequence(cx, key);
    while let Ok(Some(part)) = parts.next(cx) {
        let nested = !matches!(
            part,
            Obj::Str(_)
                | Obj::Int(_)
                | Obj::Float(_)
                | Obj::Bool(_)
                | Obj::None
                | Obj::Big(_)
                | Obj::Bytes(_)
        );
        if partial(part) || nested {
            return true;
        }
    }
    false
}

/// Sorts `pairs` with the help of `spare`, which holds the same at the start.
fn merge_sort<'a>(
    cx: &Cx<'a>,
    spare: &mut [(Obj<'a>, Obj<'a>)],
    pairs: &mut [(Obj<'a>, Obj<'a>)],
) -> R<'a, ()> {
    let len = pairs.len();
    if len < 2 {
        return Ok(());
    }
    let middle = len / 2;
    {
        let (left, right) = pairs.split_at_mut(middle);
        let (spare_left, spare_right) = spare.split_at_mut(middle);
        merge_sort(cx, left, spare_left)?;
        merge_sort(cx, right, spare_right)?;
    }
    let (left, right) = spare.split_at(middle);
    let (mut at_left, mut at_right) = (0, 0);
    for slot in pairs.iter_mut() {
        let next = match (left.get(at_left), right.get(at_right)) {
            (Some(x), Some(y)) => {
                if less(cx, y.0, x.0)? {
                    at_right += 1;
                    y
                } else {
                    at_left += 1;
                    x
                }
            }
            (Some(x), None) => {
                at_left += 1;
                x
            }
            (None, Some(y)) => {
                at_right += 1;
                y
            }
            (None, None) => break,
        };
        *slot = *next;
    }
    Ok(())
}

fn insertion_sort<'a>(cx: &Cx<'a>, pairs: &mut [(Obj<'a>, Obj<'a>)]) -> R<'a, ()> {
    if pairs.len() < 2 {
        return Ok(());
    }
    let run = first_run(cx, pairs)?;
    for next in run..pairs.len() {
        let Some(pivot) = pairs.get(next).copied() else {
            break;
        };
        let (mut low, mut high) = (0, next);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(other) = pairs.get(middle) else { break };
            if less(cx, pivot.0, other.0)? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        if let Some(moved) = pairs.get_mut(low..=next) {
            moved.rotate_right(1);
        }
    }
    Ok(())
}

/// Length of the run at the start, after which it is ascending.
fn first_run<'a>(cx: &Cx<'a>, pairs: &mut [(Obj<'a>, Obj<'a>)]) -> R<'a, usize> {
    let descends = |pairs: &[(Obj<'a>, Obj<'a>)], at: usize| match (pairs.get(at), pairs.get(at - 1)) {
        (Some(a), Some(b)) => less(cx, a.0, b.0),
        _ => Ok(false),
    };
    let descending = descends(pairs, 1)?;
    let mut run = 2;
    while run < pairs.len() && descends(pairs, run)? == descending {
        run += 1;
    }
    if descending && let Some(start) = pairs.get_mut(..run) {
        start.reverse();
    }
    Ok(run)
}
