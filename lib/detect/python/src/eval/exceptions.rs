//! Exceptions: raising, matching, handling.

use std::cell::Cell;

use super::{Frame, assign, expr, stmt};
use crate::cx::{Cx, R, Raise};
use crate::ir::{Expr, Handler, Try};
use crate::obj::{Exception, Obj};
use crate::registry::Args;
use crate::types::{ExcKind, Type};

/// An exception of a class that the user wrote.
pub(super) fn of_user_class<'a>(
    cx: &Cx<'a>,
    kind: ExcKind,
    class: u32,
    args: &[Obj<'a>],
) -> &'a Exception<'a> {
    cx.bump.alloc(Exception {
        kind,
        user: Some(class),
        args: cx.bump.alloc_slice_copy(args),
        cause: Cell::new(None),
        context: Cell::new(None),
        line: Cell::new(0),
        extra: &[],
    })
}

/// `raise exc from cause`.
pub(super) fn raise<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    exc: Option<&'a Expr>,
    cause: Option<&'a Expr>,
) -> R<'a, Raise<'a>> {
    let Some(exc) = exc else {
        return Ok(match cx.handling.get() {
            Some(current) => Raise::Exception(current),
            None => cx.raise(
                ExcKind::RuntimeError,
                format_args!("No active exception to reraise"),
            ),
        });
    };
    let value = expr::eval(cx, frame, exc)?;
    let exception = instance(cx, value)?;
    if let Some(cause) = cause {
        let cause = expr::eval(cx, frame, cause)?;
        match cause {
            Obj::None => exception.cause.set(None),
            _ => match instance(cx, cause) {
                Ok(cause) => exception.cause.set(Some(cause)),
                Err(Raise::Exception(_)) => {
                    return Err(
                        cx.type_error(format_args!("exception causes must derive from BaseException"))
                    );
                }
                Err(other) => return Err(other),
            },
        }
    }
    if let Some(current) = cx.handling.get()
        && !std::ptr::eq(current, exception)
    {
        exception.context.set(Some(current));
    }
    Ok(Raise::Exception(exception))
}

/// An exception object of an exception or exception class.
fn instance<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a Exception<'a>> {
    let made = match value {
        Obj::Exception(exception) => return Ok(exception),
        Obj::Type(Type::Exc(_)) => super::call(cx, value, &Args::positional(&[]))?,
        Obj::Class(class) | Obj::Type(Type::User(class))
            if cx.program.classes[class as usize].exception.is_some() =>
        {
            super::call(cx, value, &Args::positional(&[]))?
        }
        _ => Obj::None,
    };
    match made {
        Obj::Exception(exception) => Ok(exception),
        _ => Err(cx.type_error(format_args!("exceptions must derive from BaseException"))),
    }
}

/// Whether an exception is of a class.
pub(super) fn matches<'a>(cx: &Cx<'a>, exception: &Exception<'a>, classes: Obj<'a>) -> R<'a, bool> {
    match classes {
        Obj::Type(Type::Exc(kind)) => Ok(exception.kind.is_subclass(kind)),
        Obj::Class(class) | Obj::Type(Type::User(class))
            if cx.program.classes[class as usize].exception.is_some() =>
        {
            Ok(exception
                .user
                .is_some_and(|own| own == class || cx.program.classes[own as usize].bases.contains(&class)))
        }
        Obj::Tuple(items) => any_of(cx, exception, items),
        Obj::ConstTuple(seq) => {
            let mut items = bumpalo::collections::Vec::with_capacity_in(seq.items.len(), cx.bump);
            for id in &seq.items {
                items.push(super::constant(cx, *id)?);
            }
            any_of(cx, exception, &items)
        }
        Obj::Const(id) => matches(cx, exception, super::constant(cx, id)?),
        Obj::NativeClass(_) => Err(cx.leave("an exception class of a module")),
        _ => Err(cx.type_error(format_args!(
            "catching classes that do not inherit from BaseException is not allowed"
        ))),
    }
}

/// All elements are looked at, even behind the one that matches; tuples within are none.
fn any_of<'a>(cx: &Cx<'a>, exception: &Exception<'a>, classes: &[Obj<'a>]) -> R<'a, bool> {
    let mut found = false;
    for class in classes {
        let class = match class {
            Obj::Const(id) => super::constant(cx, *id)?,
            Obj::Tuple(_) | Obj::ConstTuple(_) => Obj::None,
            class => *class,
        };
        found |= matches(cx, exception, class)?;
    }
    Ok(found)
}

/// What `StopIteration` becomes on its way out of a generator.
#[cold]
pub(super) fn of_stop<'a>(cx: &Cx<'a>, stop: &'a Exception<'a>) -> Raise<'a> {
    let error = cx.exception(
        ExcKind::RuntimeError,
        &[Obj::Str("generator raised StopIteration")],
    );
    error.cause.set(Some(stop));
    error.context.set(Some(stop));
    Raise::Exception(error)
}

/// Runs a `try` statement.
pub(super) fn run_try<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    statement: &'a Try,
) -> R<'a, stmt::Flow<'a>> {
    let outcome = match stmt::run_body(cx, frame, &statement.body) {
        Ok(stmt::Flow::Next) => stmt::run_body(cx, frame, &statement.orelse),
        Err(Raise::Exception(exception)) => handle(cx, frame, &statement.handlers, exception),
        other => other,
    };
    if statement.finally.is_empty() || matches!(outcome, Err(Raise::Fallback(_) | Raise::Limit(_))) {
        return outcome;
    }
    let saved = cx.handling.get();
    if let Err(Raise::Exception(exception)) = &outcome {
        cx.handling.set(Some(exception));
    }
    let flow = stmt::run_body(cx, frame, &statement.finally);
    cx.handling.set(saved);
    // A `return`, `break` or exception of the `finally` body replaces what was on its way.
    match flow? {
        stmt::Flow::Next => outcome,
        flow => Ok(flow),
    }
}

/// Finds the clause for an exception and runs it; without one the exception goes on.
fn handle<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    handlers: &'a [Handler],
    exception: &'a Exception<'a>,
) -> R<'a, stmt::Flow<'a>> {
    let saved = cx.handling.replace(Some(exception));
    let result = find_handler(cx, frame, handlers, exception);
    let result = match result {
        Ok(Some(handler)) => run_handler(cx, frame, handler, exception),
        Ok(None) => Err(Raise::Exception(exception)),
        Err(error) => Err(error),
    };
    cx.handling.set(saved);
    result
}

/// The clause for an exception.
pub(super) fn find_handler<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    handlers: &'a [Handler],
    exception: &'a Exception<'a>,
) -> R<'a, Option<&'a Handler>> {
    for handler in handlers {
        let Some(types) = &handler.types else {
            return Ok(Some(handler));
        };
        let classes = expr::eval(cx, frame, types)?;
        if matches(cx, exception, classes)? {
            return Ok(Some(handler));
        }
    }
    Ok(None)
}

fn run_handler<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    handler: &'a Handler,
    exception: &'a Exception<'a>,
) -> R<'a, stmt::Flow<'a>> {
    if let Some(name) = &handler.name {
        assign::assign(cx, frame, name, Obj::Exception(exception))?;
    }
    let result = stmt::run_body(cx, frame, &handler.body);
    if let Some(name) = &handler.name {
        assign::assign(cx, frame, name, Obj::Unbound)?;
    }
    result
}
