//! Where control goes: nowhere, out without an answer, or into an `except:`.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt};
use ruff_text_size::Ranged;

use crate::Code;
use crate::constant::{Constant, members};
use crate::rule::Rule;
use crate::source::Sink;

/// Unreachable lines and `except:`, anywhere in a file.
pub(crate) fn check_module(sink: &mut Sink<'_>, body: &[Stmt]) {
    super::bodies(body, &mut |body| {
        for pair in body.windows(2) {
            let [first, next] = pair else { continue };
            // `return` with a `yield` after it is how an empty generator is written.
            let is_yield = matches!(next, Stmt::Expr(expr) if expr.value.is_yield_expr());
            if ends(first) && !is_yield {
                let message = "this line is never reached";
                sink.add(
                    next.range(),
                    Code::Unreachable,
                    message,
                    "remove it, or what ends before it",
                );
                break;
            }
        }
        for statement in body {
            let Stmt::Try(attempt) = statement else { continue };
            for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                bare_except(sink, handler);
            }
        }
    });
}

fn bare_except(sink: &mut Sink<'_>, handler: &ast::ExceptHandlerExceptHandler) {
    let is_bare = match handler.type_.as_deref() {
        None => true,
        Some(Expr::Name(name)) => name.id == "BaseException",
        Some(_) => false,
    };
    // What raises again hides nothing.
    if is_bare && !handler.body.iter().any(Stmt::is_raise_stmt) {
        let message = "this hides every mistake, and the end of the rule's time";
        sink.add(
            handler.range(),
            Code::BareExcept,
            message,
            "name what may be raised, such as except KeyError:",
        );
    }
}

/// Whether nothing comes after a statement.
fn ends(statement: &Stmt) -> bool {
    let all = |body: &[Stmt]| body.last().is_some_and(ends);
    match statement {
        Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_) => true,
        Stmt::If(branch) => {
            let clauses = &branch.elif_else_clauses;
            let has_else = clauses.last().is_some_and(|clause| clause.test.is_none());
            has_else && all(&branch.body) && clauses.iter().all(|clause| all(&clause.body))
        }
        _ => false,
    }
}

/// Whether a rule can fire at all.
pub(crate) fn check_rule(sink: &mut Sink<'_>, rule: &Rule<'_>) {
    let mut answers = Answers::default();
    answers.visit_body(&rule.function.body);
    if answers.may_be_true || rule.function.is_async {
        return;
    }
    let name = rule.name();
    let (message, fix) = if answers.some {
        (
            format!("{name} answers something false on every path"),
            "return the condition",
        )
    } else {
        (
            format!("{name} returns nothing"),
            "write return in front of the condition",
        )
    };
    sink.add(rule.function.name.range(), Code::NeverFires, message, fix);
}

/// What the returns of one function give; those of functions within are not its own.
#[derive(Default)]
struct Answers {
    some: bool,
    may_be_true: bool,
}

impl<'a> Visitor<'a> for Answers {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::Return(answer) => {
                if let Some(value) = &answer.value {
                    self.some = true;
                    self.may_be_true |= !is_false(value);
                }
                walk_stmt(self, stmt);
            }
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            // A generator is true, whatever comes out of it.
            Expr::Yield(_) | Expr::YieldFrom(_) => self.may_be_true = true,
            _ => walk_expr(self, expr),
        }
    }
}

fn is_false(expr: &Expr) -> bool {
    match expr {
        Expr::Dict(dict) => dict.items.is_empty(),
        Expr::List(_) | Expr::Tuple(_) => members(expr).is_some_and(<[_]>::is_empty),
        _ => Constant::of(expr).and_then(|constant| constant.is_truthy()) == Some(false),
    }
}
