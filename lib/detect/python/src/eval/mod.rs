//! Evaluation of expressions and statements, by walking the tree: frames are slices, names are slots.

mod assign;
mod bind;
mod call;
mod comprehension;
mod exceptions;
mod expr;
mod generator;
mod instance;
mod pattern;
mod stmt;

pub use call::{call, call_method, get_attr as attribute};
pub use generator::Generator;

use std::cell::Cell;

use crate::cx::{Cx, Leave, R, Raise};
use crate::ir::{Code, Expr};
use crate::obj::{CellRef, Obj};

/// The variables of a function that is being run.
pub(crate) struct Frame<'f, 'a> {
    /// What is run.
    pub(crate) code: &'a Code,
    /// Parameters and locals.
    pub(crate) locals: &'f mut [Obj<'a>],
    /// Own cells, then free variables.
    pub(crate) cells: &'a [Cell<CellRef<'a>>],
    /// Cells from here on belong to a function that ended when the rules were loaded: they are frozen.
    pub(crate) frozen_from: usize,
}

impl<'a> Frame<'_, 'a> {
    #[inline]
    pub(crate) fn local(&self, cx: &Cx<'a>, slot: u16) -> R<'a> {
        match self.locals.get(usize::from(slot)) {
            Some(Obj::Unbound) | None => Err(self.unbound_local(cx, slot)),
            Some(value) => Ok(*value),
        }
    }

    #[cold]
    fn unbound_local(&self, cx: &Cx<'a>, slot: u16) -> Raise<'a> {
        let name = self
            .code
            .locals
            .get(usize::from(slot))
            .map_or("?", |name| &**name);
        // A comprehension's variable has a name of its own, which is the source's up to this mark.
        unbound(cx, name.split('@').next().unwrap_or(name))
    }

    pub(crate) fn cell(&self, cx: &Cx<'a>, slot: u16) -> R<'a> {
        let slot = usize::from(slot);
        let value = self.cells.get(slot).map_or(Obj::Unbound, |cell| cell.get().get());
        if !matches!(value, Obj::Unbound) {
            return Ok(value);
        }
        let own = self.code.cells.len();
        Err(match self.code.cells.get(slot) {
            Some(variable) => unbound(cx, &variable.name),
            None => {
                let name = self.code.free.get(slot - own).map_or("?", |name| &**name);
                let kind = crate::types::ExcKind::NameError;
                if cx.program.version.minor < 11 {
                    cx.raise(
                        kind,
                        format_args!(
                            "free variable '{name}' referenced before assignment in enclosing scope"
                        ),
                    )
                } else {
                    cx.raise(
                        kind,
                        format_args!(
                            "cannot access free variable '{name}' where it is not associated with a value in enclosing scope"
                        ),
                    )
                }
            }
        })
    }

    pub(crate) fn set_cell(&self, cx: &Cx<'a>, slot: u16, value: Obj<'a>) -> R<'a, ()> {
        let slot = usize::from(slot);
        if slot >= self.frozen_from {
            return Err(cx.leave("changes a variable that outlives the event"));
        }
        if let Some(cell) = self.cells.get(slot) {
            cell.get().set(value);
        }
        Ok(())
    }
}

fn unbound<'a>(cx: &Cx<'a>, name: &str) -> Raise<'a> {
    let kind = crate::types::ExcKind::UnboundLocalError;
    if cx.program.version.minor < 11 {
        cx.raise(
            kind,
            format_args!("local variable '{name}' referenced before assignment"),
        )
    } else {
        cx.raise(
            kind,
            format_args!("cannot access local variable '{name}' where it is not associated with a value"),
        )
    }
}

/// Leaves at a point that is known since compiling.
pub(crate) const fn leave_at<'a>(point: crate::program::PointId) -> Raise<'a> {
    Raise::Fallback(Leave::Point(point))
}

/// A constant used as a value: what is not known to us leaves.
#[inline]
pub(crate) fn constant<'a>(cx: &Cx<'a>, id: crate::program::ConstId) -> R<'a> {
    match cx.constant(id) {
        Obj::Const(id) => odd_constant(cx, id),
        value => Ok(value),
    }
}

#[cold]
fn odd_constant<'a>(cx: &Cx<'a>, id: crate::program::ConstId) -> R<'a> {
    match &cx.program.consts[id as usize] {
        crate::program::Const::Method(function, receiver) => {
            let pair = (constant(cx, *function)?, constant(cx, *receiver)?);
            Ok(Obj::Method(cx.bump.alloc(pair)))
        }
        crate::program::Const::Singleton(_) | crate::program::Const::Made(_) => {
            crate::ops::resolve(cx, Obj::Const(id))
        }
        crate::program::Const::Unsupported(point) => Err(leave_at(*point)),
        _ => Err(cx.leave("a constant of an unknown kind")),
    }
}

/// The truth of an expression, without making an object of a comparison's answer.
#[inline]
pub(crate) fn test<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, expr: &'a Expr) -> R<'a, bool> {
    match expr {
        Expr::Compare(compare) if compare.1.len() == 1 => {
            let left = expr::eval(cx, frame, &compare.0)?;
            let (op, right) = &compare.1[0];
            let right = expr::eval(cx, frame, right)?;
            crate::ops::compare(cx, *op, left, right)
        }
        Expr::And(parts) => {
            for part in parts {
                if !test(cx, frame, part)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expr::Or(parts) => {
            for part in parts {
                if test(cx, frame, part)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expr::Unary(crate::ir::UnaryOp::Not, operand) => Ok(!test(cx, frame, operand)?),
        _ => match expr::eval(cx, frame, expr)? {
            Obj::Bool(flag) => Ok(flag),
            Obj::None => Ok(false),
            value => crate::ops::truthy(cx, value),
        },
    }
}

#[cfg(test)]
mod tests;
