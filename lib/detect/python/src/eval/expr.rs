//! Expressions.

use bumpalo::collections::Vec as BumpVec;

use super::{Frame, assign, call, comprehension, constant, generator, leave_at, test};
use crate::cx::{Cx, R, Raise, Slot};
use crate::ir::{CallArgs, Conversion, Expr, FStringPart, Item, MakeFunction, MemoExpr, PathExpr, UnaryOp};
use crate::obj::{CellRef, Closure, Obj};
use crate::registry::Args;
use crate::types::ExcKind;
use crate::{ops, text};

/// Elements of a set display that CPython evaluates before it hashes the first one.
const SET_AT_ONCE_MAX: usize = 30;

/// Entries of a dictionary display that CPython evaluates before it hashes the first key.
const DICT_AT_ONCE_MAX: usize = 15;

/// Evaluates an expression.
pub(crate) fn eval<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, expr: &'a Expr) -> R<'a> {
    match expr {
        Expr::Const(id) => constant(cx, *id),
        Expr::Local(slot) => frame.local(cx, *slot),
        Expr::Cell(slot) => frame.cell(cx, *slot),
        Expr::Path(path) => eval_path(cx, frame, path),
        Expr::Memo(memo) => eval_memo(cx, frame, memo),
        Expr::Compare(_) | Expr::Unary(UnaryOp::Not, _) => eval_compare(cx, frame, expr),
        Expr::And(parts) => eval_and_or(cx, frame, parts, false),
        Expr::Or(parts) => eval_and_or(cx, frame, parts, true),
        Expr::MethodCall(method) => {
            let receiver = eval(cx, frame, &method.value)?;
            let resolved = call::resolve(cx, receiver, &method.site)?;
            with_args(cx, frame, &method.args, |cx, args| {
                call::call_resolved(cx, receiver, &method.site, resolved, args)
            })
        }
        Expr::Call(site) => {
            let func = eval(cx, frame, &site.func)?;
            with_args(cx, frame, &site.args, |cx, args| call(cx, func, args))
        }
        Expr::Index(parts) => {
            let value = eval(cx, frame, &parts.0)?;
            let index = eval(cx, frame, &parts.1)?;
            ops::get_item(cx, value, index)
        }
        Expr::Binary(op, operands) => {
            let left = eval(cx, frame, &operands.0)?;
            let right = eval(cx, frame, &operands.1)?;
            ops::binary(cx, *op, left, right)
        }
        Expr::IfElse(parts) => {
            let taken = if test(cx, frame, &parts[0])? {
                &parts[1]
            } else {
                &parts[2]
            };
            eval(cx, frame, taken)
        }
        Expr::Comprehension(comprehension) => comprehension::eval(cx, frame, comprehension),
        _ => eval_rare(cx, frame, expr),
    }
}

fn eval_rare<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, expr: &'a Expr) -> R<'a> {
    match expr {
        Expr::Attr(parts) => {
            let value = eval(cx, frame, &parts.0)?;
            call::get_attr(cx, value, &parts.1)
        }
        Expr::Slice(parts) => {
            let parts = [
                eval(cx, frame, &parts[0])?,
                eval(cx, frame, &parts[1])?,
                eval(cx, frame, &parts[2])?,
            ];
            Ok(Obj::Slice(cx.bump.alloc(parts)))
        }
        Expr::Unary(op, operand) => {
            let operand = eval(cx, frame, operand)?;
            ops::unary(cx, *op, operand)
        }
        Expr::Tuple(items) => Ok(Obj::Tuple(eval_items(cx, frame, items)?.into_bump_slice())),
        Expr::List(items) => {
            let items = eval_items(cx, frame, items)?;
            Ok(crate::obj::List::object(cx, items))
        }
        Expr::Set(items) => {
            let set =
                eval_items(cx, frame, items).and_then(|items| crate::obj::Set::object(cx, items, false));
            // When elements are hashed, and by which instruction: only seen when it fails.
            let plain =
                items.len() <= SET_AT_ONCE_MAX && items.iter().all(|item| matches!(item, Item::One(_)));
            set.map_err(|error| match error {
                Raise::Exception(_) if !plain => cx.leave("a set display with * or of many elements fails"),
                error => error,
            })
        }
        Expr::Dict(entries) => eval_dict(cx, frame, entries),
        Expr::MakeFunction(make) => make_function(cx, frame, make),
        Expr::FString(parts) => Ok(Obj::Str(fstring(cx, frame, parts)?)),
        Expr::Walrus(parts) => {
            let value = eval(cx, frame, &parts.1)?;
            assign::assign(cx, frame, &parts.0, value)?;
            Ok(value)
        }
        Expr::Missing(name) => {
            Err(cx.raise(ExcKind::NameError, format_args!("name '{name}' is not defined")))
        }
        Expr::Fallback(point) => Err(leave_at(*point)),
        _ => Err(cx.leave("an expression of an unknown kind")),
    }
}

fn eval_compare<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, expr: &'a Expr) -> R<'a> {
    let Expr::Compare(compare) = expr else {
        return test(cx, frame, expr).map(Obj::Bool);
    };
    let mut left = eval(cx, frame, &compare.0)?;
    for (op, right) in &compare.1 {
        let right = eval(cx, frame, right)?;
        if !ops::compare(cx, *op, left, right)? {
            return Ok(Obj::Bool(false));
        }
        left = right;
    }
    Ok(Obj::Bool(true))
}

/// The first operand whose truth is `until`, or the last one.
fn eval_and_or<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, parts: &'a [Expr], until: bool) -> R<'a> {
    let Some((last, first)) = parts.split_last() else {
        return Ok(Obj::None);
    };
    for part in first {
        let value = eval(cx, frame, part)?;
        if ops::truthy(cx, value)? == until {
            return Ok(value);
        }
    }
    eval(cx, frame, last)
}

#[inline]
fn eval_path<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, path: &'a PathExpr) -> R<'a> {
    // Index 0 is the record itself: no other dictionary has it.
    if let Some(Obj::NodeDict(0)) = frame.locals.get(usize::from(path.local)) {
        match (cx.slot(path.path), path.absent) {
            (Slot::Present(value), _) => return Ok(value),
            (Slot::Absent, Some(default)) if is_there(cx, path.required) => return constant(cx, default),
            _ => {}
        }
    }
    eval(cx, frame, &path.otherwise)
}

/// Whether the part of a field that raises when it is missing is there.
#[inline]
fn is_there(cx: &Cx<'_>, required: Option<crate::program::PathId>) -> bool {
    required.is_none_or(|path| matches!(cx.place(path), crate::marks::Place::Node(_)))
}

fn eval_memo<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, memo: &'a MemoExpr) -> R<'a> {
    let is_record = matches!(frame.locals.get(usize::from(memo.local)), Some(Obj::NodeDict(0)));
    if !is_record {
        return eval(cx, frame, &memo.expr);
    }
    if let Some(known) = cx.kept(memo.slot) {
        cx.tick()?;
        return Ok(known);
    }
    let value = eval(cx, frame, &memo.expr)?;
    cx.keep(memo.slot, value);
    Ok(value)
}

/// Evaluates arguments and hands them on.
#[inline]
pub(super) fn with_args<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    args: &'a CallArgs,
    then: impl FnOnce(&Cx<'a>, &Args<'_, 'a>) -> R<'a>,
) -> R<'a> {
    if args.keywords.is_empty() {
        match &*args.positional {
            [] => return then(cx, &Args::positional(&[])),
            [Item::One(one)] => {
                let one = [eval(cx, frame, one)?];
                return then(cx, &Args::positional(&one));
            }
            [Item::One(one), Item::One(two)] => {
                let both = [eval(cx, frame, one)?, eval(cx, frame, two)?];
                return then(cx, &Args::positional(&both));
            }
            _ => {}
        }
    }
    // A star that is the only positional argument is gone through after all else is evaluated.
    let (pos, last) = match &*args.positional {
        [Item::Star(last)] => (BumpVec::new_in(cx.bump), Some(eval(cx, frame, last)?)),
        items => (eval_items(cx, frame, items)?, None),
    };
    let mut kw: BumpVec<'a, (&'a str, Obj<'a>)> = BumpVec::new_in(cx.bump);
    for (name, value) in &args.keywords {
        let value = eval(cx, frame, value)?;
        match name {
            Some(name) => push_keyword(cx, &mut kw, name, value)?,
            None => spread_keywords(cx, &mut kw, value)?,
        }
    }
    let mut pos = pos;
    if let Some(last) = last {
        // The message names the function, which is not at hand.
        let mut state =
            crate::iter::iter(cx, last).map_err(|_| cx.leave("* of an argument that is not iterable"))?;
        while let Some(item) = state.next(cx)? {
            pos.push(item);
        }
    }
    then(cx, &Args { pos: &pos, kw: &kw })
}

fn push_keyword<'a>(
    cx: &Cx<'a>,
    kw: &mut BumpVec<'a, (&'a str, Obj<'a>)>,
    name: &'a str,
    value: Obj<'a>,
) -> R<'a, ()> {
    if kw.iter().any(|(known, _)| *known == name) {
        // The message names the function, which is not at hand.
        return Err(cx.leave("a keyword argument given twice"));
    }
    kw.push((name, value));
    Ok(())
}

fn spread_keywords<'a>(cx: &Cx<'a>, kw: &mut BumpVec<'a, (&'a str, Obj<'a>)>, value: Obj<'a>) -> R<'a, ()> {
    if !matches!(value, Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_)) {
        return Err(cx.leave("** of something that is no dictionary"));
    }
    for key in crate::iter::collect(cx, value)? {
        let Obj::Str(name) = key else {
            return Err(cx.leave("** of a dictionary with keys that are no text"));
        };
        let Some(item) = ops::dict_get(cx, value, key)? else {
            continue;
        };
        push_keyword(cx, kw, name, item)?;
    }
    Ok(())
}

pub(super) fn eval_items<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    items: &'a [Item],
) -> R<'a, BumpVec<'a, Obj<'a>>> {
    let mut values = BumpVec::with_capacity_in(items.len(), cx.bump);
    for item in items {
        match item {
            Item::One(expr) => values.push(eval(cx, frame, expr)?),
            Item::Star(expr) => {
                let value = eval(cx, frame, expr)?;
                let mut state = crate::iter::iter(cx, value).map_err(|error| not_spread(cx, value, error))?;
                while let Some(item) = state.next(cx)? {
                    values.push(item);
                }
            }
        }
    }
    Ok(values)
}

/// What an operand of `*` that is not iterable raises.
#[cold]
fn not_spread<'a>(cx: &Cx<'a>, value: Obj<'a>, error: Raise<'a>) -> Raise<'a> {
    match error {
        Raise::Exception(_) if cx.program.version.minor < 9 => {
            cx.leave("* of something that is not iterable before Python 3.9")
        }
        Raise::Exception(_) => {
            let name = ops::type_name(cx, value);
            cx.type_error(format_args!("Value after * must be an iterable, not {name}"))
        }
        error => error,
    }
}

/// CPython evaluates all keys and values up to the next `**` before it hashes the first key: what an expression raises
/// comes before what a key that cannot be hashed raises.
fn eval_dict<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, entries: &'a [(Option<Expr>, Expr)]) -> R<'a> {
    let dict = crate::obj::Dict::empty(cx);
    let mut failed: Option<Raise<'a>> = None;
    for (key, value) in entries {
        if let Some(key) = key {
            let key = eval(cx, frame, key)?;
            let value = eval(cx, frame, value)?;
            if failed.is_none()
                && let Err(error) = ops::set_item(cx, dict, key, value)
            {
                if entries.len() > DICT_AT_ONCE_MAX {
                    return Err(cx.leave("a dictionary display of many elements fails"));
                }
                failed = Some(error);
            }
            continue;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let other = eval(cx, frame, value)?;
        if !matches!(other, Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_)) {
            if cx.program.version.minor < 9 {
                return Err(cx.leave("** of something that is no mapping before Python 3.9"));
            }
            let name = ops::type_name(cx, other);
            return Err(cx.type_error(format_args!("'{name}' object is not a mapping")));
        }
        for key in crate::iter::collect(cx, other)? {
            if let Some(value) = ops::dict_get(cx, other, key)? {
                ops::set_item(cx, dict, key, value)?;
            }
        }
    }
    failed.map_or(Ok(dict), Err)
}

fn make_function<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, make: &'a MakeFunction) -> R<'a> {
    let mut defaults = BumpVec::with_capacity_in(make.defaults.len(), cx.bump);
    for default in &make.defaults {
        defaults.push(eval(cx, frame, default)?);
    }
    let mut kwdefaults = BumpVec::with_capacity_in(make.kwdefaults.len(), cx.bump);
    for (name, default) in &make.kwdefaults {
        kwdefaults.push((&**name, eval(cx, frame, default)?));
    }
    let mut cells: BumpVec<'a, CellRef<'a>> = BumpVec::with_capacity_in(make.captures.len(), cx.bump);
    for capture in &make.captures {
        let Some(cell) = frame.cells.get(usize::from(*capture)) else {
            return Err(cx.leave("a captured variable without a cell"));
        };
        if usize::from(*capture) >= frame.frozen_from {
            // Its own frozen cells are passed on as such only by copying, so that nobody changes them.
            cells.push(cx.bump.alloc(std::cell::Cell::new(cell.get().get())));
        } else {
            cells.push(cell.get());
        }
    }
    let closure: &'a Closure<'a> = cx.bump.alloc(Closure {
        code: &cx.program.codes[make.code as usize],
        defaults: defaults.into_bump_slice(),
        kwdefaults: kwdefaults.into_bump_slice(),
        cells: cells.into_bump_slice(),
    });
    match &make.generator_over {
        None => Ok(Obj::Closure(closure)),
        Some(over) => {
            let over = eval(cx, frame, over)?;
            let state = crate::iter::iter(cx, over)?;
            let iterator = state.object(cx, "iterator");
            generator::start(cx, closure, &[iterator])
        }
    }
}

fn fstring<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, parts: &'a [FStringPart]) -> R<'a, &'a str> {
    let mut out = bumpalo::collections::String::new_in(cx.bump);
    for part in parts {
        match part {
            FStringPart::Text(text) => out.push_str(text),
            FStringPart::Value(value, conversion, spec) => {
                let value = eval(cx, frame, value)?;
                let value = match conversion {
                    Conversion::None => value,
                    Conversion::Str => Obj::Str(text::str(cx, value)?),
                    Conversion::Repr => Obj::Str(text::repr(cx, value)?),
                    Conversion::Ascii => Obj::Str(text::ascii(cx, value)?),
                };
                let spec = match spec {
                    Some(spec) => fstring(cx, frame, spec)?,
                    None => "",
                };
                let text = text::format(cx, value, spec)?;
                cx.reserve(out.len() + text.len())?;
                out.push_str(text);
            }
        }
    }
    Ok(out.into_bump_str())
}
