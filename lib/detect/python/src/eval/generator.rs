//! Generators. A function with `yield` is run statement by statement from a stack of the blocks it is in, so that it
//! can stop at a `yield` and go on later; what holds no `yield` is run in one go as in any other function.

use std::cell::{Cell, RefCell};

use bumpalo::collections::Vec as BumpVec;

use super::{Frame, assign, bind, call, exceptions, expr, stmt, test};
use crate::cx::{Cx, R, Raise};
use crate::ir::{Body, Code, Stmt, StmtKind, Target, Try};
use crate::iter::IterState;
use crate::obj::{CellRef, Closure, Exception, Obj};
use crate::registry::Args;
use crate::types::ExcKind;
use stmt::Flow;

/// A generator, between two of its elements.
pub struct Generator<'a> {
    code: &'a Code,
    cells: &'a [Cell<CellRef<'a>>],
    frozen_from: usize,
    /// `None` while it runs and after its end.
    state: RefCell<Option<State<'a>>>,
    running: Cell<bool>,
}

/// What a generator remembers.
struct State<'a> {
    locals: BumpVec<'a, Obj<'a>>,
    blocks: BumpVec<'a, Block<'a>>,
}

/// A block that the generator is in.
enum Block<'a> {
    /// Statements, and the next one.
    Body(&'a [Stmt], usize),
    /// A loop; its statements are the block above.
    For(&'a crate::ir::For, IterState<'a>),
    While(&'a crate::ir::Expr, &'a Body, &'a Body),
    Try(&'a Try, Stage<'a>),
    /// `yield from`.
    From(Option<&'a Target>, IterState<'a>),
}

/// Where within a `try` statement.
enum Stage<'a> {
    Body,
    Else,
    /// In a clause: the name to unbind, what is handled, and what was being handled before.
    Handler(Option<&'a Target>, &'a Exception<'a>, Option<&'a Exception<'a>>),
    /// In `finally`: what goes on after it.
    Finally(Completion<'a>),
}

/// What a block ended with.
enum Completion<'a> {
    Flow(Flow<'a>),
    Raised(&'a Exception<'a>),
}

/// What a step answers.
enum Step<'a> {
    Go,
    Yield(Obj<'a>),
    Done,
}

/// The generator object of a call whose arguments are bound.
pub(super) fn object<'a>(
    cx: &Cx<'a>,
    code: &'a Code,
    locals: &[Obj<'a>],
    cells: &'a [Cell<CellRef<'a>>],
    frozen_from: usize,
) -> Obj<'a> {
    let mut own = BumpVec::with_capacity_in(locals.len(), cx.bump);
    own.extend_from_slice(locals);
    let mut blocks = BumpVec::new_in(cx.bump);
    blocks.push(Block::Body(&code.body, 0));
    let generator: &'a Generator<'a> = cx.bump.alloc(Generator {
        code,
        cells,
        frozen_from,
        state: RefCell::new(Some(State { locals: own, blocks })),
        running: Cell::new(false),
    });
    IterState::Generator(generator).object(cx, "generator")
}

/// Makes the generator of a generator expression.
pub(super) fn start<'a>(cx: &Cx<'a>, closure: &'a Closure<'a>, args: &[Obj<'a>]) -> R<'a> {
    let code = closure.code;
    let cells = call::closure_cells(cx, closure);
    let locals = cx.bump.alloc_slice_fill_copy(code.locals.len(), Obj::Unbound);
    let defaults = bind::Defaults::Objects(closure.defaults, closure.kwdefaults);
    bind::bind(cx, code, defaults, &Args::positional(args), locals)?;
    call::fill_cells(code, cells, locals);
    Ok(object(cx, code, locals, cells, usize::MAX))
}

impl<'a> Generator<'a> {
    /// Runs to the next `yield`; `None` at the end.
    ///
    /// # Errors
    /// What the generator raises.
    pub fn next(&self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        if self.running.get() {
            return Err(cx.value_error(format_args!("generator already executing")));
        }
        let Some(mut state) = self.state.borrow_mut().take() else {
            return Ok(None);
        };
        let _depth = call::enter(cx)?;
        self.running.set(true);
        let handling = cx.handling.get();
        resume_handling(cx, &mut state.blocks);
        let result = self.run(cx, &mut state);
        cx.handling.set(handling);
        self.running.set(false);
        match result {
            Ok(Some(value)) => {
                *self.state.borrow_mut() = Some(state);
                Ok(Some(value))
            }
            Ok(None) => Ok(None),
            Err(Raise::Exception(exception)) if exception.kind.is_subclass(ExcKind::StopIteration) => {
                Err(exceptions::of_stop(cx, exception))
            }
            Err(raise) => Err(raise),
        }
    }

    fn run(&self, cx: &Cx<'a>, state: &mut State<'a>) -> R<'a, Option<Obj<'a>>> {
        let State { locals, blocks } = state;
        let mut frame = Frame {
            code: self.code,
            locals,
            cells: self.cells,
            frozen_from: self.frozen_from,
        };
        loop {
            let step = match step(cx, &mut frame, blocks) {
                Err(Raise::Exception(exception)) => {
                    unwind(cx, &mut frame, blocks, Completion::Raised(exception))
                }
                other => other,
            };
            match step? {
                Step::Go => {}
                Step::Yield(value) => return Ok(Some(value)),
                Step::Done => return Ok(None),
            }
        }
    }
}

/// A generator goes on with what it handles itself, on top of what its caller handles now.
fn resume_handling<'a>(cx: &Cx<'a>, blocks: &mut [Block<'a>]) {
    for block in blocks {
        if let Block::Try(_, Stage::Handler(_, exception, before)) = block {
            *before = cx.handling.replace(Some(exception));
        }
    }
}

/// Whether a `yield` is in these statements.
fn yields(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Yield(..) | StmtKind::YieldFrom(..) => true,
        StmtKind::If(_, then, otherwise) => yields(then) || yields(otherwise),
        StmtKind::While(_, body, orelse) => yields(body) || yields(orelse),
        StmtKind::For(statement) => yields(&statement.body) || yields(&statement.orelse),
        StmtKind::Try(statement) => {
            yields(&statement.body)
                || yields(&statement.orelse)
                || yields(&statement.finally)
                || statement.handlers.iter().any(|handler| yields(&handler.body))
        }
        StmtKind::With(statement) => yields(&statement.body),
        StmtKind::Match(statement) => statement.cases.iter().any(|case| yields(&case.body)),
        _ => false,
    })
}

/// Runs the next statement, or the next round of a loop.
fn step<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, blocks: &mut BumpVec<'a, Block<'a>>) -> R<'a, Step<'a>> {
    let Some(block) = blocks.last_mut() else {
        return Ok(Step::Done);
    };
    match block {
        Block::Body(body, at) => {
            let Some(stmt) = body.get(*at) else {
                blocks.pop();
                return ended(cx, frame, blocks);
            };
            *at += 1;
            run_stmt(cx, frame, blocks, stmt).map_err(|raise| stmt::note_line(cx, stmt.line, raise))
        }
        Block::For(statement, iter) => {
            let statement: &'a crate::ir::For = statement;
            match iter.next(cx)? {
                Some(item) => {
                    assign::assign(cx, frame, &statement.target, item)?;
                    blocks.push(Block::Body(&statement.body, 0));
                }
                None => {
                    blocks.pop();
                    blocks.push(Block::Body(&statement.orelse, 0));
                }
            }
            Ok(Step::Go)
        }
        Block::While(condition, body, orelse) => {
            let (condition, body, orelse): (&'a _, &'a Body, &'a Body) = (*condition, *body, *orelse);
            cx.tick()?;
            if test(cx, frame, condition)? {
                blocks.push(Block::Body(body, 0));
            } else {
                blocks.pop();
                blocks.push(Block::Body(orelse, 0));
            }
            Ok(Step::Go)
        }
        Block::From(target, iter) => {
            let target: Option<&'a Target> = *target;
            match iter.next(cx)? {
                Some(item) => Ok(Step::Yield(item)),
                None => {
                    blocks.pop();
                    // What the inner generator returned is not known here; only `None` is common.
                    match target {
                        Some(_) => Err(cx.leave("the value of a yield from")),
                        None => Ok(Step::Go),
                    }
                }
            }
        }
        // A try statement whose current part has ended.
        Block::Try(..) => ended(cx, frame, blocks),
    }
}

/// A body has ended normally: what is around it goes on.
fn ended<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, blocks: &mut BumpVec<'a, Block<'a>>) -> R<'a, Step<'a>> {
    let Some(Block::Try(statement, stage)) = blocks.last_mut() else {
        return Ok(Step::Go);
    };
    let statement: &'a Try = statement;
    match std::mem::replace(stage, Stage::Else) {
        Stage::Body => {
            blocks.push(Block::Body(&statement.orelse, 0));
            Ok(Step::Go)
        }
        Stage::Handler(name, _, handling) => {
            leave_handler(cx, frame, name, handling)?;
            start_finally(blocks, statement, Completion::Flow(Flow::Next))
        }
        Stage::Else => start_finally(blocks, statement, Completion::Flow(Flow::Next)),
        Stage::Finally(completion) => {
            blocks.pop();
            match completion {
                Completion::Flow(Flow::Next) => Ok(Step::Go),
                completion => unwind(cx, frame, blocks, completion),
            }
        }
    }
}

fn leave_handler<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    name: Option<&'a Target>,
    handling: Option<&'a Exception<'a>>,
) -> R<'a, ()> {
    cx.handling.set(handling);
    match name {
        Some(name) => assign::assign(cx, frame, name, Obj::Unbound),
        None => Ok(()),
    }
}

/// Enters `finally`; the `try` block is the last one.
fn start_finally<'a>(
    blocks: &mut BumpVec<'a, Block<'a>>,
    statement: &'a Try,
    completion: Completion<'a>,
) -> R<'a, Step<'a>> {
    if let Some(Block::Try(_, stage)) = blocks.last_mut() {
        *stage = Stage::Finally(completion);
    }
    blocks.push(Block::Body(&statement.finally, 0));
    Ok(Step::Go)
}

fn run_stmt<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    blocks: &mut BumpVec<'a, Block<'a>>,
    stmt: &'a Stmt,
) -> R<'a, Step<'a>> {
    match &stmt.kind {
        StmtKind::Yield(target, value) => {
            cx.tick()?;
            let value = expr::eval(cx, frame, value)?;
            // What `next` sends in is None, and nothing runs between the yield and its assignment.
            if let Some(target) = target {
                assign::assign(cx, frame, target, Obj::None)?;
            }
            return Ok(Step::Yield(value));
        }
        StmtKind::YieldFrom(target, value) => {
            let value = expr::eval(cx, frame, value)?;
            let state = crate::iter::iter(cx, value)?;
            blocks.push(Block::From(target.as_ref(), state));
            return Ok(Step::Go);
        }
        _ if !yields(std::slice::from_ref(stmt)) => {
            return match stmt::run(cx, frame, stmt)? {
                Flow::Next => Ok(Step::Go),
                flow => unwind(cx, frame, blocks, Completion::Flow(flow)),
            };
        }
        _ => {}
    }
    cx.tick()?;
    match &stmt.kind {
        StmtKind::If(condition, then, otherwise) => {
            let body = if test(cx, frame, condition)? {
                then
            } else {
                otherwise
            };
            blocks.push(Block::Body(body, 0));
        }
        StmtKind::While(condition, body, orelse) => blocks.push(Block::While(condition, body, orelse)),
        StmtKind::For(statement) => {
            let over = expr::eval(cx, frame, &statement.iter)?;
            let state = crate::iter::iter(cx, over)?;
            blocks.push(Block::For(statement, state));
        }
        StmtKind::Try(statement) => {
            blocks.push(Block::Try(statement, Stage::Body));
            blocks.push(Block::Body(&statement.body, 0));
        }
        _ => return Err(cx.leave("a yield within this kind of statement")),
    }
    Ok(Step::Go)
}

/// Leaves blocks for a `break`, `continue`, `return` or exception until one takes it.
fn unwind<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    blocks: &mut BumpVec<'a, Block<'a>>,
    mut completion: Completion<'a>,
) -> R<'a, Step<'a>> {
    while let Some(block) = blocks.pop() {
        match (block, completion) {
            (Block::For(..) | Block::While(..), Completion::Flow(Flow::Break)) => return Ok(Step::Go),
            (block @ (Block::For(..) | Block::While(..)), Completion::Flow(Flow::Continue)) => {
                blocks.push(block);
                return Ok(Step::Go);
            }
            (Block::Try(statement, stage), now) => {
                blocks.push(Block::Try(statement, Stage::Else));
                match leave_try(cx, frame, blocks, statement, stage, now)? {
                    Some(still) => {
                        blocks.pop();
                        completion = still;
                    }
                    None => return Ok(Step::Go),
                }
            }
            (_, now) => completion = now,
        }
    }
    match completion {
        Completion::Raised(exception) => Err(Raise::Exception(exception)),
        // The value of `return` is nobody's here.
        Completion::Flow(_) => Ok(Step::Done),
    }
}

/// A `try` statement, again the last block, is left from `stage`; `None` when it goes on itself.
fn leave_try<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    blocks: &mut BumpVec<'a, Block<'a>>,
    statement: &'a Try,
    stage: Stage<'a>,
    completion: Completion<'a>,
) -> R<'a, Option<Completion<'a>>> {
    let completion = match (stage, completion) {
        (Stage::Finally(_), completion) => return Ok(Some(completion)),
        (Stage::Body, Completion::Raised(exception)) => {
            let handling = cx.handling.replace(Some(exception));
            match exceptions::find_handler(cx, frame, &statement.handlers, exception) {
                Ok(Some(handler)) => {
                    if let Some(name) = &handler.name {
                        assign::assign(cx, frame, name, Obj::Exception(exception))?;
                    }
                    if let Some(Block::Try(_, stage)) = blocks.last_mut() {
                        *stage = Stage::Handler(handler.name.as_ref(), exception, handling);
                    }
                    blocks.push(Block::Body(&handler.body, 0));
                    return Ok(None);
                }
                Ok(None) => {
                    cx.handling.set(handling);
                    Completion::Raised(exception)
                }
                Err(Raise::Exception(other)) => {
                    cx.handling.set(handling);
                    Completion::Raised(other)
                }
                Err(raise) => return Err(raise),
            }
        }
        (Stage::Handler(name, _, handling), completion) => {
            leave_handler(cx, frame, name, handling)?;
            completion
        }
        (_, completion) => completion,
    };
    if statement.finally.is_empty() {
        return Ok(Some(completion));
    }
    start_finally(blocks, statement, completion)?;
    Ok(None)
}
