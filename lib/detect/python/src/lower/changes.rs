//! Constants that some function changes: a list of the module that grows, a dictionary used as a cache, a mutable
//! default argument. Each process would see other values, so that whoever reads one falls back.
//!
//! Found by following where constant containers can flow, without regard to order and conditions, until nothing new
//! is found. Too much is found rather than too little.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::changes_instances::Instances;
use super::flow::{Flow, Value};
use crate::ir::{BinaryOp, Body, Code, Expr, Pattern, Stmt, StmtKind, Target};
use crate::program::{Class, CodeId, Const, ConstId, Point};

/// More rounds are not needed by programs that people write; what is not found by then changes nothing natively.
const ROUNDS_MAX: u32 = 40;

/// Finds changed constants: for each the source, line and name of a function that changes it.
pub(super) fn find(
    codes: &[Code],
    consts: &[Const],
    classes: &[Class],
    points: &[Point],
) -> BTreeMap<ConstId, (u32, u32, String)> {
    let flow = Flow::new(consts);
    if flow.is_empty() {
        return BTreeMap::new();
    }
    let mut finder = Finder {
        codes,
        consts,
        points,
        flow,
        vars: HashMap::new(),
        returns: vec![Value::default(); codes.len()],
        unknown: Value::default(),
        instances: Instances::new(consts, classes),
        taken: HashSet::new(),
        changed: BTreeMap::new(),
        code: 0,
        line: 0,
        grew: true,
    };
    for value in consts {
        if let Const::Function(function) = value {
            finder.constant_defaults(function);
        }
    }
    finder.operators();
    // A class method is given its class, which it may hand on.
    let has_class = |value: &Const| match value {
        Const::Method(_, class) => matches!(consts.get(*class as usize), Some(Const::Class(_))),
        _ => false,
    };
    if consts.iter().any(has_class) {
        finder.take_methods("__init__");
    }
    for _ in 0..ROUNDS_MAX {
        if !std::mem::replace(&mut finder.grew, false) {
            break;
        }
        for (at, code) in codes.iter().enumerate() {
            finder.code = at as CodeId;
            finder.function(code);
        }
    }
    finder.changed
}

/// A variable: local, or cell with an offset.
pub(super) type Var = (CodeId, u32);

pub(super) const CELLS: u32 = 1 << 16;

pub(super) struct Finder<'a> {
    pub(super) codes: &'a [Code],
    pub(super) consts: &'a [Const],
    pub(super) points: &'a [Point],
    pub(super) flow: Flow,
    pub(super) vars: HashMap<Var, Value>,
    pub(super) returns: Vec<Value>,
    /// What is handed to functions that are not known by name.
    pub(super) unknown: Value,
    /// What is known of instances of classes of the user's.
    pub(super) instances: Instances,
    /// Functions that are used as values.
    pub(super) taken: HashSet<CodeId>,
    pub(super) changed: BTreeMap<ConstId, (u32, u32, String)>,
    pub(super) code: CodeId,
    pub(super) line: u32,
    pub(super) grew: bool,
}

impl<'a> Finder<'a> {
    fn constant_defaults(&mut self, function: &crate::program::ConstFunction) {
        let Some(code) = self.codes.get(function.code as usize) else {
            return;
        };
        let first = code
            .params
            .positional
            .len()
            .saturating_sub(function.defaults.len());
        for (at, id) in function.defaults.iter().enumerate() {
            let value = self.flow.constant(*id);
            self.join((function.code, (first + at) as u32), &value);
        }
        for (name, id) in &function.kwdefaults {
            let value = self.flow.constant(*id);
            if let Some(at) = param(code, name) {
                self.join((function.code, at), &value);
            }
        }
    }

    fn function(&mut self, code: &'a Code) {
        let params = params(code);
        if self.taken.contains(&self.code) {
            let unknown = self.unknown.clone();
            for at in 0..params {
                self.join((self.code, at), &unknown);
            }
        }
        for (at, cell) in code.cells.iter().enumerate() {
            if let Some(param) = cell.param {
                let value = self.var((self.code, u32::from(param)));
                self.join((self.code, CELLS + at as u32), &value);
            }
        }
        self.body(&code.body);
    }

    pub(super) fn var(&self, var: Var) -> Value {
        self.vars.get(&var).cloned().unwrap_or_default()
    }

    pub(super) fn join(&mut self, var: Var, value: &Value) {
        if !value.is_empty() && self.vars.entry(var).or_default().join(value) {
            self.grew = true;
        }
    }

    pub(super) fn join_unknown(&mut self, value: &Value) {
        let inner = self.flow.index(value);
        if self.unknown.join(value) | self.unknown.join(&inner) {
            self.grew = true;
        }
    }

    pub(super) fn change(&mut self, ids: &BTreeSet<ConstId>) {
        for id in ids {
            if self.changed.contains_key(id) {
                continue;
            }
            if let Some(code) = self.codes.get(self.code as usize) {
                self.changed
                    .insert(*id, (code.source, self.line, code.name.to_string()));
            }
        }
    }

    fn body(&mut self, body: &'a Body) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        self.line = stmt.line;
        match &stmt.kind {
            StmtKind::Expr(value) => {
                self.expr(value);
            }
            StmtKind::Return(value) => {
                let value = self.expr(value);
                self.returned(&value);
            }
            StmtKind::Yield(target, value) | StmtKind::YieldFrom(target, value) => {
                let value = self.expr(value);
                let held = Value {
                    is: BTreeSet::new(),
                    holds: value.all(),
                };
                self.returned(&held);
                let inner = self.flow.index(&value);
                self.returned(&Value {
                    is: BTreeSet::new(),
                    holds: inner.all(),
                });
                if let Some(target) = target {
                    self.assign(target, &value);
                }
            }
            StmtKind::Assign(targets, value) => {
                let value = self.expr(value);
                targets.iter().for_each(|target| self.assign(target, &value));
            }
            StmtKind::AugAssign(target, op, value) => self.augmented(target, *op, value),
            StmtKind::Delete(targets) => targets
                .iter()
                .for_each(|target| self.assign(target, &Value::default())),
            StmtKind::If(test, body, orelse) | StmtKind::While(test, body, orelse) => {
                self.expr(test);
                self.body(body);
                self.body(orelse);
            }
            StmtKind::For(inner) => {
                let over = self.expr(&inner.iter);
                let each = self.flow.index(&over);
                self.assign(&inner.target, &each);
                self.body(&inner.body);
                self.body(&inner.orelse);
            }
            StmtKind::Raise(exc, cause) => exc.iter().chain(cause).for_each(|value| {
                self.expr(value);
            }),
            StmtKind::Assert(test, message) => std::iter::once(test).chain(message).for_each(|value| {
                self.expr(value);
            }),
            StmtKind::Try(inner) => {
                self.body(&inner.body);
                for handler in &inner.handlers {
                    self.body(&handler.body);
                }
                self.body(&inner.orelse);
                self.body(&inner.finally);
            }
            StmtKind::With(inner) => {
                let value = self.expr(&inner.manager);
                inner.target.iter().for_each(|target| self.assign(target, &value));
                self.body(&inner.body);
            }
            StmtKind::Match(inner) => {
                let subject = self.expr(&inner.subject);
                let parts = self.flow.descend(&subject);
                for case in &inner.cases {
                    self.pattern(&case.pattern, &parts);
                    case.guard.iter().for_each(|guard| {
                        self.expr(guard);
                    });
                    self.body(&case.body);
                }
            }
            StmtKind::Break | StmtKind::Continue | StmtKind::Pass | StmtKind::Fallback(_) => {}
        }
    }

    fn returned(&mut self, value: &Value) {
        if let Some(known) = self.returns.get_mut(self.code as usize)
            && known.join(value)
        {
            self.grew = true;
        }
    }

    fn pattern(&mut self, pattern: &'a Pattern, parts: &Value) {
        match pattern {
            Pattern::Value(_) | Pattern::Singleton(_) => {}
            Pattern::Sequence(patterns, star) => {
                patterns.iter().for_each(|pattern| self.pattern(pattern, parts));
                if let Some((_, Some(target))) = star {
                    self.assign(target, parts);
                }
            }
            Pattern::Mapping(pairs, rest) => {
                pairs.iter().for_each(|(_, pattern)| self.pattern(pattern, parts));
                rest.iter().for_each(|target| self.assign(target, parts));
            }
            Pattern::Class(_, positional, named) => {
                positional.iter().for_each(|pattern| self.pattern(pattern, parts));
                for (name, pattern) in named {
                    let mut of_class = self.field(name);
                    of_class.join(parts);
                    self.pattern(pattern, &of_class);
                }
            }
            Pattern::As(inner, target) => {
                inner.iter().for_each(|pattern| self.pattern(pattern, parts));
                target.iter().for_each(|target| self.assign(target, parts));
            }
            Pattern::Or(patterns) => patterns.iter().for_each(|pattern| self.pattern(pattern, parts)),
        }
    }

    pub(super) fn assign(&mut self, target: &'a Target, value: &Value) {
        match target {
            Target::Local(local) => self.join((self.code, u32::from(*local)), value),
            Target::Cell(cell) => self.join((self.code, CELLS + u32::from(*cell)), value),
            Target::Index(inner) => {
                let base = self.expr(&inner.0);
                self.change(&base.is);
                self.keep_in(&inner.0, value);
            }
            Target::Attr(inner) => {
                self.expr(&inner.0);
                let is_new = !self.instances.fields.contains_key(&inner.1);
                self.grew |= is_new
                    | self
                        .instances
                        .fields
                        .entry(inner.1.clone())
                        .or_default()
                        .join(value);
            }
            Target::Unpack(targets, _) => {
                let mut each = self.flow.index(value);
                let whole = Value {
                    is: BTreeSet::new(),
                    holds: each.all(),
                };
                each.join(&whole);
                targets.iter().for_each(|target| self.assign(target, &each));
            }
            Target::Fallback(_) => {}
        }
    }

    /// Something is put into what a variable holds.
    pub(super) fn keep_in(&mut self, base: &'a Expr, value: &Value) {
        let held = Value {
            is: BTreeSet::new(),
            holds: value.all(),
        };
        match base {
            Expr::Local(local) => self.join((self.code, u32::from(*local)), &held),
            Expr::Cell(cell) => self.join((self.code, CELLS + u32::from(*cell)), &held),
            Expr::Index(inner) => self.keep_in(&inner.0, value),
            Expr::Path(path) => self.join((self.code, u32::from(path.local)), &held),
            _ => {}
        }
    }

    fn augmented(&mut self, target: &'a Target, op: BinaryOp, value: &'a Expr) {
        let value = self.expr(value);
        let held = Value {
            is: BTreeSet::new(),
            holds: self.flow.index(&value).all(),
        };
        let current = match target {
            Target::Local(local) => self.var((self.code, u32::from(*local))),
            Target::Cell(cell) => self.var((self.code, CELLS + u32::from(*cell))),
            Target::Index(inner) => {
                let base = self.expr(&inner.0);
                self.change(&base.is);
                self.flow.index(&base)
            }
            Target::Attr(inner) => self.field(&inner.1),
            _ => Value::default(),
        };
        let in_place = current
            .is
            .into_iter()
            .filter(|id| changes_in_place(self.consts, *id, op))
            .collect();
        self.change(&in_place);
        self.assign(target, &held);
    }
}

fn changes_in_place(consts: &[Const], id: ConstId, op: BinaryOp) -> bool {
    match consts.get(id as usize) {
        Some(Const::List(_)) => matches!(op, BinaryOp::Add | BinaryOp::Mul),
        Some(Const::Dict(_)) => op == BinaryOp::BitOr,
        Some(Const::Set(_)) => {
            matches!(
                op,
                BinaryOp::BitOr | BinaryOp::BitAnd | BinaryOp::BitXor | BinaryOp::Sub
            )
        }
        _ => false,
    }
}

/// How many locals of a function are parameters.
pub(super) fn params(code: &Code) -> u32 {
    let params = &code.params;
    let stars = usize::from(params.star.is_some()) + usize::from(params.double_star.is_some());
    (params.positional.len() + params.keyword_only.len() + stars) as u32
}

/// The local of a named parameter.
pub(super) fn param(code: &Code, name: &str) -> Option<u32> {
    let params = &code.params;
    if let Some(at) = params.positional.iter().position(|known| &**known == name) {
        return Some(at as u32);
    }
    let at = params.keyword_only.iter().position(|known| &**known == name)?;
    Some((params.positional.len() + usize::from(params.star.is_some()) + at) as u32)
}
