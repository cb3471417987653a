//! Evaluation of expressions and statements.

use std::cell::RefCell;

use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::Args;

/// A generator, between two of its elements.
pub struct Generator<'a> {
    /// Its frame; `None` while it runs and after its end.
    pub frame: RefCell<Option<GeneratorFrame<'a>>>,
}

/// What a generator remembers.
pub struct GeneratorFrame<'a> {
    /// Placeholder.
    pub locals: bumpalo::collections::Vec<'a, Obj<'a>>,
}

impl<'a> Generator<'a> {
    /// Runs to the next `yield`.
    ///
    /// # Errors
    /// What the generator raises.
    pub fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        Err(cx.leave("not built"))
    }
}

/// Calls anything.
///
/// # Errors
/// What Python raises.
pub fn call<'a>(cx: &Cx<'a>, _func: Obj<'a>, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.leave("not built"))
}

/// Calls a method by name, for receivers of any type.
///
/// # Errors
/// What Python raises.
pub fn call_method<'a>(cx: &Cx<'a>, _receiver: Obj<'a>, _name: &'a str, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.leave("not built"))
}
