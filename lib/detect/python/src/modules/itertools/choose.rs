//! Those that choose among all elements: products, permutations, combinations.

use std::cell::RefCell;

use bumpalo::collections::Vec as BumpVec;

use super::object;
use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::iter::{self, NextObj};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::registry::Args;

/// Choices by places: what `advance` makes of the places of one choice are those of the next.
struct Choices<'a> {
    pools: &'a [&'a [Obj<'a>]],
    /// `None` after the last choice.
    places: RefCell<Option<BumpVec<'a, usize>>>,
    advance: fn(pools: &[&[Obj<'a>]], places: &mut [usize]) -> bool,
}

impl<'a> NextObj<'a> for Choices<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let mut state = self.places.borrow_mut();
        let Some(places) = state.as_mut() else {
            return Ok(None);
        };
        cx.reserve(places.len() * size_of::<Obj<'_>>())?;
        cx.use_fuel(places.len() as u64 / 8)?;
        // One pool for all places, or one for each.
        let pools = self.pools.iter().chain(self.pools.last().into_iter().cycle());
        let chosen = places
            .iter()
            .zip(pools)
            .map(|(place, pool)| pool.get(*place).copied());
        let chosen: Option<Vec<Obj<'a>>> = chosen.collect();
        if !(self.advance)(self.pools, places) {
            *state = None;
        }
        Ok(chosen.map(|chosen| Obj::Tuple(cx.bump.alloc_slice_copy(&chosen))))
    }
}

fn pool<'a>(cx: &Cx<'a>, values: Obj<'a>) -> R<'a, &'a [Obj<'a>]> {
    Ok(iter::collect(cx, values)?.into_bump_slice())
}

fn choices<'a>(
    cx: &Cx<'a>,
    class: &'static str,
    pools: &'a [&'a [Obj<'a>]],
    first: Option<BumpVec<'a, usize>>,
    advance: fn(&[&[Obj<'a>]], &mut [usize]) -> bool,
) -> Obj<'a> {
    let places = RefCell::new(first);
    object(
        cx,
        class,
        Choices {
            pools,
            places,
            advance,
        },
    )
}

pub(super) fn product<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let repeat = match args.kw {
        [] => 1,
        [("repeat", Obj::Int(repeat @ 0..=1000))] => *repeat as usize,
        _ => return Err(misfit(cx)),
    };
    let mut once = BumpVec::new_in(cx.bump);
    for values in args.pos {
        once.push(pool(cx, *values)?);
    }
    let count = once.len() * repeat;
    cx.reserve(count * 16)?;
    let pools = BumpVec::from_iter_in(once.iter().copied().cycle().take(count), cx.bump);
    let pools: &'a [&'a [Obj<'a>]] = pools.into_bump_slice();
    let possible = pools.iter().all(|pool| !pool.is_empty());
    let first = possible.then(|| BumpVec::from_iter_in(pools.iter().map(|_| 0), cx.bump));
    let advance = |pools: &[&[Obj<'a>]], places: &mut [usize]| {
        for (place, pool) in places.iter_mut().zip(pools).rev() {
            *place += 1;
            if *place < pool.len() {
                return true;
            }
            *place = 0;
        }
        false
    };
    Ok(choices(cx, "itertools.product", pools, first, advance))
}

/// The elements and how many to choose.
fn arguments<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, least: usize) -> R<'a, (&'a [Obj<'a>], Option<usize>)> {
    let [values, count] = bind(cx, args, ["iterable", "r"], least)?;
    let count = match count {
        None | Some(Obj::None) if least == 1 => None,
        Some(Obj::Int(count)) => Some(count),
        _ => return Err(cx.leave("such a number to choose")),
    };
    let values = pool(cx, values.unwrap_or(Obj::None))?;
    match count.map(usize::try_from) {
        None => Ok((values, None)),
        Some(Ok(count)) => Ok((values, Some(count))),
        Some(Err(_)) => Err(cx.value_error(format_args!("r must be non-negative"))),
    }
}

fn one_pool<'a>(cx: &Cx<'a>, values: &'a [Obj<'a>]) -> &'a [&'a [Obj<'a>]] {
    cx.bump.alloc_slice_copy(&[values])
}

fn len_of(pools: &[&[Obj<'_>]]) -> usize {
    pools.first().map_or(0, |pool| pool.len())
}

pub(super) fn combinations<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (values, count) = arguments(cx, args, 2)?;
    let count = count.unwrap_or(0);
    let first = (count <= values.len()).then(|| BumpVec::from_iter_in(0..count, cx.bump));
    let advance = |pools: &[&[Obj<'a>]], places: &mut [usize]| {
        let (len, count) = (len_of(pools), places.len());
        let movable = (0..count).rev().find(|at| places[*at] != at + len - count);
        let Some(at) = movable else {
            return false;
        };
        let start = places[at] + 1;
        for (place, next) in places.iter_mut().skip(at).zip(start..) {
            *place = next;
        }
        true
    };
    let pools = one_pool(cx, values);
    Ok(choices(cx, "itertools.combinations", pools, first, advance))
}

pub(super) fn combinations_with_replacement<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (values, count) = arguments(cx, args, 2)?;
    let count = count.unwrap_or(0);
    cx.reserve(count.saturating_mul(8))?;
    let possible = !values.is_empty() || count == 0;
    let first = possible.then(|| BumpVec::from_iter_in(std::iter::repeat_n(0, count), cx.bump));
    let advance = |pools: &[&[Obj<'a>]], places: &mut [usize]| {
        let len = len_of(pools);
        let Some(at) = places.iter().rposition(|place| place + 1 != len) else {
            return false;
        };
        let next = places[at] + 1;
        places.iter_mut().skip(at).for_each(|place| *place = next);
        true
    };
    let pools = one_pool(cx, values);
    let class = "itertools.combinations_with_replacement";
    Ok(choices(cx, class, pools, first, advance))
}

pub(super) fn permutations<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (values, count) = arguments(cx, args, 1)?;
    let count = count.unwrap_or(values.len());
    let first = (count <= values.len()).then(|| BumpVec::from_iter_in(0..count, cx.bump));
    let advance = |pools: &[&[Obj<'a>]], places: &mut [usize]| {
        let len = len_of(pools);
        // The last place that can take a later element which no place before it has, and then the first free ones.
        for at in (0..places.len()).rev() {
            let (before, rest) = places.split_at_mut(at);
            let Some(own) = rest.first_mut() else {
                return false;
            };
            let Some(next) = (*own + 1..len).find(|place| !before.contains(place)) else {
                continue;
            };
            *own = next;
            for fill in at + 1..places.len() {
                let free = (0..len).find(|place| !places[..fill].contains(place));
                places[fill] = free.unwrap_or(0);
            }
            return true;
        }
        false
    };
    let pools = one_pool(cx, values);
    Ok(choices(cx, "itertools.permutations", pools, first, advance))
}
