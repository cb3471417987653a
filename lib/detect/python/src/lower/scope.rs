//! Which variable a name means, as CPython's symbol table decides it: once for a function and everything within it.
//!
//! List, set and dictionary comprehensions, and generator expressions that only a built-in sees, have a scope but no
//! frame: their variables live in the frame around them.

use std::collections::HashMap;
use std::rc::Rc;

use ruff_python_ast as ast;
use ruff_python_ast::visitor::Visitor;
use ruff_text_size::TextRange;

use super::collect::Collector;
use super::inline::Inline;
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
    pub(super) parent: Option<ScopeId>,
    pub(super) names: HashMap<Name, Flags>,
    pub(super) order: Vec<Name>,
    /// What could make a generator expression a comprehension.
    pub(super) candidate: Option<Inline>,
    /// It holds `yield`.
    pub(super) yields: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Flags {
    pub(super) bound: u32,
    pub(super) param: Option<u16>,
    pub(super) global: bool,
    pub(super) nonlocal: bool,
    pub(super) deleted: bool,
}

impl Scope {
    /// It is a generator expression that is evaluated at once.
    pub(super) fn is_generator(&self) -> bool {
        self.candidate.is_some()
    }
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

impl Scopes {
    /// Decides what every name means and where it is; `None` when a frame is too large.
    pub(super) fn resolved(scopes: Vec<Scope>, by_range: HashMap<TextRange, ScopeId>) -> Option<Self> {
        let mut scopes = Self {
            scopes,
            by_range,
            bindings: Vec::new(),
            by_name: HashMap::new(),
            layouts: HashMap::new(),
        };
        scopes.make_bindings();
        scopes.capture();
        scopes.lay_out()?;
        Some(scopes)
    }

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
