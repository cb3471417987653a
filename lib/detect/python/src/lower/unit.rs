//! What the lowering of one exported function works with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use ruff_text_size::{Ranged, TextSize};

use super::pool::Pool;
use super::scope::{BindingId, Globals, Place, ScopeId, ScopeKind, Scopes};
use super::source::File;
use crate::export::{Object, ObjectId};
use crate::ir::{Code, Expr, Target};
use crate::program::{Class, CodeId, Const, ConstId, PointId, PyVersion};

/// Built-ins that look at the frame or run text as code; whatever else is missing from the registry falls back by
/// not being found.
const FRAME_BUILTINS: &[&str] = &[
    "locals",
    "globals",
    "vars",
    "dir",
    "eval",
    "exec",
    "compile",
    "super",
    "breakpoint",
    "__import__",
    "id",
];

/// What all functions share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) version: PyVersion,
    pub(super) objects: &'a [Object],
    pub(super) pool: Pool,
    pub(super) codes: Vec<Option<Code>>,
    pub(super) classes: Vec<Class>,
}

/// The names of one exported function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) globals: &'a BTreeMap<String, ObjectId>,
    pub(super) closure: &'a BTreeMap<String, ObjectId>,
    pub(super) class: Option<&'a str>,
}

impl Globals for Names<'_> {
    fn mangle(&self, name: &str) -> Rc<str> {
        match self.class.map(|class| class.trim_start_matches('_')) {
            Some(class) if !class.is_empty() && name.starts_with("__") && !name.ends_with("__") => {
                format!("_{class}{name}").into()
            }
            _ => name.into(),
        }
    }

    fn is_builtin(&self, name: &str) -> bool {
        !self.globals.contains_key(name)
            && !self.closure.contains_key(name)
            && crate::builtins::lookup(name).is_some()
    }
}

/// One exported function being lowered.
pub(super) struct Unit<'s, 'a> {
    pub(super) shared: &'s mut Shared<'a>,
    pub(super) file: &'a File,
    pub(super) source: u32,
    pub(super) names: Names<'a>,
    pub(super) scopes: Rc<Scopes>,
    pub(super) frame: ScopeId,
    pub(super) scope: ScopeId,
    /// Names that an `import` at the top of the function binds once.
    pub(super) imported: HashMap<BindingId, ConstId>,
    /// Variables of this frame that are surely bound at the place being lowered.
    pub(super) bound: BTreeSet<BindingId>,
    /// How many blocks are around the statement at hand.
    pub(super) blocks: u32,
    pub(super) qualname: String,
}

impl Unit<'_, '_> {
    pub(super) fn line(&self, at: TextSize) -> u32 {
        self.file.line(at)
    }

    pub(super) fn point(&mut self, at: &impl Ranged, reason: impl Into<String>, advice: &str) -> PointId {
        let line = self.line(at.start());
        self.shared.pool.point(self.source, line, reason, advice)
    }

    pub(super) fn fallback(&mut self, at: &impl Ranged, reason: impl Into<String>, advice: &str) -> Expr {
        Expr::Fallback(self.point(at, reason, advice))
    }

    pub(super) fn mangle(&self, name: &str) -> Rc<str> {
        self.names.mangle(name)
    }

    /// The object of a constant, as an expression.
    pub(super) fn constant(&mut self, at: &impl Ranged, id: ConstId, what: &str) -> Expr {
        let Some(Const::Unsupported(point)) = self.shared.pool.consts.get(id as usize) else {
            return Expr::Const(id);
        };
        let known = self.shared.pool.points.get(*point as usize);
        let (reason, advice) = known.map_or_else(Default::default, |point| {
            (point.reason.to_string(), point.advice.to_string())
        });
        self.fallback(at, format!("{what}: {reason}"), &advice)
    }

    /// What a name is read as.
    pub(super) fn load(&mut self, at: &impl Ranged, name: &str) -> Expr {
        let name = self.mangle(name);
        let scopes = Rc::clone(&self.scopes);
        let Some(binding) = scopes.resolve(self.scope, &name) else {
            let declared = scopes.is_declared_global(self.scope, &name);
            return self.global(at, &name, declared);
        };
        if let Some(id) = self.imported.get(&binding) {
            return Expr::Const(*id);
        }
        if self.raises_otherwise(binding) {
            let advice = "give it a value before";
            return self.fallback(at, format!("{name} may have no value here"), advice);
        }
        match scopes.place(self.frame, binding) {
            Some(Place::Local(local)) => Expr::Local(local),
            Some(Place::Cell(cell)) => Expr::Cell(cell),
            None => self.fallback(at, format!("the variable {name}"), ""),
        }
    }

    /// Where CPython runs a comprehension as a function of its own, a variable of the function around it that has no
    /// value raises `NameError` in it, not `UnboundLocalError`.
    fn raises_otherwise(&self, id: BindingId) -> bool {
        let Some(binding) = self.scopes.bindings.get(id) else {
            return false;
        };
        let mut at = self.scope;
        let mut is_function = false;
        while at != binding.scope {
            let Some(scope) = self.scopes.scopes.get(at) else {
                return false;
            };
            if scope.kind != ScopeKind::Comp {
                return false;
            }
            is_function |= scope.is_generator() || self.shared.version.minor < 12;
            match scope.parent {
                Some(parent) => at = parent,
                None => return false,
            }
        }
        let is_param = binding.param.is_some() && !binding.deleted;
        is_function && !is_param && (binding.deleted || !self.bound.contains(&id))
    }

    fn global(&mut self, at: &impl Ranged, name: &str, declared: bool) -> Expr {
        let closure = if declared {
            None
        } else {
            self.names.closure.get(name)
        };
        if let Some(id) = closure.or_else(|| self.names.globals.get(name)) {
            return self.constant(at, *id, name);
        }
        if FRAME_BUILTINS.contains(&name) {
            return self.fallback(
                at,
                format!("the built-in {name} is not known to the native engine"),
                "",
            );
        }
        match name {
            "__debug__" => return Expr::Const(self.shared.pool.bool(true)),
            "__class__" => return self.fallback(at, "__class__ is not known to the native engine", ""),
            _ => {}
        }
        if let Some(value) = crate::builtins::lookup(name) {
            return Expr::Const(self.shared.pool.named("builtins", name, value));
        }
        if crate::builtins::is_builtin(name) {
            return self.fallback(
                at,
                format!("the built-in {name} is not known to the native engine"),
                "",
            );
        }
        Expr::Missing(name.into())
    }

    /// Where a name is stored.
    pub(super) fn store(&mut self, at: &impl Ranged, name: &str) -> Target {
        let name = self.mangle(name);
        let scopes = Rc::clone(&self.scopes);
        let binding = scopes.resolve(self.scope, &name);
        self.bound.extend(binding);
        let place = binding.and_then(|binding| scopes.place(self.frame, binding));
        match place {
            Some(Place::Local(local)) => Target::Local(local),
            Some(Place::Cell(cell)) => Target::Cell(cell),
            None => Target::Fallback(self.point(
                at,
                format!("the variable {name} of the module or of a function around is assigned"),
                "pass values as arguments and results; state kept between records is kept per process only",
            )),
        }
    }

    pub(super) fn none(&mut self) -> Expr {
        Expr::Const(self.shared.pool.none())
    }

    /// A place for code that is being made.
    pub(super) fn reserve_code(&mut self) -> CodeId {
        self.shared.codes.push(None);
        (self.shared.codes.len() - 1) as CodeId
    }
}
