//! Iterators.

use std::cell::Cell;

use super::{misfit, only};
use crate::cx::{Cx, R};
use crate::eval;
use crate::iter::{self, IterState, NextObj};
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;
use crate::types::ExcKind;

/// The next element of an iterator object.
fn advance<'a>(cx: &Cx<'a>, iterator: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    match iterator {
        Obj::Iter(iterator) => iterator.next(cx),
        _ => Err(cx.leave("an iterator of another kind")),
    }
}

pub(super) fn iter<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    iter::object(cx, only(cx, args)?)
}

pub(super) fn reversed<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    iter::reversed(cx, only(cx, args)?)
}

pub(super) fn next<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (iterator, default) = match (args.pos, args.kw) {
        ([iterator], []) => (*iterator, None),
        ([iterator, default], []) => (*iterator, Some(*default)),
        _ => return Err(misfit(cx)),
    };
    let found = match iterator {
        Obj::Iter(iterator) => iterator.next(cx)?,
        Obj::Native(_) => return Err(cx.leave("next of such an object")),
        _ => {
            let name = ops::type_name(cx, iterator);
            return Err(cx.type_error(format_args!("'{name}' object is not an iterator")));
        }
    };
    match found.or(default) {
        Some(item) => Ok(item),
        None => Err(cx.raise_with(ExcKind::StopIteration, &[])),
    }
}

struct Enumerate<'a> {
    source: Obj<'a>,
    next: Cell<i64>,
}

impl<'a> NextObj<'a> for Enumerate<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let Some(item) = advance(cx, self.source)? else {
            return Ok(None);
        };
        let at = self.next.get();
        let Some(next) = at.checked_add(1) else {
            return Err(cx.leave("an enumeration beyond 64 bits"));
        };
        self.next.set(next);
        Ok(Some(Obj::Tuple(cx.bump.alloc([Obj::Int(at), item]))))
    }
}

pub(super) fn enumerate<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (values, start) = match (args.pos, args.kw) {
        ([values], []) => (*values, 0),
        ([values, Obj::Int(start)], []) | ([values], [("start", Obj::Int(start))]) => (*values, *start),
        _ => return Err(misfit(cx)),
    };
    let source = iter::object(cx, values)?;
    let state: &'a Enumerate<'a> = cx.bump.alloc(Enumerate {
        source,
        next: Cell::new(start),
    });
    Ok(IterState::Dyn(state).object(cx, "enumerate"))
}

struct Zip<'a> {
    sources: &'a [Obj<'a>],
}

impl<'a> NextObj<'a> for Zip<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let mut items = bumpalo::collections::Vec::with_capacity_in(self.sources.len(), cx.bump);
        for source in self.sources {
            match advance(cx, *source)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        if items.is_empty() {
            return Ok(None);
        }
        Ok(Some(Obj::Tuple(items.into_bump_slice())))
    }
}

/// Iterators of several iterables.
fn sources<'a>(cx: &Cx<'a>, values: &[Obj<'a>]) -> R<'a, &'a [Obj<'a>]> {
    let mut sources = bumpalo::collections::Vec::with_capacity_in(values.len(), cx.bump);
    for value in values {
        sources.push(iter::object(cx, *value)?);
    }
    Ok(sources.into_bump_slice())
}

pub(super) fn zip<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if !args.kw.is_empty() {
        return Err(misfit(cx));
    }
    let sources = sources(cx, args.pos)?;
    let state: &'a Zip<'a> = cx.bump.alloc(Zip { sources });
    Ok(IterState::Dyn(state).object(cx, "zip"))
}

struct Mapped<'a> {
    func: Obj<'a>,
    sources: &'a [Obj<'a>],
}

impl<'a> NextObj<'a> for Mapped<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let mut items = bumpalo::collections::Vec::with_capacity_in(self.sources.len(), cx.bump);
        for source in self.sources {
            match advance(cx, *source)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        eval::call(cx, self.func, &Args::positional(&items)).map(Some)
    }
}

pub(super) fn map<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let ([func, values @ ..], []) = (args.pos, args.kw) else {
        return Err(misfit(cx));
    };
    if values.is_empty() {
        return Err(cx.type_error(format_args!("map() must have at least two arguments.")));
    }
    let state: &'a Mapped<'a> = cx.bump.alloc(Mapped {
        func: *func,
        sources: sources(cx, values)?,
    });
    Ok(IterState::Dyn(state).object(cx, "map"))
}

struct Filtered<'a> {
    func: Obj<'a>,
    source: Obj<'a>,
}

impl<'a> NextObj<'a> for Filtered<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        while let Some(item) = advance(cx, self.source)? {
            cx.tick()?;
            let answer = match self.func {
                Obj::None => item,
                func => eval::call(cx, func, &Args::positional(&[item]))?,
            };
            if ops::truthy(cx, answer)? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}

pub(super) fn filter<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let ([func, values], []) = (args.pos, args.kw) else {
        return Err(misfit(cx));
    };
    let source = iter::object(cx, *values)?;
    let state: &'a Filtered<'a> = cx.bump.alloc(Filtered { func: *func, source });
    Ok(IterState::Dyn(state).object(cx, "filter"))
}
