//! Those that go through iterables once.

use std::cell::{Cell, RefCell};

use bumpalo::collections::Vec as BumpVec;

use super::{advance, function, object};
use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::eval;
use crate::ir::BinaryOp;
use crate::iter::{self, NextObj};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::ops;
use crate::registry::{Args, BuiltinFn, ClassAttr, NativeClass};

/// `itertools.chain`
pub(super) static CHAIN: NativeClass = NativeClass {
    module: "itertools",
    name: "chain",
    bases: &[],
    new: chain,
    attr: |name| match name {
        "from_iterable" => Some(ClassAttr::Function(&FROM_ITERABLE)),
        _ => None,
    },
};

static FROM_ITERABLE: BuiltinFn = function("chain.from_iterable", from_iterable);

struct Chain<'a> {
    sources: Obj<'a>,
    current: Cell<Option<Obj<'a>>>,
}

impl<'a> NextObj<'a> for Chain<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        loop {
            cx.tick()?;
            let current = match self.current.get() {
                Some(current) => current,
                None => match advance(cx, self.sources)? {
                    Some(source) => {
                        let source = iter::object(cx, source)?;
                        self.current.set(Some(source));
                        source
                    }
                    None => return Ok(None),
                },
            };
            if let Some(item) = advance(cx, current)? {
                return Ok(Some(item));
            }
            self.current.set(None);
        }
    }
}

fn chain_of<'a>(cx: &Cx<'a>, sources: Obj<'a>) -> R<'a> {
    let sources = iter::object(cx, sources)?;
    let current = Cell::new(None);
    Ok(object(cx, "itertools.chain", Chain { sources, current }))
}

fn chain<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if !args.kw.is_empty() {
        return Err(misfit(cx));
    }
    chain_of(cx, Obj::Tuple(cx.bump.alloc_slice_copy(args.pos)))
}

fn from_iterable<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let pos = match args.pos {
        [Obj::NativeClass(_), rest @ ..] => rest,
        pos => pos,
    };
    match (pos, args.kw) {
        ([sources], []) => chain_of(cx, *sources),
        _ => Err(misfit(cx)),
    }
}

/// What a function decides about each element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    TakeWhile,
    DropWhile,
    FilterFalse,
}

struct Chosen<'a> {
    func: Obj<'a>,
    source: Obj<'a>,
    choice: Choice,
    /// `takewhile` has ended, or `dropwhile` has begun.
    turned: Cell<bool>,
}

impl<'a> NextObj<'a> for Chosen<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        if self.turned.get() && self.choice == Choice::TakeWhile {
            return Ok(None);
        }
        while let Some(item) = advance(cx, self.source)? {
            if self.turned.get() {
                return Ok(Some(item));
            }
            let answer = match (self.func, self.choice) {
                (Obj::None, Choice::FilterFalse) => item,
                (func, _) => eval::call(cx, func, &Args::positional(&[item]))?,
            };
            match (self.choice, ops::truthy(cx, answer)?) {
                (Choice::TakeWhile, true) | (Choice::FilterFalse, false) => return Ok(Some(item)),
                (Choice::TakeWhile, false) => {
                    self.turned.set(true);
                    return Ok(None);
                }
                (Choice::DropWhile, false) => {
                    self.turned.set(true);
                    return Ok(Some(item));
                }
                (Choice::DropWhile | Choice::FilterFalse, true) => {}
            }
        }
        Ok(None)
    }
}

fn chosen<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, class: &'static str, choice: Choice) -> R<'a> {
    let ([func, values], []) = (args.pos, args.kw) else {
        return Err(misfit(cx));
    };
    let chosen = Chosen {
        func: *func,
        source: iter::object(cx, *values)?,
        choice,
        turned: Cell::new(false),
    };
    Ok(object(cx, class, chosen))
}

pub(super) fn takewhile<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    chosen(cx, args, "itertools.takewhile", Choice::TakeWhile)
}

pub(super) fn dropwhile<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    chosen(cx, args, "itertools.dropwhile", Choice::DropWhile)
}

pub(super) fn filterfalse<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    chosen(cx, args, "itertools.filterfalse", Choice::FilterFalse)
}

struct Islice<'a> {
    source: Obj<'a>,
    taken: Cell<i64>,
    next: Cell<i64>,
    stop: Option<i64>,
    step: i64,
    ended: Cell<bool>,
}

impl<'a> Islice<'a> {
    fn find(&self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        while self.taken.get() < self.next.get() {
            if advance(cx, self.source)?.is_none() {
                return Ok(None);
            }
            self.taken.set(self.taken.get() + 1);
        }
        if self.stop.is_some_and(|stop| self.taken.get() >= stop) {
            return Ok(None);
        }
        let Some(item) = advance(cx, self.source)? else {
            return Ok(None);
        };
        self.taken.set(self.taken.get() + 1);
        let next = self.next.get().saturating_add(self.step);
        self.next.set(self.stop.map_or(next, |stop| next.min(stop)));
        Ok(Some(item))
    }
}

impl<'a> NextObj<'a> for Islice<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        if self.ended.get() {
            return Ok(None);
        }
        let found = self.find(cx)?;
        self.ended.set(found.is_none());
        Ok(found)
    }
}

pub(super) fn islice<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (values, start, stop, step) = match (args.pos, args.kw) {
        ([values, stop], []) => (*values, Obj::None, *stop, Obj::None),
        ([values, start, stop], []) => (*values, *start, *stop, Obj::None),
        ([values, start, stop, step], []) => (*values, *start, *stop, *step),
        _ => return Err(misfit(cx)),
    };
    let part = |value, least| match value {
        Obj::None => Ok(None),
        Obj::Int(number) if number >= least => Ok(Some(number)),
        _ => Err(cx.leave("such a part of an islice")),
    };
    let slice = Islice {
        taken: Cell::new(0),
        next: Cell::new(part(start, 0)?.unwrap_or(0)),
        stop: part(stop, 0)?,
        step: part(step, 1)?.unwrap_or(1),
        ended: Cell::new(false),
        source: iter::object(cx, values)?,
    };
    Ok(object(cx, "itertools.islice", slice))
}

struct Starmap<'a> {
    func: Obj<'a>,
    source: Obj<'a>,
}

impl<'a> NextObj<'a> for Starmap<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let Some(args) = advance(cx, self.source)? else {
            return Ok(None);
        };
        let args = iter::collect(cx, args)?;
        eval::call(cx, self.func, &Args::positional(&args)).map(Some)
    }
}

pub(super) fn starmap<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let ([func, values], []) = (args.pos, args.kw) else {
        return Err(misfit(cx));
    };
    let source = iter::object(cx, *values)?;
    Ok(object(cx, "itertools.starmap", Starmap { func: *func, source }))
}

struct Accumulate<'a> {
    func: Option<Obj<'a>>,
    source: Obj<'a>,
    initial: Cell<Option<Obj<'a>>>,
    total: Cell<Option<Obj<'a>>>,
}

impl<'a> NextObj<'a> for Accumulate<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        if let Some(initial) = self.initial.take() {
            self.total.set(Some(initial));
            return Ok(Some(initial));
        }
        let Some(item) = advance(cx, self.source)? else {
            return Ok(None);
        };
        let total = match (self.total.get(), self.func) {
            (None, _) => item,
            (Some(total), None) => ops::binary(cx, BinaryOp::Add, total, item)?,
            (Some(total), Some(func)) => eval::call(cx, func, &Args::positional(&[total, item]))?,
        };
        self.total.set(Some(total));
        Ok(Some(total))
    }
}

pub(super) fn accumulate<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [values, func, initial] = bind(cx, args, ["iterable", "func", "initial"], 1)?;
    if args.pos.len() > 2 {
        return Err(misfit(cx));
    }
    let some = |value: Option<Obj<'a>>| value.filter(|value| !matches!(value, Obj::None));
    let state = Accumulate {
        func: some(func),
        source: iter::object(cx, values.unwrap_or(Obj::None))?,
        initial: Cell::new(some(initial)),
        total: Cell::new(None),
    };
    Ok(object(cx, "itertools.accumulate", state))
}

struct Compress<'a> {
    data: Obj<'a>,
    selectors: Obj<'a>,
}

impl<'a> NextObj<'a> for Compress<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        while let Some(item) = advance(cx, self.data)? {
            match advance(cx, self.selectors)? {
                None => return Ok(None),
                Some(selector) if ops::truthy(cx, selector)? => return Ok(Some(item)),
                Some(_) => {}
            }
        }
        Ok(None)
    }
}

pub(super) fn compress<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, selectors] = bind(cx, args, ["data", "selectors"], 2)?;
    let data = iter::object(cx, data.unwrap_or(Obj::None))?;
    let selectors = iter::object(cx, selectors.unwrap_or(Obj::None))?;
    Ok(object(cx, "itertools.compress", Compress { data, selectors }))
}

struct Count<'a> {
    next: Cell<Obj<'a>>,
    step: Obj<'a>,
}

impl<'a> NextObj<'a> for Count<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let now = self.next.get();
        self.next.set(ops::binary(cx, BinaryOp::Add, now, self.step)?);
        Ok(Some(now))
    }
}

pub(super) fn count<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [start, step] = bind(cx, args, ["start", "step"], 0)?;
    let (start, step) = (start.unwrap_or(Obj::Int(0)), step.unwrap_or(Obj::Int(1)));
    let (Obj::Int(_), Obj::Int(_)) = (start, step) else {
        return Err(cx.leave("a count by other than integers"));
    };
    let next = Cell::new(start);
    Ok(object(cx, "itertools.count", Count { next, step }))
}

struct Cycle<'a> {
    source: Obj<'a>,
    saved: RefCell<BumpVec<'a, Obj<'a>>>,
    /// Where it is among the saved ones, after the first round.
    place: Cell<Option<usize>>,
}

impl<'a> NextObj<'a> for Cycle<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        if self.place.get().is_none() {
            if let Some(item) = advance(cx, self.source)? {
                self.saved.borrow_mut().push(item);
                return Ok(Some(item));
            }
            self.place.set(Some(0));
        }
        let saved = self.saved.borrow();
        let place = self.place.get().unwrap_or(0);
        self.place
            .set(Some(if place + 1 >= saved.len() { 0 } else { place + 1 }));
        Ok(saved.get(place).copied())
    }
}

pub(super) fn cycle<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let ([values], []) = (args.pos, args.kw) else {
        return Err(misfit(cx));
    };
    let state = Cycle {
        source: iter::object(cx, *values)?,
        saved: RefCell::new(BumpVec::new_in(cx.bump)),
        place: Cell::new(None),
    };
    Ok(object(cx, "itertools.cycle", state))
}

struct Repeat<'a> {
    value: Obj<'a>,
    left: Cell<Option<i64>>,
}

impl<'a> NextObj<'a> for Repeat<'a> {
    fn next(&'a self, _cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        match self.left.get() {
            Some(..=0) => return Ok(None),
            left => self.left.set(left.map(|left| left - 1)),
        }
        Ok(Some(self.value))
    }
}

pub(super) fn repeat<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value, times] = bind(cx, args, ["object", "times"], 1)?;
    let left = match times {
        None => None,
        Some(Obj::Int(times)) => Some(times),
        Some(_) => return Err(cx.leave("repeated other than a number of times")),
    };
    let state = Repeat {
        value: value.unwrap_or(Obj::None),
        left: Cell::new(left),
    };
    Ok(object(cx, "itertools.repeat", state))
}

struct ZipLongest<'a> {
    /// `None` for those at their end.
    sources: &'a [Cell<Option<Obj<'a>>>],
    active: Cell<usize>,
    fill: Obj<'a>,
}

impl<'a> NextObj<'a> for ZipLongest<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        if self.active.get() == 0 {
            return Ok(None);
        }
        let mut row = BumpVec::with_capacity_in(self.sources.len(), cx.bump);
        for source in self.sources {
            let item = match source.get() {
                Some(iterator) => advance(cx, iterator)?,
                None => {
                    row.push(self.fill);
                    continue;
                }
            };
            if item.is_none() {
                source.set(None);
                self.active.set(self.active.get() - 1);
                if self.active.get() == 0 {
                    return Ok(None);
                }
            }
            row.push(item.unwrap_or(self.fill));
        }
        Ok(Some(Obj::Tuple(row.into_bump_slice())))
    }
}

pub(super) fn zip_longest<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let fill = match args.kw {
        [] => Obj::None,
        [("fillvalue", fill)] => *fill,
        _ => return Err(misfit(cx)),
    };
    let mut sources = BumpVec::with_capacity_in(args.pos.len(), cx.bump);
    for values in args.pos {
        sources.push(Cell::new(Some(iter::object(cx, *values)?)));
    }
    let state = ZipLongest {
        active: Cell::new(sources.len()),
        sources: sources.into_bump_slice(),
        fill,
    };
    Ok(object(cx, "itertools.zip_longest", state))
}
