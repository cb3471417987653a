//! Constants that some function changes: a list of the module that grows, a dictionary used as a cache, a mutable
//! default argument. Each process would see other values, so that whoever reads one falls back.
//!
//! Found by following where constant containers can flow, without regard to order and conditions, until nothing new
//! is found. Too much is found rather than too little.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::flow::{FORGIVING, Flow, MUTATING, Value};
use super::reach::children;
use crate::ir::{
    BinaryOp, Body, Call, CallArgs, Code, Expr, Item, MakeFunction, MethodCall, Pattern, Stmt, StmtKind,
    Target,
};
use crate::program::{CodeId, Const, ConstId, Point};

/// More rounds are not needed by programs that people write; what is not found by then changes nothing natively.
const ROUNDS_MAX: u32 = 40;

/// Finds changed constants: for each the source, line and name of a function that changes it.
pub(super) fn find(
    codes: &[Code],
    consts: &[Const],
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
type Var = (CodeId, u32);

const CELLS: u32 = 1 << 16;

struct Finder<'a> {
    codes: &'a [Code],
    consts: &'a [Const],
    points: &'a [Point],
    flow: Flow,
    vars: HashMap<Var, Value>,
    returns: Vec<Value>,
    /// What is handed to functions that are not known by name.
    unknown: Value,
    /// Functions that are used as values.
    taken: HashSet<CodeId>,
    changed: BTreeMap<ConstId, (u32, u32, String)>,
    code: CodeId,
    line: u32,
    grew: bool,
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

    fn var(&self, var: Var) -> Value {
        self.vars.get(&var).cloned().unwrap_or_default()
    }

    fn join(&mut self, var: Var, value: &Value) {
        if !value.is_empty() && self.vars.entry(var).or_default().join(value) {
            self.grew = true;
        }
    }

    fn join_unknown(&mut self, value: &Value) {
        let inner = self.flow.index(value);
        if self.unknown.join(value) | self.unknown.join(&inner) {
            self.grew = true;
        }
    }

    fn change(&mut self, ids: &BTreeSet<ConstId>) {
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
                named.iter().for_each(|(_, pattern)| self.pattern(pattern, parts));
            }
            Pattern::As(inner, target) => {
                inner.iter().for_each(|pattern| self.pattern(pattern, parts));
                target.iter().for_each(|target| self.assign(target, parts));
            }
            Pattern::Or(patterns) => patterns.iter().for_each(|pattern| self.pattern(pattern, parts)),
        }
    }

    fn assign(&mut self, target: &'a Target, value: &Value) {
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
    fn keep_in(&mut self, base: &'a Expr, value: &Value) {
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

    fn expr(&mut self, expr: &'a Expr) -> Value {
        match expr {
            Expr::Const(id) => {
                self.take(*id, 0);
                self.flow.constant(*id)
            }
            Expr::Local(local) => self.var((self.code, u32::from(*local))),
            Expr::Cell(cell) => self.var((self.code, CELLS + u32::from(*cell))),
            Expr::Missing(_) | Expr::Fallback(_) => Value::default(),
            Expr::Path(inner) => self.expr(&inner.otherwise),
            Expr::Memo(inner) => self.expr(&inner.expr),
            Expr::Attr(inner) => {
                let value = self.expr(&inner.0);
                if MUTATING.contains(&&*inner.1) {
                    self.change(&value.is);
                }
                Value::default()
            }
            Expr::Index(inner) => {
                let value = self.expr(&inner.0);
                self.expr(&inner.1);
                self.flow.index(&value)
            }
            Expr::Unary(_, operand) => {
                self.expr(operand);
                Value::default()
            }
            Expr::Binary(_, inner) => {
                let mut parts = self.expr(&inner.0);
                parts.join(&self.expr(&inner.1));
                Value {
                    is: BTreeSet::new(),
                    holds: self.flow.index(&parts).all(),
                }
            }
            Expr::Slice(parts) | Expr::IfElse(parts) => self.union(parts.iter()),
            Expr::And(parts) | Expr::Or(parts) => self.union(parts.iter()),
            Expr::Compare(inner) => {
                self.expr(&inner.0);
                self.union(inner.1.iter().map(|(_, right)| right));
                Value::default()
            }
            Expr::Call(call) => self.call(call),
            Expr::MethodCall(call) => self.method(call),
            Expr::Tuple(items) | Expr::List(items) | Expr::Set(items) => {
                let mut held = BTreeSet::new();
                for item in items {
                    held.extend(match item {
                        Item::One(value) => self.expr(value).all(),
                        Item::Star(value) => {
                            let value = self.expr(value);
                            self.flow.index(&value).all()
                        }
                    });
                }
                Value {
                    is: BTreeSet::new(),
                    holds: held,
                }
            }
            Expr::Dict(entries) => {
                let mut held = BTreeSet::new();
                for (key, value) in entries {
                    let value = self.expr(value);
                    held.extend(self.flow.index(&value).all());
                    if let Some(key) = key {
                        held.extend(value.all());
                        self.expr(key);
                    }
                }
                Value {
                    is: BTreeSet::new(),
                    holds: held,
                }
            }
            Expr::Comprehension(comp) => {
                for clause in &comp.clauses {
                    let over = self.expr(&clause.iter);
                    let each = self.flow.index(&over);
                    self.assign(&clause.target, &each);
                    self.union(clause.conditions.iter());
                }
                let mut held = self.expr(&comp.element).all();
                if let Some(value) = &comp.value {
                    held.extend(self.expr(value).all());
                }
                Value {
                    is: BTreeSet::new(),
                    holds: held,
                }
            }
            Expr::MakeFunction(made) => self.made(made),
            Expr::FString(parts) => {
                for part in parts {
                    if let crate::ir::FStringPart::Value(value, _, _) = part {
                        self.expr(value);
                    }
                }
                Value::default()
            }
            Expr::Walrus(inner) => {
                let value = self.expr(&inner.1);
                self.assign(&inner.0, &value);
                value
            }
        }
    }

    fn union(&mut self, parts: impl Iterator<Item = &'a Expr>) -> Value {
        let mut all = Value::default();
        for part in parts {
            let value = self.expr(part);
            all.join(&value);
        }
        all
    }

    /// A function that is used as a value may be called with anything.
    fn take(&mut self, id: ConstId, depth: u32) {
        match self.consts.get(id as usize) {
            Some(Const::Function(function)) => {
                if self.taken.insert(function.code) {
                    self.grew = true;
                }
            }
            Some(
                value @ (Const::Tuple(_)
                | Const::List(_)
                | Const::Dict(_)
                | Const::Method(..)
                | Const::Partial(_)),
            ) if depth < 3 => {
                for inner in children(value) {
                    self.take(inner, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn made(&mut self, made: &'a MakeFunction) -> Value {
        if self.taken.insert(made.code) {
            self.grew = true;
        }
        let Some(code) = self.codes.get(made.code as usize) else {
            return Value::default();
        };
        let first = code.params.positional.len().saturating_sub(made.defaults.len());
        for (at, default) in made.defaults.iter().enumerate() {
            let value = self.expr(default);
            self.join((made.code, (first + at) as u32), &value);
        }
        for (name, default) in &made.kwdefaults {
            let value = self.expr(default);
            if let Some(at) = param(code, name) {
                self.join((made.code, at), &value);
            }
        }
        for (at, outer) in made.captures.iter().enumerate() {
            let outer = (self.code, CELLS + u32::from(*outer));
            let inner = (made.code, CELLS + (code.cells.len() + at) as u32);
            let (from, back) = (self.var(outer), self.var(inner));
            self.join(inner, &from);
            self.join(outer, &back);
        }
        match &made.generator_over {
            Some(over) => {
                let over = self.expr(over);
                self.join((made.code, 0), &over);
                self.returns.get(made.code as usize).cloned().unwrap_or_default()
            }
            None => Value::default(),
        }
    }

    fn args(&mut self, args: &'a CallArgs) -> Vec<Value> {
        let positional = args.positional.iter().map(|item| match item {
            Item::One(value) => (value, false),
            Item::Star(value) => (value, true),
        });
        let named = args.keywords.iter().map(|(name, value)| (value, name.is_none()));
        let all: Vec<(&'a Expr, bool)> = positional.chain(named).collect();
        all.into_iter()
            .map(|(value, spread)| {
                let value = self.expr(value);
                if spread { self.flow.index(&value) } else { value }
            })
            .collect()
    }

    fn call(&mut self, call: &'a Call) -> Value {
        let args = self.args(&call.args);
        let mut all = Value::default();
        args.iter().for_each(|arg| {
            all.join(arg);
        });
        match &call.func {
            Expr::Const(id) => self.call_const(*id, &call.args, &args, &all),
            Expr::Fallback(point) => {
                let reason = self
                    .points
                    .get(*point as usize)
                    .map_or("", |point| &*point.reason);
                if !FORGIVING.iter().any(|known| reason.contains(known)) {
                    let all = self.flow.descend(&all);
                    self.change(&all.is);
                }
                Value::default()
            }
            other => {
                let func = self.expr(other);
                self.join_unknown(&all);
                all.join(&func);
                all.join(&self.unknown.clone());
                all
            }
        }
    }

    fn call_const(&mut self, id: ConstId, written: &'a CallArgs, args: &[Value], all: &Value) -> Value {
        let (code, skip) = match self.consts.get(id as usize) {
            Some(Const::Function(function)) => (function.code, 0),
            Some(Const::Method(func, _)) => match self.consts.get(*func as usize) {
                Some(Const::Function(function)) => (function.code, 1),
                _ => return self.fresh(all),
            },
            Some(Const::Builtin(function)) => {
                if matches!(
                    function.module,
                    "heapq" | "bisect" | "random" | "operator" | "collections"
                ) && let Some(first) = args.first()
                {
                    self.change(&first.is);
                }
                self.join_unknown(all);
                // Those that make something new hand on elements, others perhaps the argument itself.
                let own = matches!(function.name, "max" | "min" | "next" | "getattr" | "reduce");
                let mut made = self.fresh(all);
                if own {
                    made.join(all);
                    made.join(&self.flow.index(all));
                }
                return made;
            }
            _ => {
                self.join_unknown(all);
                return self.fresh(all);
            }
        };
        let Some(target) = self.codes.get(code as usize) else {
            return Value::default();
        };
        let spread = written
            .positional
            .iter()
            .any(|item| matches!(item, Item::Star(_)))
            || written.keywords.iter().any(|(name, _)| name.is_none());
        let count = target.params.positional.len() as u32;
        if spread {
            for at in 0..params(target) {
                self.join((code, at), all);
            }
        } else {
            let positional = written.positional.len();
            for (at, value) in args.iter().take(positional).enumerate() {
                let at = at as u32 + skip;
                let held = Value {
                    is: BTreeSet::new(),
                    holds: value.all(),
                };
                if at < count {
                    self.join((code, at), value)
                } else {
                    self.join((code, count), &held)
                }
            }
            for ((name, _), value) in written.keywords.iter().zip(args.iter().skip(positional)) {
                let held = Value {
                    is: BTreeSet::new(),
                    holds: value.all(),
                };
                match name.as_deref().and_then(|name| param(target, name)) {
                    Some(at) => self.join((code, at), value),
                    None => self.join((code, params(target).saturating_sub(1)), &held),
                }
            }
        }
        self.returns.get(code as usize).cloned().unwrap_or_default()
    }

    /// Something new that holds what the arguments hold.
    fn fresh(&self, all: &Value) -> Value {
        Value {
            is: BTreeSet::new(),
            holds: self.flow.index(all).all(),
        }
    }

    fn method(&mut self, call: &'a MethodCall) -> Value {
        let args = self.args(&call.args);
        let mut all = Value::default();
        args.iter().for_each(|arg| {
            all.join(arg);
        });
        let value = self.expr(&call.value);
        let name: &str = &call.site.name;
        if matches!(call.value, Expr::Fallback(_)) {
            let all = self.flow.descend(&all);
            self.change(&all.is);
            return Value::default();
        }
        if MUTATING.contains(&name) {
            self.change(&value.is);
            // `list.append(items, item)`
            if let (Expr::Const(_), Some(first)) = (&call.value, args.first())
                && value.is.is_empty()
            {
                self.change(&first.is);
            }
            self.keep_in(&call.value, &all);
        }
        self.join_unknown(&all);
        let inner = self.flow.index(&value);
        if matches!(name, "copy" | "items" | "values" | "keys") {
            return Value {
                is: BTreeSet::new(),
                holds: inner.all(),
            };
        }
        let mut result = inner;
        result.join(&all);
        result
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
fn params(code: &Code) -> u32 {
    let params = &code.params;
    let stars = usize::from(params.star.is_some()) + usize::from(params.double_star.is_some());
    (params.positional.len() + params.keyword_only.len() + stars) as u32
}

/// The local of a named parameter.
fn param(code: &Code, name: &str) -> Option<u32> {
    let params = &code.params;
    if let Some(at) = params.positional.iter().position(|known| &**known == name) {
        return Some(at as u32);
    }
    let at = params.keyword_only.iter().position(|known| &**known == name)?;
    Some((params.positional.len() + usize::from(params.star.is_some()) + at) as u32)
}
