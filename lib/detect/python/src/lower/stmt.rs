//! Statements.

use std::collections::BTreeSet;

use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use super::operator;
use super::scope::BindingId;
use super::unit::Unit;
use crate::ir::{Body, Case, Expr, For, Handler, Match, Stmt, StmtKind, Target, Try, With};
use crate::program::Const;

/// Longer chains of `elif` would nest as deep as they are long.
const ELIF_MAX: usize = 100;

const ASYNC: &str = "async code is not known to the native engine";

impl Unit<'_, '_> {
    /// Statements in order.
    pub(super) fn body(&mut self, statements: &[ast::Stmt]) -> Body {
        let mut lowered = Vec::with_capacity(statements.len());
        for statement in statements {
            let line = self.line(statement.start());
            self.statement(statement, line, &mut lowered);
        }
        lowered.into()
    }

    /// Statements that may run never or more than once.
    fn block(&mut self, statements: &[ast::Stmt]) -> Body {
        let before = self.bound.clone();
        let body = self.branch(statements);
        self.bound = before;
        body
    }

    /// The same, leaving behind what it surely binds.
    fn branch(&mut self, statements: &[ast::Stmt]) -> Body {
        self.blocks += 1;
        let body = self.body(statements);
        self.blocks -= 1;
        body
    }

    /// Several ways of which one is taken: what each that goes on binds is bound behind them.
    fn join(&mut self, ways: Vec<(bool, BTreeSet<BindingId>)>) {
        let going_on = ways.into_iter().filter(|(ends, _)| !ends).map(|(_, bound)| bound);
        if let Some(common) = going_on.reduce(|a, b| a.intersection(&b).copied().collect()) {
            self.bound = common;
        }
    }

    fn statement(&mut self, statement: &ast::Stmt, line: u32, out: &mut Vec<Stmt>) {
        let kind = match statement {
            ast::Stmt::FunctionDef(def) => self.def(def),
            ast::Stmt::ClassDef(class) => {
                StmtKind::Fallback(self.point(class, "a class within a function", "define it in the module"))
            }
            ast::Stmt::Return(inner) => {
                let value = inner.value.as_deref().map(|value| self.expr(value));
                StmtKind::Return(value.unwrap_or_else(|| self.none()))
            }
            ast::Stmt::Delete(inner) => {
                let targets = inner.targets.iter().map(|target| self.target(target)).collect();
                // Nothing more is sure of what `del` may unbind.
                for target in &inner.targets {
                    match target {
                        ast::Expr::Name(name) => self.unbind(&name.id),
                        ast::Expr::Tuple(_) | ast::Expr::List(_) => self.bound.clear(),
                        _ => {}
                    }
                }
                StmtKind::Delete(targets)
            }
            ast::Stmt::Assign(inner) => self.assign(inner),
            ast::Stmt::AugAssign(inner) => {
                let target = self.target(&inner.target);
                let value = self.expr(&inner.value);
                StmtKind::AugAssign(target, operator::binary(inner.op), value)
            }
            ast::Stmt::AnnAssign(inner) => self.annotated(inner),
            ast::Stmt::For(inner) if inner.is_async => StmtKind::Fallback(self.point(inner, ASYNC, "")),
            ast::Stmt::For(inner) => {
                let iter = self.iterable(&inner.iter);
                // Where there is nothing to go through, the target is not bound.
                let before = self.bound.clone();
                let target = self.target(&inner.target);
                let body = self.block(&inner.body);
                self.bound = before;
                let orelse = self.block(&inner.orelse);
                StmtKind::For(Box::new(For {
                    target,
                    iter,
                    body,
                    orelse,
                }))
            }
            ast::Stmt::While(inner) => {
                let test = self.expr(&inner.test);
                let body = self.block(&inner.body);
                StmtKind::While(test, body, self.block(&inner.orelse))
            }
            ast::Stmt::If(inner) => self.condition(inner),
            ast::Stmt::With(inner) => self.with(inner, &inner.items, line),
            ast::Stmt::Match(inner) => self.cases(inner),
            ast::Stmt::Raise(inner) => {
                let exc = inner.exc.as_deref().map(|exc| self.expr(exc));
                StmtKind::Raise(exc, inner.cause.as_deref().map(|cause| self.expr(cause)))
            }
            ast::Stmt::Try(inner) => self.attempt(inner),
            ast::Stmt::Assert(inner) => {
                let test = self.expr(&inner.test);
                StmtKind::Assert(test, inner.msg.as_deref().map(|message| self.expr(message)))
            }
            ast::Stmt::Import(inner) => return self.import(inner, line, out),
            ast::Stmt::ImportFrom(inner) => return self.import_from(inner, line, out),
            ast::Stmt::Expr(inner) => self.expression(&inner.value),
            ast::Stmt::Global(_) | ast::Stmt::Nonlocal(_) | ast::Stmt::Pass(_) => StmtKind::Pass,
            ast::Stmt::Break(_) => StmtKind::Break,
            ast::Stmt::Continue(_) => StmtKind::Continue,
            ast::Stmt::TypeAlias(inner) => StmtKind::Fallback(self.point(inner, "a type alias", "")),
            ast::Stmt::IpyEscapeCommand(inner) => StmtKind::Fallback(self.point(inner, "not Python", "")),
        };
        out.push(Stmt { line, kind });
    }

    fn expression(&mut self, value: &ast::Expr) -> StmtKind {
        match value {
            ast::Expr::Yield(inner) => {
                let value = self.yielded(inner);
                StmtKind::Yield(None, value)
            }
            ast::Expr::YieldFrom(inner) => StmtKind::YieldFrom(None, self.expr(&inner.value)),
            _ => match self.expr(value) {
                Expr::Const(_) => StmtKind::Pass,
                Expr::Fallback(point) => StmtKind::Fallback(point),
                value => StmtKind::Expr(value),
            },
        }
    }

    fn yielded(&mut self, inner: &ast::ExprYield) -> Expr {
        match inner.value.as_deref() {
            Some(value) => self.expr(value),
            None => self.none(),
        }
    }

    fn assign(&mut self, inner: &ast::StmtAssign) -> StmtKind {
        match (&*inner.value, inner.targets.as_slice()) {
            (ast::Expr::Yield(value), [target]) => {
                let value = self.yielded(value);
                StmtKind::Yield(Some(self.target(target)), value)
            }
            (ast::Expr::YieldFrom(value), [target]) => {
                let value = self.expr(&value.value);
                StmtKind::YieldFrom(Some(self.target(target)), value)
            }
            (value, targets) => {
                let value = self.expr(value);
                StmtKind::Assign(targets.iter().map(|target| self.target(target)).collect(), value)
            }
        }
    }

    fn annotated(&mut self, inner: &ast::StmtAnnAssign) -> StmtKind {
        match (inner.value.as_deref(), &*inner.target) {
            (Some(value), target) => {
                let value = self.expr(value);
                StmtKind::Assign(Box::new([self.target(target)]), value)
            }
            (None, ast::Expr::Name(_)) => StmtKind::Pass,
            (None, _) => StmtKind::Fallback(self.point(inner, "an annotation of a part without value", "")),
        }
    }

    fn condition(&mut self, inner: &ast::StmtIf) -> StmtKind {
        if inner.elif_else_clauses.len() > ELIF_MAX {
            let reason = format!("more than {ELIF_MAX} elif clauses");
            return StmtKind::Fallback(self.point(inner, reason, "look values up in a dictionary"));
        }
        let test = self.expr(&inner.test);
        let before = self.bound.clone();
        let body = self.branch(&inner.body);
        let then = std::mem::replace(&mut self.bound, before);
        let orelse = self.elifs(&inner.elif_else_clauses);
        let other = std::mem::take(&mut self.bound);
        self.join(vec![(ends(&body), then), (ends(&orelse), other)]);
        StmtKind::If(test, body, orelse)
    }

    fn elifs(&mut self, clauses: &[ast::ElifElseClause]) -> Body {
        let Some((clause, rest)) = clauses.split_first() else {
            return Box::default();
        };
        let Some(test) = &clause.test else {
            return self.branch(&clause.body);
        };
        let line = self.line(clause.start());
        let test = self.expr(test);
        let before = self.bound.clone();
        let body = self.branch(&clause.body);
        let then = std::mem::replace(&mut self.bound, before);
        let orelse = self.elifs(rest);
        let other = std::mem::take(&mut self.bound);
        self.join(vec![(ends(&body), then), (ends(&orelse), other)]);
        Box::new([Stmt {
            line,
            kind: StmtKind::If(test, body, orelse),
        }])
    }

    fn with(&mut self, inner: &ast::StmtWith, items: &[ast::WithItem], line: u32) -> StmtKind {
        let Some((item, rest)) = items.split_first() else {
            return StmtKind::Pass;
        };
        if inner.is_async {
            return StmtKind::Fallback(self.point(inner, ASYNC, ""));
        }
        let manager = self.expr(&item.context_expr);
        let target = item.optional_vars.as_deref().map(|target| self.target(target));
        let body = if rest.is_empty() {
            self.block(&inner.body)
        } else {
            self.blocks += 1;
            let kind = self.with(inner, rest, line);
            self.blocks -= 1;
            Box::new([Stmt { line, kind }])
        };
        StmtKind::With(Box::new(With {
            manager,
            target,
            body,
        }))
    }

    fn attempt(&mut self, inner: &ast::StmtTry) -> StmtKind {
        if inner.is_star {
            return StmtKind::Fallback(self.point(inner, "except* is not known to the native engine", ""));
        }
        let before = self.bound.clone();
        let body = self.branch(&inner.body);
        // Handlers may run before anything of the body was bound.
        let after_body = std::mem::replace(&mut self.bound, before.clone());
        let mut ways = Vec::new();
        let handlers = inner
            .handlers
            .iter()
            .map(|handler| {
                let ast::ExceptHandler::ExceptHandler(handler) = handler;
                self.bound.clone_from(&before);
                let types = handler.type_.as_deref().map(|types| self.expr(types));
                let name = handler.name.as_ref().map(|name| self.store(handler, name));
                let body = self.branch(&handler.body);
                if let Some(name) = &handler.name {
                    self.unbind(name);
                }
                ways.push((ends(&body), std::mem::take(&mut self.bound)));
                Handler { types, name, body }
            })
            .collect();
        self.bound = after_body;
        let orelse = self.branch(&inner.orelse);
        ways.push((ends(&body) || ends(&orelse), std::mem::take(&mut self.bound)));
        // `finally` runs on every way.
        self.bound.clone_from(&before);
        let finally = self.branch(&inner.finalbody);
        let lasting = std::mem::replace(&mut self.bound, before);
        self.join(ways);
        self.bound.extend(lasting);
        StmtKind::Try(Box::new(Try {
            body,
            handlers,
            orelse,
            finally,
        }))
    }

    /// A variable has no value any more.
    fn unbind(&mut self, name: &str) {
        let name = self.mangle(name);
        if let Some(binding) = self.scopes.resolve(self.scope, &name) {
            self.bound.remove(&binding);
        }
    }

    fn cases(&mut self, inner: &ast::StmtMatch) -> StmtKind {
        let subject = self.expr(&inner.subject);
        // What a case binds is not bound in the others.
        let before = self.bound.clone();
        let cases = inner
            .cases
            .iter()
            .map(|case| {
                self.bound.clone_from(&before);
                Case {
                    pattern: self.pattern(&case.pattern),
                    guard: case.guard.as_deref().map(|guard| self.expr(guard)),
                    body: self.block(&case.body),
                }
            })
            .collect();
        self.bound = before;
        StmtKind::Match(Box::new(Match { subject, cases }))
    }

    fn import(&mut self, inner: &ast::StmtImport, line: u32, out: &mut Vec<Stmt>) {
        for alias in &inner.names {
            let full = alias.name.as_str();
            let first = full.split('.').next().unwrap_or_default();
            let (bound, module) = match &alias.asname {
                Some(name) => (name.as_str(), full),
                None => (first, first),
            };
            let kind = if crate::modules::is_known(full) {
                let id = self.shared.pool.named(module, "", Const::Module(module.into()));
                self.bind_import(alias, bound, id)
            } else {
                StmtKind::Fallback(self.unknown_module(alias, full))
            };
            out.push(Stmt { line, kind });
        }
    }

    fn import_from(&mut self, inner: &ast::StmtImportFrom, line: u32, out: &mut Vec<Stmt>) {
        for alias in &inner.names {
            let module = inner.module.as_deref().unwrap_or_default();
            let name = alias.name.as_str();
            let bound = alias.asname.as_deref().unwrap_or(name);
            let known = if inner.level == 0 {
                self.module_member(module, name)
            } else {
                None
            };
            let kind = match known {
                Some(id) => self.bind_import(alias, bound, id),
                None if inner.level == 0 && crate::modules::is_known(module) => {
                    let reason = format!("{module}.{name} is not known to the native engine");
                    StmtKind::Fallback(self.point(alias, reason, ""))
                }
                None => StmtKind::Fallback(self.unknown_module(alias, module)),
            };
            out.push(Stmt { line, kind });
        }
    }

    fn unknown_module(&mut self, at: &ast::Alias, module: &str) -> crate::program::PointId {
        let reason = format!("the module {module} is imported within the function");
        self.point(at, reason, "import it at the top of the file")
    }

    fn bind_import(&mut self, at: &ast::Alias, name: &str, id: crate::program::ConstId) -> StmtKind {
        let mangled = self.mangle(name);
        let binding = self.scopes.resolve(self.scope, &mangled);
        if let Some(binding) = binding
            && self.blocks == 0
            && self
                .scopes
                .bindings
                .get(binding)
                .is_some_and(|known| known.binds == 1 && known.param.is_none())
        {
            self.imported.insert(binding, id);
        }
        StmtKind::Assign(Box::new([self.store(at, name)]), Expr::Const(id))
    }

    /// Where a value goes.
    pub(super) fn target(&mut self, target: &ast::Expr) -> Target {
        match target {
            ast::Expr::Name(name) => self.store(name, &name.id),
            ast::Expr::Tuple(tuple) => self.unpack(&tuple.elts),
            ast::Expr::List(list) => self.unpack(&list.elts),
            ast::Expr::Subscript(inner) => {
                let value = self.expr(&inner.value);
                let index = self.expr(&inner.slice);
                Target::Index(Box::new((value, index)))
            }
            ast::Expr::Attribute(inner) => {
                let value = self.expr(&inner.value);
                let name = self.mangle(&inner.attr);
                Target::Attr(Box::new((value, (&*name).into())))
            }
            ast::Expr::Starred(inner) => self.target(&inner.value),
            other => Target::Fallback(self.point(other, "an unusual target of an assignment", "")),
        }
    }

    fn unpack(&mut self, targets: &[ast::Expr]) -> Target {
        let star = targets.iter().position(ast::Expr::is_starred_expr);
        Target::Unpack(targets.iter().map(|target| self.target(target)).collect(), star)
    }
}

/// Whether what stands behind it is never reached from its end.
fn ends(body: &Body) -> bool {
    match body.last().map(|stmt| &stmt.kind) {
        Some(
            StmtKind::Return(_)
            | StmtKind::Raise(..)
            | StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Fallback(_),
        ) => true,
        Some(StmtKind::If(_, body, orelse)) => ends(body) && ends(orelse),
        _ => false,
    }
}
