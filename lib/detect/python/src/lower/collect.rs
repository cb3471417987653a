//! Collects the names that each scope of a function binds and mentions.

use std::collections::HashMap;
use std::rc::Rc;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ExprContext};
use ruff_text_size::TextRange;

use super::inline::{Inline, inline_candidate};
use super::scope::{Flags, Globals, Scope, ScopeId, ScopeKind, Scopes};

pub(super) struct Collector<'g> {
    globals: &'g dyn Globals,
    scopes: Vec<Scope>,
    by_range: HashMap<TextRange, ScopeId>,
    at: ScopeId,
    /// Candidates for comprehensions, by the range of their generator expression.
    candidates: HashMap<TextRange, Inline>,
}

impl<'g> Collector<'g> {
    pub(super) fn new(globals: &'g dyn Globals) -> Self {
        let mut new = Self {
            globals,
            scopes: Vec::new(),
            by_range: HashMap::new(),
            at: 0,
            candidates: HashMap::new(),
        };
        new.push(ScopeKind::Function, None);
        new
    }

    fn push(&mut self, kind: ScopeKind, parent: Option<ScopeId>) -> ScopeId {
        self.scopes.push(Scope {
            kind,
            parent,
            names: HashMap::new(),
            order: Vec::new(),
            candidate: None,
            yields: false,
        });
        self.scopes.len() - 1
    }

    fn flags(&mut self, scope: ScopeId, name: &str) -> &mut Flags {
        let name = self.globals.mangle(name);
        let scope = &mut self.scopes[scope];
        if !scope.names.contains_key(&name) {
            scope.order.push(Rc::clone(&name));
        }
        scope.names.entry(name).or_default()
    }

    fn bind(&mut self, name: &str) {
        self.flags(self.at, name).bound += 1;
    }

    fn unbind(&mut self, name: &str) {
        let flags = self.flags(self.at, name);
        flags.bound += 1;
        flags.deleted = true;
    }

    pub(super) fn parameters(&mut self, scope: ScopeId, parameters: &ast::Parameters) {
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        let mut names: Vec<&str> = positional.map(|param| param.parameter.name.as_str()).collect();
        names.extend(parameters.vararg.iter().map(|param| param.name.as_str()));
        names.extend(
            parameters
                .kwonlyargs
                .iter()
                .map(|param| param.parameter.name.as_str()),
        );
        names.extend(parameters.kwarg.iter().map(|param| param.name.as_str()));
        for (at, name) in names.into_iter().enumerate() {
            self.flags(scope, name).param = Some(at as u16);
        }
    }

    fn defaults<'a>(&mut self, parameters: &'a ast::Parameters)
    where
        Self: Visitor<'a>,
    {
        let all = parameters
            .posonlyargs
            .iter()
            .chain(&parameters.args)
            .chain(&parameters.kwonlyargs);
        for default in all.filter_map(|param| param.default.as_deref()) {
            self.visit_expr(default);
        }
    }

    fn within(&mut self, scope: ScopeId, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.at, scope);
        walk(self);
        self.at = outer;
    }

    fn function<'a>(
        &mut self,
        range: TextRange,
        parameters: Option<&'a ast::Parameters>,
        walk: impl FnOnce(&mut Self),
    ) where
        Self: Visitor<'a>,
    {
        let scope = self.push(ScopeKind::Function, Some(self.at));
        self.by_range.insert(range, scope);
        if let Some(parameters) = parameters {
            self.parameters(scope, parameters);
        }
        self.within(scope, walk);
    }

    fn comprehension<'a>(
        &mut self,
        range: TextRange,
        kind: ScopeKind,
        clauses: &'a [ast::Comprehension],
        elements: [Option<&'a ast::Expr>; 2],
    ) where
        Self: Visitor<'a>,
    {
        if let Some(first) = clauses.first() {
            self.visit_expr(&first.iter);
        }
        let candidate = self.candidates.remove(&range);
        let scope = self.push(kind, Some(self.at));
        self.scopes[scope].candidate = candidate;
        self.by_range.insert(range, scope);
        self.within(scope, |this| {
            for (at, clause) in clauses.iter().enumerate() {
                if at > 0 {
                    this.visit_expr(&clause.iter);
                }
                this.visit_expr(&clause.target);
                for condition in &clause.ifs {
                    this.visit_expr(condition);
                }
            }
            for element in elements.into_iter().flatten() {
                this.visit_expr(element);
            }
        });
    }

    /// `name :=` binds in the function around all comprehensions.
    fn walrus(&mut self, name: &str) {
        let mut scope = self.at;
        while let (ScopeKind::Comp | ScopeKind::Generator, Some(parent)) =
            (self.scopes[scope].kind, self.scopes[scope].parent)
        {
            self.flags(scope, name);
            scope = parent;
        }
        self.flags(scope, name).bound += 1;
    }

    pub(super) fn finish(mut self) -> Option<Scopes> {
        self.decide_candidates();
        Scopes::resolved(self.scopes, self.by_range)
    }

    /// Generator expressions that only a built-in sees become comprehensions.
    fn decide_candidates(&mut self) {
        for id in 0..self.scopes.len() {
            let Some(candidate) = self.scopes[id].candidate else {
                continue;
            };
            let hidden = candidate.callee().is_some_and(|name| {
                let mut at = self.scopes[id].parent;
                while let Some(scope) = at {
                    let here = &self.scopes[scope];
                    if let Some(flags) = here.names.get(name) {
                        if flags.global {
                            break;
                        }
                        if flags.bound > 0 || flags.param.is_some() {
                            return true;
                        }
                    }
                    at = here.parent;
                }
                !self.globals.is_builtin(name)
            });
            if !hidden && !self.scopes[id].yields {
                self.scopes[id].kind = ScopeKind::Comp;
            }
        }
    }
}

impl<'a> Visitor<'a> for Collector<'_> {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        match statement {
            ast::Stmt::FunctionDef(def) => {
                for decorator in &def.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                self.defaults(&def.parameters);
                self.bind(&def.name);
                self.function(def.range, Some(&def.parameters), |this| {
                    this.visit_body(&def.body)
                });
            }
            // What is in a class here is never run.
            ast::Stmt::ClassDef(class) => self.bind(&class.name),
            ast::Stmt::Global(global) => {
                for name in &global.names {
                    self.flags(self.at, name).global = true;
                }
            }
            ast::Stmt::Nonlocal(nonlocal) => {
                for name in &nonlocal.names {
                    self.flags(self.at, name).nonlocal = true;
                }
            }
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    let first = alias.name.split('.').next().unwrap_or_default();
                    self.bind(alias.asname.as_deref().unwrap_or(first));
                }
            }
            ast::Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    self.bind(alias.asname.as_deref().unwrap_or(&alias.name));
                }
            }
            ast::Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.visit_expr(value);
                }
                match &*assign.target {
                    ast::Expr::Name(name) if assign.simple || assign.value.is_some() => self.bind(&name.id),
                    ast::Expr::Name(_) => {}
                    target => self.visit_expr(target),
                }
            }
            ast::Stmt::TypeAlias(alias) => self.visit_expr(&alias.name),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.unbind(name);
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        let name = match pattern {
            ast::Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name);
        }
        visitor::walk_pattern(self, pattern);
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Name(name) => match name.ctx {
                ExprContext::Store => self.bind(&name.id),
                ExprContext::Del => self.unbind(&name.id),
                _ => {
                    self.flags(self.at, &name.id);
                }
            },
            ast::Expr::Named(named) => {
                if let ast::Expr::Name(name) = &*named.target {
                    self.walrus(&name.id);
                }
                self.visit_expr(&named.value);
            }
            ast::Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.defaults(parameters);
                }
                self.function(lambda.range, lambda.parameters.as_deref(), |this| {
                    this.visit_expr(&lambda.body)
                });
            }
            ast::Expr::ListComp(comp) => {
                self.comprehension(
                    comp.range,
                    ScopeKind::Comp,
                    &comp.generators,
                    [Some(&comp.elt), None],
                );
            }
            ast::Expr::SetComp(comp) => {
                self.comprehension(
                    comp.range,
                    ScopeKind::Comp,
                    &comp.generators,
                    [Some(&comp.elt), None],
                );
            }
            ast::Expr::DictComp(comp) => {
                let elements = [comp.key.as_deref(), Some(&*comp.value)];
                self.comprehension(comp.range, ScopeKind::Comp, &comp.generators, elements);
            }
            ast::Expr::Generator(comp) => {
                self.comprehension(
                    comp.range,
                    ScopeKind::Generator,
                    &comp.generators,
                    [Some(&comp.elt), None],
                );
            }
            ast::Expr::Call(call) => {
                if let Some((range, candidate)) = inline_candidate(call) {
                    self.candidates.insert(range, candidate);
                }
                visitor::walk_expr(self, expr);
            }
            ast::Expr::Yield(_) | ast::Expr::YieldFrom(_) => {
                self.scopes[self.at].yields = true;
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}
