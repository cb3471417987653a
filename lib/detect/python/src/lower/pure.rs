//! Which functions answer the same whenever they are asked the same.
//!
//! Pure here: only its arguments and constants decide the answer or the exception. It may change objects that it
//! made; changing the record or a constant falls back when it happens.

use super::walk::{Visit, walk_body, walk_expr, walk_stmt};
use crate::ir::{Code, Expr, Item, Stmt, StmtKind, Target};
use crate::program::{CodeId, Const, ConstId};
use crate::types::Type;

/// Sets [`Code::is_pure`].
pub(super) fn mark(codes: &mut [Code], consts: &[Const]) {
    let mut calls: Vec<Option<Vec<CodeId>>> = codes.iter().map(|code| callees(code, consts)).collect();
    // Whoever calls an impure function is impure: until nothing changes any more. Each round finds at least one.
    let mut callers: Vec<Vec<CodeId>> = vec![Vec::new(); codes.len()];
    for (caller, called) in calls.iter().enumerate() {
        for callee in called.iter().flatten() {
            if let Some(known) = callers.get_mut(*callee as usize) {
                known.push(caller as CodeId);
            }
        }
    }
    let mut todo: Vec<CodeId> = (0..)
        .zip(&calls)
        .filter(|(_, called)| called.is_none())
        .map(|(code, _)| code)
        .collect();
    while let Some(impure) = todo.pop() {
        for caller in callers.get(impure as usize).into_iter().flatten() {
            if let Some(called) = calls.get_mut(*caller as usize)
                && called.take().is_some()
            {
                todo.push(*caller);
            }
        }
    }
    for (code, called) in codes.iter_mut().zip(&calls) {
        code.is_pure = called.is_some();
    }
}

/// The user's functions that a function calls, or `None` when it is impure by itself.
fn callees(code: &Code, consts: &[Const]) -> Option<Vec<CodeId>> {
    // A generator is an object with a state.
    if code.is_generator || !code.free.is_empty() {
        return None;
    }
    let mut finder = Finder {
        consts,
        called: Vec::new(),
        impure: false,
    };
    walk_body(&mut finder, &code.body);
    (!finder.impure).then_some(finder.called)
}

/// The functions of the user's that an expression calls, or `None` when it is impure by itself.
pub(super) fn callees_of_expr(expr: &Expr, consts: &[Const]) -> Option<Vec<CodeId>> {
    let mut finder = Finder {
        consts,
        called: Vec::new(),
        impure: false,
    };
    finder.expr(expr);
    (!finder.impure).then_some(finder.called)
}

struct Finder<'a> {
    consts: &'a [Const],
    called: Vec<CodeId>,
    impure: bool,
}

impl Finder<'_> {
    /// A constant that is called, or handed to something that may call it.
    fn callable(&mut self, id: ConstId, depth: u32) {
        match self.consts.get(id as usize) {
            Some(Const::Function(function)) => self.called.push(function.code),
            Some(Const::Method(func, _)) if depth < 8 => self.callable(*func, depth + 1),
            Some(Const::Partial(partial)) if depth < 8 => {
                self.callable(partial.func, depth + 1);
                partial.args.iter().for_each(|arg| self.callable(*arg, depth + 1));
            }
            // The class is ours and makes the same of the same.
            Some(Const::Made(made)) if depth < 8 => {
                made.args.iter().for_each(|arg| self.callable(*arg, depth + 1));
            }
            Some(Const::Builtin(function)) => self.impure |= !function.pure,
            // Classes of modules of ours say nothing on purity; `datetime.now` is a function of one.
            Some(Const::NativeClass(_) | Const::Unsupported(_) | Const::Singleton(_) | Const::Class(_)) => {
                self.impure = true;
            }
            Some(Const::Type(Type::Native(_))) => self.impure = true,
            // Functions within a container may be called by whoever takes them out.
            Some(Const::Tuple(seq) | Const::List(seq)) if depth < 8 => {
                seq.items.iter().for_each(|item| self.callable(*item, depth + 1));
            }
            Some(Const::Dict(dict)) if depth < 8 => {
                dict.entries
                    .iter()
                    .for_each(|(_, _, value)| self.callable(*value, depth + 1));
            }
            Some(
                Const::Tuple(_) | Const::List(_) | Const::Dict(_) | Const::Method(..) | Const::Partial(_),
            ) => {
                self.impure = true;
            }
            _ => {}
        }
    }
}

impl Visit for Finder<'_> {
    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Yield(..) | StmtKind::YieldFrom(..) => self.impure = true,
            // Which exception is being handled is not the function's own affair when it is outside of it.
            StmtKind::Raise(None, _) => self.impure = true,
            _ => walk_stmt(self, stmt),
        }
    }

    fn target(&mut self, target: &Target) {
        if matches!(target, Target::Cell(_)) {
            self.impure = true;
        }
        super::walk::walk_target(self, target);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(id) => self.callable(*id, 0),
            Expr::Cell(_) | Expr::MakeFunction(_) => self.impure = true,
            Expr::Call(call) if !matches!(call.func, Expr::Const(_)) => self.impure = true,
            Expr::MethodCall(call)
                if call
                    .args
                    .positional
                    .iter()
                    .any(|item| matches!(item, Item::Star(_))) =>
            {
                self.impure = true;
            }
            _ => {}
        }
        if !self.impure {
            walk_expr(self, expr);
        }
    }
}
