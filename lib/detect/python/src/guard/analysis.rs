//! What a function may do, depending on the record: statements followed along all ways through it.

use super::cond::{Cond, Fact};
use super::expr::Abs;
use super::paths::Paths;
use super::raises::{Caught, Raises};
use super::shape::{Change, Shape};
use super::ways::{Ends, forget, hold};
use crate::ir::{CallArgs, Code, Expr, Item, Stmt, StmtKind, Target, Try};
use crate::program::{Const, ConstId, Program, RuleCode};
use crate::types::{ExcKind, Type};

/// Expressions and statements looked at per rule; beyond it anything may happen.
const STEPS_MAX: u32 = 50_000;
/// Calls within calls that are followed.
const CALLS_MAX: u32 = 6;

/// Finds out when a rule may do anything but answer "false".
pub(super) struct Analysis<'p, 's> {
    pub(super) program: &'p Program,
    pub(super) paths: &'s mut Paths,
    steps: u32,
    calls: u32,
    gave_up: bool,
}

impl<'p, 's> Analysis<'p, 's> {
    pub(super) const fn new(program: &'p Program, paths: &'s mut Paths) -> Self {
        Self {
            program,
            paths,
            steps: STEPS_MAX,
            calls: CALLS_MAX,
            gave_up: false,
        }
    }

    /// Something was met whose consequences are not followed: the rule may do anything.
    pub(super) const fn give_up(&mut self) {
        self.gave_up = true;
    }

    /// Counts a step; false when there were too many.
    pub(super) const fn step(&mut self) -> bool {
        self.steps = self.steps.saturating_sub(1);
        self.steps > 0
    }

    /// When a rule may fire, raise or leave: matchers first, as they are asked first.
    pub(super) fn rule(&mut self, rule: &'p RuleCode) -> Cond {
        // The context is copied before the rule is asked.
        let copied = rule.context.is_none_or(|id| self.is_plain(id, 0));
        if rule.refused.is_some() || !copied {
            return Cond::True;
        }
        let record = Abs {
            shape: Shape::Record,
            ..Abs::some(Shape::Unknown)
        };
        let mut reached = Cond::True;
        let mut runs = Cond::False;
        for matcher in &rule.matchers {
            let value = self.call_constant(*matcher, vec![record.clone()]);
            // One that raises is taken for one that does not hold.
            runs = runs.or(reached.clone().and(value.x));
            reached = reached.and(value.t);
        }
        let mut args = vec![record];
        if let Some(id) = rule.context {
            args.push(Abs::some(match self.program.consts[id as usize] {
                Const::Dict(_) => Shape::Context,
                _ => Shape::Unknown,
            }));
        }
        let value = self.call_constant(rule.func, args);
        if self.gave_up || self.steps == 0 {
            return Cond::True;
        }
        let func = Cond::any([value.t, value.r.anything(), value.x]);
        runs.or(reached.and(func))
    }

    /// Whether copying a constant neither raises nor leaves.
    fn is_plain(&self, id: ConstId, depth: u32) -> bool {
        const DEPTH_MAX: u32 = 20;
        depth < DEPTH_MAX
            && match &self.program.consts[id as usize] {
                Const::None | Const::Bool(_) | Const::Int(_) | Const::Float(_) | Const::Str(_) => true,
                Const::List(seq) => seq.items.iter().all(|item| self.is_plain(*item, depth + 1)),
                Const::Dict(dict) => dict.entries.iter().all(|(_, key, value)| {
                    self.is_plain(*key, depth + 1) && self.is_plain(*value, depth + 1)
                }),
                _ => false,
            }
    }

    /// A call of anything.
    pub(super) fn call(&mut self, env: &mut [Abs], func: &Abs, args: &'p CallArgs) -> Abs {
        let (Some(values), Shape::Const(id)) = (self.plain_args(env, args), &func.shape) else {
            return Abs::unknown();
        };
        // Arguments are evaluated first: what goes wrong with them goes wrong here.
        let (mut r, mut x) = (Raises::NEVER, Cond::False);
        for value in &values {
            r = r.or(value.r.clone());
            x = x.or(value.x.clone());
        }
        let mut called = match &self.program.consts[*id as usize] {
            Const::Builtin(builtin) => match (builtin.module, builtin.name, &*values) {
                ("streamalert.shared.utils", "in_network", [address, networks]) => {
                    self.in_network(address, networks)
                }
                ("builtins", "isinstance", [_, classes]) if self.are_types(&classes.shape) => {
                    Abs::some(Shape::Unknown)
                }
                ("builtins", "len", [value]) => measured(value),
                _ => self
                    .pattern_call(builtin.module, builtin.name, &values)
                    .unwrap_or_else(Abs::unknown),
            },
            Const::Type(Type::Bool) => match &*values {
                [value] => Abs {
                    t: value.t.clone(),
                    f: value.f.clone(),
                    ..Abs::some(Shape::Unknown)
                },
                _ => Abs::unknown(),
            },
            _ => {
                // A variable that holds the value does not raise again.
                let settled = values.into_iter().map(|value| Abs {
                    r: Raises::NEVER,
                    x: Cond::False,
                    ..value
                });
                self.call_constant(*id, settled.collect())
            }
        };
        called.r = r.or(called.r);
        called.x = x.or(called.x);
        called
    }

    fn in_network(&self, address: &Abs, networks: &Abs) -> Abs {
        let Some(items) = self.items(&networks.shape) else {
            return Abs::unknown();
        };
        let texts = items.iter().map(|id| match &self.program.consts[*id as usize] {
            Const::Str(text) => Some(&**text),
            _ => None,
        });
        let Some(networks) = texts
            .collect::<Option<Vec<_>>>()
            .and_then(super::cidr::Networks::read)
        else {
            return Abs::unknown();
        };
        let Shape::Field(path, Change::None, absent) = &address.shape else {
            return Abs::unknown();
        };
        // What is no text may be an address, too: integers are.
        let other = Cond::atom(*path, Fact::NotText);
        let default = absent.as_ref().map_or(Cond::False, |absent| absent.when(*path));
        // What is not plainly an address may be one of those that only CPython reads.
        let unusual = Cond::atom(*path, Fact::Network(super::cidr::Networks::default()));
        let other = other.or(unusual);
        Abs {
            t: Cond::any([
                Cond::atom(*path, Fact::Network(networks)),
                other.clone(),
                default.clone(),
            ]),
            f: Cond::True,
            r: other.clone().or(default.clone()).into(),
            x: other.or(default),
            shape: Shape::Unknown,
        }
    }

    /// A built-in type, or a tuple of them.
    fn are_types(&self, shape: &Shape) -> bool {
        let is_type = |id: ConstId| matches!(self.program.consts[id as usize], Const::Type(_));
        let Shape::Const(id) = shape else {
            return false;
        };
        match &self.program.consts[*id as usize] {
            Const::Tuple(seq) => seq.items.iter().all(|item| is_type(*item)),
            _ => is_type(*id),
        }
    }

    /// A call of a function that is known since loading.
    pub(super) fn call_constant(&mut self, id: ConstId, mut args: Vec<Abs>) -> Abs {
        match &self.program.consts[id as usize] {
            Const::Function(function) => {
                let Some(code) = self.program.codes.get(function.code as usize) else {
                    return Abs::unknown();
                };
                self.function(code, args)
            }
            Const::Method(function, receiver) => {
                args.insert(0, Abs::some(Shape::Const(*receiver)));
                self.call_constant(*function, args)
            }
            _ => Abs::unknown(),
        }
    }

    fn function(&mut self, code: &'p Code, args: Vec<Abs>) -> Abs {
        let params = &code.params;
        let plain = params.positional.len() == args.len()
            && params.star.is_none()
            && params.keyword_only.is_empty()
            && params.double_star.is_none()
            && !code.is_generator;
        if !plain || self.calls == 0 {
            return Abs::unknown();
        }
        self.calls -= 1;
        let mut env = args;
        env.resize_with(code.locals.len().max(env.len()), Abs::unknown);
        let mut ends = Ends::default();
        if let Some(falls) = self.body(&code.body, &mut env, Cond::True, &mut ends) {
            ends.f.push(falls);
        }
        self.calls += 1;
        Abs {
            t: Cond::any(ends.t),
            f: Cond::any(ends.f),
            r: Raises::any(ends.r),
            x: Cond::any(ends.x),
            shape: Shape::Unknown,
        }
    }

    /// Follows statements; answers when the end is reached.
    fn body(&mut self, body: &'p [Stmt], env: &mut Vec<Abs>, when: Cond, ends: &mut Ends) -> Option<Cond> {
        let mut when = when;
        for stmt in body {
            if when == Cond::False {
                return None;
            }
            if !self.step() {
                ends.anything(&Cond::True);
                return Some(Cond::True);
            }
            when = self.stmt(stmt, env, when, ends)?;
        }
        Some(when)
    }

    pub(super) fn stmt(
        &mut self,
        stmt: &'p Stmt,
        env: &mut Vec<Abs>,
        when: Cond,
        ends: &mut Ends,
    ) -> Option<Cond> {
        match &stmt.kind {
            StmtKind::Pass => Some(when),
            StmtKind::Return(value) => {
                let value = self.expr(env, value);
                ends.goes_wrong(&when, &value);
                ends.t.push(when.clone().and(value.t));
                ends.f.push(when.and(value.f));
                None
            }
            StmtKind::Expr(value) => {
                let value = self.expr(env, value);
                ends.goes_wrong(&when, &value);
                Some(when)
            }
            StmtKind::Assign(targets, Expr::Tuple(items)) if parallel(targets, items).is_some() => {
                let values: Vec<(u16, Abs)> = parallel(targets, items)
                    .into_iter()
                    .flatten()
                    .map(|(slot, item)| (slot, self.expr(env, item)))
                    .map(|(slot, value)| {
                        ends.goes_wrong(&when, &value);
                        (slot, value)
                    })
                    .collect();
                for (slot, value) in values {
                    hold(env, slot, value);
                }
                Some(when)
            }
            StmtKind::Assign(targets, value) => {
                let value = self.expr(env, value);
                ends.goes_wrong(&when, &value);
                match &**targets {
                    [Target::Local(slot)] => hold(env, *slot, value),
                    [Target::Index(place)] if self.is_in_context(env, place) => {}
                    _ => {
                        forget(stmt, env);
                        ends.leaves(&when);
                    }
                }
                Some(when)
            }
            StmtKind::If(test, then, otherwise) => {
                let test = self.expr(env, test);
                ends.goes_wrong(&when, &test);
                let mut other = env.clone();
                let one = self.body(then, env, when.clone().and(test.t), ends);
                let two = self.body(otherwise, &mut other, when.and(test.f), ends);
                self.join(stmt, env, other, one, two)
            }
            StmtKind::Raise(..) => {
                ends.leaves(&when);
                None
            }
            StmtKind::Assert(test, _) => {
                let test = self.expr(env, test);
                ends.goes_wrong(&when, &test);
                ends.leaves(&when.clone().and(test.f));
                Some(when.and(test.t))
            }
            StmtKind::For(statement) => {
                let over = self.expr(env, &statement.iter);
                ends.goes_wrong(&when, &over);
                let items = self.items(&over.shape);
                forget(stmt, env);
                match (&statement.target, items) {
                    (Target::Local(slot), Some(items)) => {
                        for item in items {
                            let mut inner = env.clone();
                            if let Some(local) = inner.get_mut(usize::from(*slot)) {
                                *local = self.constant(item);
                            }
                            self.body(&statement.body, &mut inner, when.clone(), ends);
                        }
                    }
                    _ => {
                        // It may not be iterable, or its elements not be what the targets are for.
                        let some = self.has_elements(&over).unwrap_or(Cond::True);
                        let some = when.clone().and(some);
                        ends.leaves(&some);
                        let mut inner = env.clone();
                        self.body(&statement.body, &mut inner, some, ends);
                    }
                }
                forget(stmt, env);
                let mut after = env.clone();
                self.body(&statement.orelse, &mut after, when.clone(), ends);
                forget(stmt, env);
                Some(when)
            }
            StmtKind::Try(statement) => self.attempt(stmt, statement, env, when, ends),
            StmtKind::Fallback(_) => {
                ends.x.push(when);
                None
            }
            // Control goes on after the loop, which is followed whatever happens in it.
            StmtKind::Break | StmtKind::Continue => None,
            _ => {
                ends.anything(&when);
                forget(stmt, env);
                Some(when)
            }
        }
    }

    fn attempt(
        &mut self,
        stmt: &'p Stmt,
        statement: &'p Try,
        env: &mut [Abs],
        when: Cond,
        ends: &mut Ends,
    ) -> Option<Cond> {
        if !statement.finally.is_empty() {
            ends.anything(&when);
            forget(stmt, env);
            return Some(when);
        }
        let mut inner = Ends::default();
        let mut tried = env.to_vec();
        let body = self.body(&statement.body, &mut tried, when, &mut inner);
        ends.t.append(&mut inner.t);
        ends.f.append(&mut inner.f);
        ends.x.append(&mut inner.x);
        let mut raised = Raises::any(inner.r);
        let normal = body.and_then(|body| self.body(&statement.orelse, &mut tried, body, ends));
        // Where in the body it was raised is not known, so neither are the variables it sets.
        forget(stmt, env);
        let mut after = normal;
        for handler in &statement.handlers {
            let mut handling = env.to_vec();
            let caught = match &handler.types {
                None => Caught::ALL,
                Some(types) => self.caught(types).unwrap_or_else(|| {
                    // Evaluating it, or what is no class, goes wrong in ways of its own.
                    self.expr(&mut handling, types);
                    ends.leaves(&raised.clone().anything());
                    Caught::UNKNOWN
                }),
            };
            let (reached, rest) = raised.handled(caught);
            raised = rest;
            let end = self.body(&handler.body, &mut handling, reached, ends);
            after = match (after, end) {
                (Some(one), Some(two)) => Some(one.or(two)),
                (one, two) => one.or(two),
            };
        }
        ends.r.push(raised);
        after
    }

    /// What an `except` clause catches, if it names built-in classes.
    fn caught(&self, types: &Expr) -> Option<Caught> {
        let kind = |id: ConstId| match self.program.consts[id as usize] {
            Const::Type(Type::Exc(kind)) => Some(kind),
            _ => None,
        };
        let classes: Vec<ExcKind> = match types {
            Expr::Const(id) => match &self.program.consts[*id as usize] {
                Const::Tuple(seq) => seq.items.iter().map(|item| kind(*item)).collect::<Option<_>>()?,
                _ => vec![kind(*id)?],
            },
            Expr::Tuple(items) => {
                let one = |item: &Item| match item {
                    Item::One(Expr::Const(id)) => kind(*id),
                    _ => None,
                };
                items.iter().map(one).collect::<Option<_>>()?
            }
            _ => return None,
        };
        Some(Caught::of(&classes))
    }

    /// `context['key']`: a dictionary of the rule's own takes anything.
    fn is_in_context(&self, env: &[Abs], place: &(Expr, Expr)) -> bool {
        let (Expr::Local(slot), Expr::Const(key)) = place else {
            return false;
        };
        let held = env.get(usize::from(*slot)).map(|local| &local.shape);
        matches!(held, Some(Shape::Context)) && matches!(self.program.consts[*key as usize], Const::Str(_))
    }

    /// After a branch: variables that either side sets are unknown.
    fn join(
        &self,
        stmt: &'p Stmt,
        env: &mut [Abs],
        other: Vec<Abs>,
        one: Option<Cond>,
        two: Option<Cond>,
    ) -> Option<Cond> {
        match (one, two) {
            (Some(one), Some(two)) => {
                forget(stmt, env);
                Some(one.or(two))
            }
            (Some(one), None) => Some(one),
            (None, Some(two)) => {
                for (local, value) in env.iter_mut().zip(other) {
                    *local = value;
                }
                Some(two)
            }
            (None, None) => None,
        }
    }
}

/// `a, b = x, y`: which variable gets which value.
fn parallel<'p>(targets: &[Target], items: &'p [Item]) -> Option<Vec<(u16, &'p Expr)>> {
    let [Target::Unpack(parts, None)] = targets else {
        return None;
    };
    if parts.len() != items.len() {
        return None;
    }
    let pair = |(part, item): (&Target, &'p Item)| match (part, item) {
        (Target::Local(slot), Item::One(value)) => Some((*slot, value)),
        _ => None,
    };
    parts.iter().zip(items).map(pair).collect()
}

/// `len(value)`
fn measured(value: &Abs) -> Abs {
    let Shape::Field(path, _, absent) = &value.shape else {
        return Abs::unknown();
    };
    // Lists and dictionaries have a length, too, but there is no fact for what has none.
    let mut wrong = Cond::atom(*path, Fact::NotText);
    if let Some(absent) = absent {
        wrong = wrong.or(absent.when(*path));
    }
    Abs {
        r: wrong.clone().into(),
        x: wrong,
        ..Abs::some(Shape::Number)
    }
}
