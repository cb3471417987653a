//! `groupby`.

use std::cell::Cell;

use super::{advance, object};
use crate::cx::{Cx, R};
use crate::eval;
use crate::iter::{self, NextObj};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;

/// Where the grouping is; its groups share it.
struct State<'a> {
    source: Obj<'a>,
    key: Option<Obj<'a>>,
    /// Key of the group handed out last.
    target: Cell<Option<Obj<'a>>>,
    /// Key and value read and not handed out yet.
    current: Cell<Option<(Obj<'a>, Obj<'a>)>>,
    /// Number of the group handed out last: earlier ones are at their end.
    group: Cell<u64>,
}

impl<'a> State<'a> {
    /// Reads on; false at the end.
    fn step(&self, cx: &Cx<'a>) -> R<'a, bool> {
        let Some(value) = advance(cx, self.source)? else {
            return Ok(false);
        };
        let key = match self.key {
            None => value,
            Some(func) => eval::call(cx, func, &Args::positional(&[value]))?,
        };
        self.current.set(Some((key, value)));
        Ok(true)
    }
}

struct Groups<'a> {
    state: &'a State<'a>,
}

impl<'a> NextObj<'a> for Groups<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let state = self.state;
        state.group.set(state.group.get() + 1);
        let key = loop {
            match (state.current.get(), state.target.get()) {
                (Some((key, _)), None) => break key,
                (Some((key, _)), Some(target)) if !ops::same_or_eq(cx, target, key)? => break key,
                _ => {}
            }
            if !state.step(cx)? {
                return Ok(None);
            }
        };
        state.target.set(Some(key));
        let group = Group {
            state,
            key,
            number: state.group.get(),
        };
        let group = object(cx, "itertools._grouper", group);
        Ok(Some(Obj::Tuple(cx.bump.alloc([key, group]))))
    }
}

struct Group<'a> {
    state: &'a State<'a>,
    key: Obj<'a>,
    number: u64,
}

impl<'a> NextObj<'a> for Group<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let state = self.state;
        if state.group.get() != self.number || (state.current.get().is_none() && !state.step(cx)?) {
            return Ok(None);
        }
        let Some((key, value)) = state.current.get() else {
            return Ok(None);
        };
        if !ops::same_or_eq(cx, self.key, key)? {
            return Ok(None);
        }
        state.current.set(None);
        Ok(Some(value))
    }
}

pub(super) fn groupby<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [values, key] = bind(cx, args, ["iterable", "key"], 1)?;
    let state: &'a State<'a> = cx.bump.alloc(State {
        source: iter::object(cx, values.unwrap_or(Obj::None))?,
        key: key.filter(|key| !matches!(key, Obj::None)),
        target: Cell::new(None),
        current: Cell::new(None),
        group: Cell::new(0),
    });
    Ok(object(cx, "itertools.groupby", Groups { state }))
}
