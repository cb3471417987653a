//! Statements.

use super::{Frame, assign, exceptions, expr, leave_at, pattern, test};
use crate::cx::{Cx, R, Raise};
use crate::ir::{BinaryOp, Expr, For, Stmt, StmtKind, Target, With};
use crate::obj::Obj;
use crate::ops;
use crate::types::ExcKind;

/// Where control goes after a statement.
pub(super) enum Flow<'a> {
    Next,
    Break,
    Continue,
    Return(Obj<'a>),
}

/// Runs statements in order.
pub(super) fn run_body<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, body: &'a [Stmt]) -> R<'a, Flow<'a>> {
    for stmt in body {
        match run(cx, frame, stmt) {
            Ok(Flow::Next) => {}
            Ok(flow) => return Ok(flow),
            Err(raise) => return Err(note_line(cx, stmt.line, raise)),
        }
    }
    Ok(Flow::Next)
}

/// Remembers the innermost line.
#[cold]
pub(super) fn note_line<'a>(cx: &Cx<'a>, line: u32, raise: Raise<'a>) -> Raise<'a> {
    match raise {
        Raise::Exception(exception) => {
            if exception.line.get() == 0 {
                exception.line.set(line);
            }
        }
        Raise::Fallback(_) | Raise::Limit(_) => {
            if cx.line.get() == 0 {
                cx.line.set(line);
            }
        }
    }
    raise
}

/// Runs one statement.
#[inline]
pub(super) fn run<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, stmt: &'a Stmt) -> R<'a, Flow<'a>> {
    cx.tick()?;
    match &stmt.kind {
        StmtKind::Return(value) => Ok(Flow::Return(expr::eval(cx, frame, value)?)),
        StmtKind::If(condition, then, otherwise) => {
            let body = if test(cx, frame, condition)? {
                then
            } else {
                otherwise
            };
            run_body(cx, frame, body)
        }
        StmtKind::Assign(targets, value) => {
            let value = expr::eval(cx, frame, value)?;
            for target in targets {
                assign::assign(cx, frame, target, value)?;
            }
            Ok(Flow::Next)
        }
        StmtKind::For(statement) => run_for(cx, frame, statement),
        StmtKind::Expr(value) => {
            expr::eval(cx, frame, value)?;
            Ok(Flow::Next)
        }
        StmtKind::Pass => Ok(Flow::Next),
        StmtKind::Break => Ok(Flow::Break),
        StmtKind::Continue => Ok(Flow::Continue),
        _ => run_rare(cx, frame, stmt),
    }
}

fn run_rare<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, stmt: &'a Stmt) -> R<'a, Flow<'a>> {
    match &stmt.kind {
        StmtKind::While(condition, body, orelse) => {
            while test(cx, frame, condition)? {
                cx.tick()?;
                match run_body(cx, frame, body)? {
                    Flow::Next | Flow::Continue => {}
                    Flow::Break => return Ok(Flow::Next),
                    flow @ Flow::Return(_) => return Ok(flow),
                }
            }
            run_body(cx, frame, orelse)
        }
        StmtKind::AugAssign(target, op, value) => {
            aug_assign(cx, frame, target, *op, value)?;
            Ok(Flow::Next)
        }
        StmtKind::Delete(targets) => {
            for target in targets {
                assign::delete(cx, frame, target)?;
            }
            Ok(Flow::Next)
        }
        StmtKind::Raise(exc, cause) => Err(exceptions::raise(cx, frame, exc.as_ref(), cause.as_ref())?),
        StmtKind::Assert(condition, message) => {
            if test(cx, frame, condition)? {
                return Ok(Flow::Next);
            }
            Err(match message {
                Some(message) => {
                    let message = expr::eval(cx, frame, message)?;
                    cx.raise_with(ExcKind::AssertionError, &[message])
                }
                None => cx.raise_with(ExcKind::AssertionError, &[]),
            })
        }
        StmtKind::Try(statement) => exceptions::run_try(cx, frame, statement),
        StmtKind::With(statement) => run_with(cx, frame, statement),
        StmtKind::Match(statement) => pattern::run_match(cx, frame, statement),
        StmtKind::Fallback(point) => Err(leave_at(*point)),
        _ => Err(cx.leave("a yield outside of a generator")),
    }
}

fn run_for<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, statement: &'a For) -> R<'a, Flow<'a>> {
    let over = expr::eval(cx, frame, &statement.iter)?;
    let mut state = crate::iter::iter(cx, over)?;
    while let Some(item) = state.next(cx)? {
        assign::assign(cx, frame, &statement.target, item)?;
        match run_body(cx, frame, &statement.body)? {
            Flow::Next | Flow::Continue => {}
            Flow::Break => return Ok(Flow::Next),
            flow @ Flow::Return(_) => return Ok(flow),
        }
    }
    run_body(cx, frame, &statement.orelse)
}

/// `target op= value`: container and index of a target are evaluated once.
pub(super) fn aug_assign<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    target: &'a Target,
    op: BinaryOp,
    value: &'a Expr,
) -> R<'a, ()> {
    if let Target::Index(parts) = target {
        let container = expr::eval(cx, frame, &parts.0)?;
        let index = expr::eval(cx, frame, &parts.1)?;
        let old = ops::get_item(cx, container, index)?;
        let value = expr::eval(cx, frame, value)?;
        let new = ops::in_place(cx, op, old, value)?;
        return ops::set_item(cx, container, index, new);
    }
    if let Target::Attr(parts) = target {
        let object = expr::eval(cx, frame, &parts.0)?;
        let old = super::attribute(cx, object, &parts.1)?;
        let value = expr::eval(cx, frame, value)?;
        let new = ops::in_place(cx, op, old, value)?;
        return assign::set_attr(cx, object, &parts.1, new);
    }
    let old = match target {
        Target::Local(slot) => frame.local(cx, *slot)?,
        Target::Cell(slot) => frame.cell(cx, *slot)?,
        Target::Fallback(point) => return Err(leave_at(*point)),
        _ => return Err(cx.leave("an augmented assignment to several targets")),
    };
    let value = expr::eval(cx, frame, value)?;
    let new = ops::in_place(cx, op, old, value)?;
    assign::assign(cx, frame, target, new)
}

fn run_with<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, statement: &'a With) -> R<'a, Flow<'a>> {
    let manager = expr::eval(cx, frame, &statement.manager)?;
    let Obj::Native(native) = manager else {
        return Err(cx.leave("a context manager that is not known"));
    };
    let Some(entered) = native.enter(cx) else {
        return Err(cx.leave("a context manager that is not known"));
    };
    let entered = entered?;
    if let Some(target) = &statement.target {
        assign::assign(cx, frame, target, entered)?;
    }
    match run_body(cx, frame, &statement.body) {
        Err(Raise::Exception(exception)) => {
            if native.exit(cx, Some(exception))? {
                Ok(Flow::Next)
            } else {
                Err(Raise::Exception(exception))
            }
        }
        Ok(flow) => {
            native.exit(cx, None)?;
            Ok(flow)
        }
        other => other,
    }
}
