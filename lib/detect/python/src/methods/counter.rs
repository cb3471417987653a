//! Methods of `collections.Counter` that `dict` lacks or does otherwise.

use bumpalo::collections::Vec as BumpVec;

use super::sort;
use crate::cx::{Cx, R};
use crate::ir::BinaryOp;
use crate::iter::{self, IterState};
use crate::obj::{Dict, DictKind, List, Obj};
use crate::ops;
use crate::ops::map::Members;
use crate::registry::Args;

fn counter<'a>(cx: &Cx<'a>, receiver: Obj<'a>) -> R<'a, &'a Dict<'a>> {
    match receiver {
        Obj::Dict(dict) if matches!(dict.kind, DictKind::Counter) => Ok(dict),
        _ => Err(cx.leave("a method of Counter on another dictionary")),
    }
}

/// `Counter.update(iterable=None, /, **counts)`, which its constructor rests on as well: counts of dictionaries are
/// added, elements of others count 1.
///
/// # Errors
/// What iterating, hashing and adding raise.
pub fn update<'a>(cx: &Cx<'a>, counter: &'a Dict<'a>, args: &Args<'_, 'a>) -> R<'a> {
    change(cx, counter, args, BinaryOp::Add)
}

pub(super) fn subtract<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    change(cx, counter(cx, receiver)?, args, BinaryOp::Sub)
}

fn change<'a>(cx: &Cx<'a>, counter: &'a Dict<'a>, args: &Args<'_, 'a>, op: BinaryOp) -> R<'a> {
    if args.pos.len() > 1 {
        return Err(cx.leave("arguments of a method of Counter"));
    }
    let zero = Obj::Int(0);
    match args.pos.first() {
        None | Some(Obj::None) => {}
        Some(values) => {
            let values = ops::resolve(cx, *values)?;
            if let Obj::Native(_) = values {
                return Err(cx.leave("a counter updated with an object"));
            }
            if ops::map::is_dict(values) {
                add_counts(cx, counter, values, op)?;
            } else {
                let mut state = iter::iter(cx, values)?;
                while let Some(item) = state.next(cx)? {
                    let hash = ops::hash(cx, item)?;
                    let old = counter.get_hashed(cx, hash, item)?.unwrap_or(zero);
                    counter.insert_hashed(cx, hash, item, ops::binary(cx, op, old, Obj::Int(1))?)?;
                }
            }
        }
    }
    for (name, count) in args.kw {
        add_count(cx, counter, Obj::Str(name), *count, op)?;
    }
    Ok(Obj::None)
}

fn add_counts<'a>(cx: &Cx<'a>, counter: &'a Dict<'a>, counts: Obj<'a>, op: BinaryOp) -> R<'a, ()> {
    // An empty counter takes the values as they are, whatever they are.
    let fresh = counter.is_empty() && op == BinaryOp::Add;
    let mut members = Members::of(cx, counts);
    while let Some((key, count)) = members.next(cx)? {
        if fresh {
            counter.insert(cx, key, count)?;
        } else {
            add_count(cx, counter, key, count, op)?;
        }
    }
    Ok(())
}

fn add_count<'a>(
    cx: &Cx<'a>,
    counter: &'a Dict<'a>,
    key: Obj<'a>,
    count: Obj<'a>,
    op: BinaryOp,
) -> R<'a, ()> {
    let old = counter.get(cx, key)?.unwrap_or(Obj::Int(0));
    let new = match op {
        BinaryOp::Add => ops::binary(cx, op, count, old)?,
        _ => ops::binary(cx, op, old, count)?,
    };
    counter.insert(cx, key, new)
}

pub(super) fn most_common<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    counter(cx, receiver)?;
    let most = match (args.pos, args.kw) {
        ([], []) | ([Obj::None], []) => None,
        ([Obj::Int(most)], []) | ([], [("n", Obj::Int(most))]) => Some(usize::try_from(*most).unwrap_or(0)),
        _ => return Err(cx.leave("arguments of a method of Counter")),
    };
    let (mut pairs, mut counts) = (BumpVec::new_in(cx.bump), BumpVec::new_in(cx.bump));
    let mut members = Members::of(cx, receiver);
    while let Some((key, count)) = members.next(cx)? {
        if ops::small_int(count).is_none() {
            return Err(cx.leave("a count that is no integer"));
        }
        counts.push(count);
        pairs.push(Obj::Tuple(cx.bump.alloc([key, count])));
    }
    sort::by_keys(cx, &mut pairs, &counts, true)?;
    if let Some(most) = most {
        pairs.truncate(most);
    }
    Ok(List::object(cx, pairs))
}

pub(super) fn elements<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    counter(cx, receiver)?;
    if !args.pos.is_empty() || !args.kw.is_empty() {
        return Err(cx.leave("arguments of a method of Counter"));
    }
    let mut items = BumpVec::new_in(cx.bump);
    let mut members = Members::of(cx, receiver);
    while let Some((key, count)) = members.next(cx)? {
        let Some(count) = ops::small_int(count) else {
            return Err(cx.leave("a count that is no integer"));
        };
        let count = usize::try_from(count).unwrap_or(0);
        cx.reserve(count.saturating_mul(size_of::<Obj<'_>>()))?;
        items.extend(std::iter::repeat_n(key, count));
    }
    Ok(IterState::Slice(items.into_bump_slice(), 0).object(cx, "itertools.chain"))
}

pub(super) fn total<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    counter(cx, receiver)?;
    if !args.pos.is_empty() || !args.kw.is_empty() || cx.program.version.minor < 10 {
        return Err(cx.leave("arguments of a method of Counter"));
    }
    let mut sum = Obj::Int(0);
    let mut members = Members::of(cx, receiver);
    while let Some((_, count)) = members.next(cx)? {
        if let Obj::Float(_) = count {
            return Err(cx.leave("a sum of floats"));
        }
        sum = ops::binary(cx, BinaryOp::Add, sum, count)?;
    }
    Ok(sum)
}
