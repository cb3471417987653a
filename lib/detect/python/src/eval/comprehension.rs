//! Comprehensions, run in the frame around them.

use bumpalo::collections::Vec as BumpVec;

use super::{Frame, assign, expr, test};
use crate::cx::{Cx, R, Raise};
use crate::ir::{Comprehension, ComprehensionKind};
use crate::iter::IterState;
use crate::obj::{Dict, List, Obj, Set};
use crate::ops;
use crate::types::ExcKind;

/// What the rounds make.
enum Sink<'a> {
    Items(BumpVec<'a, Obj<'a>>),
    Dict(Obj<'a>),
    Set(Obj<'a>),
    /// Ends as soon as an element's truth is this.
    Until(bool),
}

/// Evaluates a comprehension.
pub(super) fn eval<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, comp: &'a Comprehension) -> R<'a> {
    // The names could be in use by a run around this one only through recursion, which has frames of its own.
    for slot in &comp.fresh_locals {
        if let Some(local) = frame.locals.get_mut(usize::from(*slot)) {
            *local = Obj::Unbound;
        }
    }
    for slot in &comp.fresh_cells {
        if let Some(cell) = frame.cells.get(usize::from(*slot)) {
            cell.set(cx.bump.alloc(std::cell::Cell::new(Obj::Unbound)));
        }
    }
    let mut sink = match comp.kind {
        ComprehensionKind::List | ComprehensionKind::Tuple => Sink::Items(BumpVec::new_in(cx.bump)),
        ComprehensionKind::Set => Sink::Set(Set::object(cx, BumpVec::new_in(cx.bump), false)?),
        ComprehensionKind::Dict => Sink::Dict(Dict::empty(cx)),
        ComprehensionKind::Any => Sink::Until(true),
        ComprehensionKind::All => Sink::Until(false),
    };
    let Some(outermost) = comp.clauses.first() else {
        return Err(cx.leave("a comprehension without a clause"));
    };
    // What this raises, the code around a generator raises.
    let over = expr::eval(cx, frame, &outermost.iter)?;
    let state = crate::iter::iter(cx, over)?;
    let stopped = each(cx, frame, comp, (0, state), &mut sink).map_err(|raise| match raise {
        Raise::Exception(exception)
            if comp.is_generator && exception.kind.is_subclass(ExcKind::StopIteration) =>
        {
            super::exceptions::of_stop(cx, exception)
        }
        other => other,
    })?;
    Ok(match sink {
        Sink::Items(items) if comp.kind == ComprehensionKind::Tuple => Obj::Tuple(items.into_bump_slice()),
        Sink::Items(items) => List::object(cx, items),
        Sink::Dict(object) | Sink::Set(object) => object,
        Sink::Until(until) => Obj::Bool(stopped == until),
    })
}

/// Runs the clauses from `depth` on; true when the sink wants no more.
fn rounds<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    comp: &'a Comprehension,
    depth: usize,
    sink: &mut Sink<'a>,
) -> R<'a, bool> {
    let Some(clause) = comp.clauses.get(depth) else {
        return element(cx, frame, comp, sink);
    };
    let over = expr::eval(cx, frame, &clause.iter)?;
    let state = crate::iter::iter(cx, over)?;
    each(cx, frame, comp, (depth, state), sink)
}

/// Runs the clause at `depth` over what it goes through; true when the sink wants no more.
fn each<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    comp: &'a Comprehension,
    (depth, mut state): (usize, IterState<'a>),
    sink: &mut Sink<'a>,
) -> R<'a, bool> {
    let Some(clause) = comp.clauses.get(depth) else {
        return Ok(false);
    };
    'next: while let Some(item) = state.next(cx)? {
        assign::assign(cx, frame, &clause.target, item)?;
        for condition in &clause.conditions {
            if !test(cx, frame, condition)? {
                continue 'next;
            }
        }
        if rounds(cx, frame, comp, depth + 1, sink)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn element<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    comp: &'a Comprehension,
    sink: &mut Sink<'a>,
) -> R<'a, bool> {
    match sink {
        Sink::Until(until) => return Ok(test(cx, frame, &comp.element)? == *until),
        Sink::Items(items) => {
            let value = expr::eval(cx, frame, &comp.element)?;
            items.push(value);
        }
        Sink::Set(set) => {
            let value = expr::eval(cx, frame, &comp.element)?;
            Set::insert(cx, *set, value)?;
        }
        Sink::Dict(dict) => {
            let key = expr::eval(cx, frame, &comp.element)?;
            let value = match &comp.value {
                Some(value) => expr::eval(cx, frame, value)?,
                None => Obj::None,
            };
            ops::set_item(cx, *dict, key, value)?;
        }
    }
    Ok(false)
}
