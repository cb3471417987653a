//! Where constant containers flow in expressions and calls.

use std::collections::BTreeSet;

use super::changes::{CELLS, Finder, param, params};
use super::flow::{FORGIVING, MUTATING, Value};
use super::reach::children;
use crate::ir::{Call, CallArgs, Expr, FStringPart, Item, MakeFunction, MethodCall};
use crate::program::{Const, ConstId};
use crate::types::Type;

impl<'a> Finder<'a> {
    pub(super) fn expr(&mut self, expr: &'a Expr) -> Value {
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
                match &*inner.1 {
                    "__class__" => self.take_all_methods(),
                    name => self.take_methods(name),
                }
                // A named tuple holds what it was made of.
                let mut field = self.field(&inner.1);
                field.join(&self.flow.index(&value));
                field
            }
            Expr::Index(inner) => {
                let value = self.expr(&inner.0);
                self.expr(&inner.1);
                let mut element = self.flow.index(&value);
                element.join(&self.answers_of_methods("__getitem__"));
                element
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
            Expr::Tuple(_) | Expr::List(_) | Expr::Set(_) | Expr::Dict(_) | Expr::Comprehension(_) => Value {
                is: BTreeSet::new(),
                holds: self.display(expr),
            },
            Expr::MakeFunction(made) => self.made(made),
            Expr::FString(parts) => {
                for part in parts {
                    if let FStringPart::Value(value, _, _) = part {
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

    /// What a display or comprehension holds.
    fn display(&mut self, expr: &'a Expr) -> BTreeSet<ConstId> {
        match expr {
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
                held
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
                held
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
                held
            }
            _ => BTreeSet::new(),
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
            Some(Const::Function(function)) => self.grew |= self.taken.insert(function.code),
            // From these on, which class or method is called shows nowhere.
            Some(Const::Class(_) | Const::Type(Type::Type)) => self.take_all_methods(),
            Some(Const::Builtin(function)) if function.name == "getattr" => self.take_all_methods(),
            Some(Const::NativeClass(class)) if class.module == "operator" => self.take_all_methods(),
            Some(
                value @ (Const::Tuple(_)
                | Const::List(_)
                | Const::Dict(_)
                | Const::Method(..)
                | Const::Partial(_)
                | Const::Made(_)),
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
                self.call_methods("__init__", &all);
                all.join(&func);
                all.join(&self.unknown.clone());
                all.join(&self.answers_of_taken());
                all.join(&self.answers_of_methods("__call__"));
                all.holds = all.all();
                all
            }
        }
    }

    fn call_const(&mut self, id: ConstId, written: &'a CallArgs, args: &[Value], all: &Value) -> Value {
        let (code, skip) = match self.consts.get(id as usize) {
            Some(Const::Function(function)) => (function.code, 0),
            Some(Const::Class(_) | Const::Type(Type::Type)) => {
                // Whatever class it is, and whoever made it.
                self.call_methods("__init__", all);
                if matches!(self.consts.get(id as usize), Some(Const::Type(_))) {
                    self.take_all_methods();
                }
                return self.fresh(all);
            }
            // They hand what they are given to nobody.
            Some(Const::Type(
                Type::List | Type::Tuple | Type::Set | Type::FrozenSet | Type::Dict | Type::Str,
            )) => {
                return self.fresh(all);
            }
            Some(Const::Builtin(function)) if function.name == "getattr" => {
                self.take_all_methods();
                let mut made = self.fresh(all);
                made.join(all);
                made.join(&self.any_field());
                return made;
            }
            Some(Const::NativeClass(class)) if class.module == "operator" => {
                self.take_all_methods();
                return self.fresh(all);
            }
            Some(Const::Method(func, _)) => match self.consts.get(*func as usize) {
                Some(Const::Function(function)) => (function.code, 1),
                _ => return self.fresh(all),
            },
            // A function that remembers its answers.
            Some(Const::Made(made)) => match made.args.first().map(|func| self.consts.get(*func as usize)) {
                Some(Some(Const::Function(function))) => (function.code, 0),
                // A class of named tuples.
                _ => {
                    return Value {
                        is: BTreeSet::new(),
                        holds: all.all(),
                    };
                }
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
        self.call_methods(name, &all);
        result.join(&self.answers_of_attribute(name));
        result
    }
}
