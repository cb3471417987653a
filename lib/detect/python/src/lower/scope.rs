//! Which variable a name means, as CPython's symbol table decides it: once for a function and everything within it.
//!
//! List, set and dictionary comprehensions, and generator expressions that only a built-in sees, have a scope but no
//! frame: their variables live in the frame around them.

use std::collections::HashMap;
use std::rc::Rc;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ExprContext};
use ruff_text_size::TextRange;

use super::inline::{Inline, inline_candidate};
use crate::ir::CellVar;

pub(super) type ScopeId = usize;
pub(super) type BindingId = usize;
type Name = Rc<str>;

/// Kinds of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    /// `def` or `lambda`: a frame.
    Function,
    /// A generator expression: a frame.
    Generator,
    /// A comprehension within the frame around it.
    Comp,
}

/// Names of a scope.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) kind: ScopeKind,
    parent: Option<ScopeId>,
    names: HashMap<Name, Flags>,
    order: Vec<Name>,
    /// What could make a generator expression a comprehension.
    candidate: Option<Inline>,
    /// It holds `yield`.
    pub(super) yields: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Flags {
    bound: u32,
    param: Option<u16>,
    global: bool,
    nonlocal: bool,
    deleted: bool,
}

/// A variable.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) name: Name,
    /// The scope that it belongs to.
    pub(super) scope: ScopeId,
    /// It is this parameter.
    pub(super) param: Option<u16>,
    /// Inner functions see it.
    pub(super) captured: bool,
    /// How many places bind it, parameters not counted.
    pub(super) binds: u32,
    /// `del` or an `except … as` unbinds it somewhere.
    pub(super) deleted: bool,
    place: Place,
}

/// Where a variable is in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Local(u16),
    Cell(u16),
}

/// What a frame holds.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) locals: Vec<Name>,
    pub(super) cells: Vec<CellVar>,
    pub(super) free: Vec<BindingId>,
}

/// All scopes of a function.
#[derive(Debug)]
pub(super) struct Scopes {
    pub(super) scopes: Vec<Scope>,
    by_range: HashMap<TextRange, ScopeId>,
    pub(super) bindings: Vec<Binding>,
    by_name: HashMap<(ScopeId, Name), Option<BindingId>>,
    pub(super) layouts: HashMap<ScopeId, Layout>,
}

/// What names mean besides variables.
pub(super) trait Globals {
    /// The name in a class body is another one (`__private`).
    fn mangle(&self, name: &str) -> Name;
    /// It is Python's own built-in.
    fn is_builtin(&self, name: &str) -> bool;
}

impl Scopes {
    /// The scopes of a `def`; 0 is its own.
    pub(super) fn of_def(def: &ast::StmtFunctionDef, globals: &dyn Globals) -> Option<Self> {
        let mut collector = Collector::new(globals);
        collector.parameters(0, &def.parameters);
        collector.visit_body(&def.body);
        collector.finish()
    }

    /// The scopes of a `lambda`; 0 is its own.
    pub(super) fn of_lambda(lambda: &ast::ExprLambda, globals: &dyn Globals) -> Option<Self> {
        let mut collector = Collector::new(globals);
        if let Some(parameters) = &lambda.parameters {
            collector.parameters(0, parameters);
        }
        collector.visit_expr(&lambda.body);
        collector.finish()
    }

    /// The scope that a function, lambda or comprehension makes.
    pub(super) fn of_range(&self, range: TextRange) -> Option<ScopeId> {
        self.by_range.get(&range).copied()
    }

    /// The variable that a name means in a scope; `None` when it is global.
    pub(super) fn resolve(&self, scope: ScopeId, name: &str) -> Option<BindingId> {
        let mut at = Some(scope);
        while let Some(id) = at {
            if let Some(known) = self.by_name.get(&(id, Rc::from(name))) {
                return *known;
            }
            let here = self.scopes.get(id)?;
            match here.names.get(name) {
                Some(flags) if flags.global => return None,
                Some(flags) if flags.bound > 0 && !flags.nonlocal => return None,
                _ => at = here.parent,
            }
        }
        None
    }

    /// Whether a `global` statement makes the name a global one.
    pub(super) fn is_declared_global(&self, scope: ScopeId, name: &str) -> bool {
        self.scopes
            .get(scope)
            .and_then(|scope| scope.names.get(name))
            .is_some_and(|flags| flags.global)
    }

    /// The frame that a scope runs in.
    pub(super) fn frame(&self, scope: ScopeId) -> ScopeId {
        let mut at = scope;
        while let Some(here) = self.scopes.get(at) {
            match (here.kind, here.parent) {
                (ScopeKind::Comp, Some(parent)) => at = parent,
                _ => break,
            }
        }
        at
    }

    /// Where a frame holds a variable.
    pub(super) fn place(&self, frame: ScopeId, id: BindingId) -> Option<Place> {
        let binding = self.bindings.get(id)?;
        if self.frame(binding.scope) == frame {
            return Some(binding.place);
        }
        let layout = self.layouts.get(&frame)?;
        let at = layout.free.iter().position(|free| *free == id)?;
        Some(Place::Cell((layout.cells.len() + at) as u16))
    }

    /// The variables of a comprehension.
    pub(super) fn fresh(&self, scope: ScopeId) -> (Vec<u16>, Vec<u16>) {
        let mut fresh = (Vec::new(), Vec::new());
        for binding in self.bindings.iter().filter(|binding| binding.scope == scope) {
            match binding.place {
                Place::Local(local) => fresh.0.push(local),
                Place::Cell(cell) => fresh.1.push(cell),
            }
        }
        fresh
    }
}

struct Collector<'g> {
    globals: &'g dyn Globals,
    scopes: Vec<Scope>,
    by_range: HashMap<TextRange, ScopeId>,
    at: ScopeId,
    /// Candidates for comprehensions, by the range of their generator expression.
    candidates: HashMap<TextRange, Inline>,
}

impl<'g> Collector<'g> {
    fn new(globals: &'g dyn Globals) -> Self {
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

    fn parameters(&mut self, scope: ScopeId, parameters: &ast::Parameters) {
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

    fn finish(mut self) -> Option<Scopes> {
        self.decide_candidates();
        let mut scopes = Scopes {
            scopes: self.scopes,
            by_range: self.by_range,
            bindings: Vec::new(),
            by_name: HashMap::new(),
            layouts: HashMap::new(),
        };
        scopes.make_bindings();
        scopes.capture();
        scopes.lay_out()?;
        Some(scopes)
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

impl Scopes {
    fn make_bindings(&mut self) {
        for (id, scope) in self.scopes.iter().enumerate() {
            for name in &scope.order {
                let Some(flags) = scope.names.get(name) else {
                    continue;
                };
                if flags.global {
                    self.by_name.insert((id, Rc::clone(name)), None);
                } else if !flags.nonlocal && (flags.bound > 0 || flags.param.is_some()) {
                    self.by_name
                        .insert((id, Rc::clone(name)), Some(self.bindings.len()));
                    self.bindings.push(Binding {
                        name: Rc::clone(name),
                        scope: id,
                        param: flags.param,
                        captured: false,
                        binds: flags.bound,
                        deleted: flags.deleted,
                        place: Place::Local(0),
                    });
                }
            }
        }
    }

    fn capture(&mut self) {
        for id in 0..self.scopes.len() {
            for name in self.scopes[id].order.clone() {
                let Some(binding) = self.resolve(id, &name) else {
                    continue;
                };
                if let Some(flags) = self.scopes[id].names.get(&name)
                    && flags.nonlocal
                {
                    self.bindings[binding].binds += flags.bound;
                    self.bindings[binding].deleted |= flags.deleted;
                }
                let home = self.frame(self.bindings[binding].scope);
                let mut frame = self.frame(id);
                while frame != home {
                    self.bindings[binding].captured = true;
                    let layout = self.layouts.entry(frame).or_default();
                    if !layout.free.contains(&binding) {
                        layout.free.push(binding);
                    }
                    match self.scopes[frame].parent {
                        Some(parent) => frame = self.frame(parent),
                        None => break,
                    }
                }
            }
        }
    }

    /// `None` when a frame is too large.
    fn lay_out(&mut self) -> Option<()> {
        for id in 0..self.scopes.len() {
            if self.scopes[id].kind == ScopeKind::Generator {
                self.layouts.entry(id).or_default().locals.push(".0".into());
            }
        }
        let mut params: Vec<BindingId> = (0..self.bindings.len())
            .filter(|id| self.bindings[*id].param.is_some())
            .collect();
        params.sort_by_key(|id| self.bindings[*id].param);
        let others = (0..self.bindings.len()).filter(|id| self.bindings[*id].param.is_none());
        let order: Vec<BindingId> = params.into_iter().chain(others).collect();
        for id in order {
            let frame = self.frame(self.bindings[id].scope);
            let layout = self.layouts.entry(frame).or_default();
            let binding = &mut self.bindings[id];
            if binding.param.is_some() || !binding.captured {
                binding.place = Place::Local(u16::try_from(layout.locals.len()).ok()?);
                layout.locals.push(Rc::clone(&binding.name));
            }
            if binding.captured {
                binding.place = Place::Cell(u16::try_from(layout.cells.len()).ok()?);
                layout.cells.push(CellVar {
                    name: (&*binding.name).into(),
                    param: binding.param,
                });
            }
        }
        let fits = self
            .layouts
            .values()
            .all(|layout| layout.cells.len() + layout.free.len() < 0xffff);
        fits.then_some(())
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
