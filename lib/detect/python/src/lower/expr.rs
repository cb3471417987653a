//! Expressions.

use std::rc::Rc;

use ruff_python_ast as ast;

use super::operator;
use super::scope::ScopeKind;
use super::unit::Unit;
use crate::ir::{Clause, CompareOp, Comprehension, ComprehensionKind, Expr, Item, PathExpr};
use crate::program::{Const, PathId};

/// Longer chains of keys are looked up from here on.
const PATH_KEYS_MAX: usize = 8;

impl Unit<'_, '_> {
    /// One expression.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Expr {
        match expr {
            ast::Expr::BoolOp(inner) => {
                // What a later operand binds may stay unbound.
                let first = inner.values.first().map(|value| self.expr(value));
                let bound = self.bound.clone();
                let rest = inner.values.iter().skip(1).map(|value| self.expr(value));
                let values = first.into_iter().chain(rest).collect();
                self.bound = bound;
                match inner.op {
                    ast::BoolOp::And => Expr::And(values),
                    ast::BoolOp::Or => Expr::Or(values),
                }
            }
            ast::Expr::Named(inner) => {
                let value = self.expr(&inner.value);
                let target = self.target(&inner.target);
                Expr::Walrus(Box::new((target, value)))
            }
            ast::Expr::BinOp(inner) => self.binary(inner),
            ast::Expr::UnaryOp(inner) => {
                let operand = self.expr(&inner.operand);
                let op = operator::unary(inner.op);
                match self.fold_unary(op, &operand) {
                    Some(id) => Expr::Const(id),
                    None => Expr::Unary(op, Box::new(operand)),
                }
            }
            ast::Expr::Lambda(inner) => self.lambda(inner),
            ast::Expr::If(inner) => {
                let test = self.expr(&inner.test);
                let bound = self.bound.clone();
                let then = self.expr(&inner.body);
                self.bound.clone_from(&bound);
                let orelse = self.expr(&inner.orelse);
                self.bound = bound;
                Expr::IfElse(Box::new([test, then, orelse]))
            }
            ast::Expr::Dict(inner) => Expr::Dict(
                inner
                    .items
                    .iter()
                    .map(|item| {
                        (
                            item.key.as_ref().map(|key| self.expr(key)),
                            self.expr(&item.value),
                        )
                    })
                    .collect(),
            ),
            ast::Expr::Set(inner) => Expr::Set(self.items(&inner.elts)),
            ast::Expr::List(inner) => Expr::List(self.items(&inner.elts)),
            ast::Expr::Tuple(inner) => self.tuple(&inner.elts),
            ast::Expr::ListComp(_)
            | ast::Expr::SetComp(_)
            | ast::Expr::DictComp(_)
            | ast::Expr::Generator(_) => self.any_comprehension(expr),
            ast::Expr::Await(inner) => self.unknown(inner, "async code"),
            ast::Expr::Yield(inner) => self.yield_within(inner),
            ast::Expr::YieldFrom(inner) => self.yield_within(inner),
            ast::Expr::Compare(inner) => self.compare(inner),
            ast::Expr::Call(inner) => self.call(inner),
            ast::Expr::FString(inner) => self.f_string(inner),
            ast::Expr::TString(inner) => self.unknown(inner, "a template string"),
            ast::Expr::StringLiteral(inner) => self.string(inner),
            ast::Expr::BytesLiteral(inner) => self.bytes(inner),
            ast::Expr::NumberLiteral(inner) => self.number(inner),
            ast::Expr::BooleanLiteral(inner) => Expr::Const(self.shared.pool.bool(inner.value)),
            ast::Expr::NoneLiteral(_) => self.none(),
            ast::Expr::EllipsisLiteral(_) => Expr::Const(self.shared.pool.ellipsis()),
            ast::Expr::Attribute(inner) => self.attribute(inner),
            ast::Expr::Subscript(inner) => self.subscript(inner),
            ast::Expr::Starred(inner) => self.unknown(inner, "a star outside of a list"),
            ast::Expr::Name(inner) => self.load(inner, &inner.id),
            ast::Expr::Slice(inner) => {
                let mut part = |part: &Option<Box<ast::Expr>>| match part {
                    Some(part) => self.expr(part),
                    None => self.none(),
                };
                let lower = part(&inner.lower);
                let upper = part(&inner.upper);
                let step = part(&inner.step);
                Expr::Slice(Box::new([lower, upper, step]))
            }
            ast::Expr::IpyEscapeCommand(inner) => self.unknown(inner, "an escape command"),
        }
    }

    fn yield_within(&mut self, at: &impl ruff_text_size::Ranged) -> Expr {
        self.fallback(
            at,
            "yield within an expression",
            "assign what yield gives to a variable first",
        )
    }

    fn binary(&mut self, inner: &ast::ExprBinOp) -> Expr {
        let left = self.expr(&inner.left);
        let right = self.expr(&inner.right);
        let op = operator::binary(inner.op);
        match self.fold_binary(op, &left, &right) {
            Some(id) => Expr::Const(id),
            None => Expr::Binary(op, Box::new((left, right))),
        }
    }

    /// Elements of a display.
    pub(super) fn items(&mut self, elements: &[ast::Expr]) -> Box<[Item]> {
        elements
            .iter()
            .map(|element| match element {
                ast::Expr::Starred(starred) => Item::Star(self.expr(&starred.value)),
                _ => Item::One(self.expr(element)),
            })
            .collect()
    }

    fn tuple(&mut self, elements: &[ast::Expr]) -> Expr {
        let items = self.items(elements);
        match self.constants(&items) {
            Some(ids) => Expr::Const(self.shared.pool.tuple(ids)),
            None => Expr::Tuple(items),
        }
    }

    /// The constants of a display that holds nothing but plain ones.
    fn constants(&self, items: &[Item]) -> Option<Vec<u32>> {
        items
            .iter()
            .map(|item| match item {
                Item::One(value) => self.plain_const(value),
                Item::Star(_) => None,
            })
            .collect()
    }

    fn compare(&mut self, inner: &ast::ExprCompare) -> Expr {
        let left = self.expr(&inner.left);
        let rest = inner.ops.iter().zip(&inner.comparators);
        let rest = rest
            .map(|(op, right)| {
                let op = operator::compare(*op);
                let right = match op {
                    CompareOp::In | CompareOp::NotIn => self.container(right),
                    _ => self.expr(right),
                };
                (op, right)
            })
            .collect();
        Expr::Compare(Box::new((left, rest)))
    }

    /// What stands behind `in`: nobody else sees it, so that a display of constants is made once.
    fn container(&mut self, expr: &ast::Expr) -> Expr {
        let lowered = self.expr(expr);
        let folded = match &lowered {
            Expr::List(items) => self.constants(items).map(|ids| self.shared.pool.tuple(ids)),
            Expr::Set(items) => self
                .constants(items)
                .and_then(|ids| self.shared.pool.frozen_set(ids)),
            _ => None,
        };
        folded.map_or(lowered, Expr::Const)
    }

    /// A list or set of texts that only the callee sees is made once, and frozen: a callee that changes it falls back,
    /// which nobody does with lists of names. The order of a set of texts is none that a rule can rely on.
    pub(super) fn freeze_argument(&mut self, value: &mut Expr) {
        let (Expr::List(items) | Expr::Set(items)) = &*value else {
            return;
        };
        let Some(ids) = self.constants(items).filter(|ids| !ids.is_empty()) else {
            return;
        };
        if !ids.iter().all(|id| self.shared.pool.is_text(*id)) {
            return;
        }
        let folded = match &*value {
            Expr::List(_) => Some(self.shared.pool.list(ids)),
            _ => self.shared.pool.set(ids),
        };
        if let Some(id) = folded {
            *value = Expr::Const(id);
        }
    }

    /// What a loop goes through: a list of constants that nobody else sees is made once. Not a set, whose order is
    /// known only when it is made.
    pub(super) fn iterable(&mut self, expr: &ast::Expr) -> Expr {
        let lowered = self.expr(expr);
        let folded = match &lowered {
            Expr::List(items) => self.constants(items).map(|ids| self.shared.pool.tuple(ids)),
            _ => None,
        };
        folded.map_or(lowered, Expr::Const)
    }

    fn subscript(&mut self, inner: &ast::ExprSubscript) -> Expr {
        let value = self.expr(&inner.value);
        if matches!(value, Expr::Fallback(_)) {
            return value;
        }
        let index = self.expr(&inner.slice);
        let key = match self.const_of(&index) {
            Some(Const::Str(text)) => Some(text.clone()),
            _ => None,
        };
        let path = key.and_then(|key| self.path_below(&value, &key));
        let otherwise = Expr::Index(Box::new((value, index)));
        match path {
            Some((local, path)) => Expr::Path(Box::new(PathExpr {
                local,
                path,
                otherwise,
                absent: None,
                required: None,
            })),
            None => otherwise,
        }
    }

    /// The field `key` of what is itself a field or a local.
    pub(super) fn path_below(&mut self, value: &Expr, key: &str) -> Option<(u16, PathId)> {
        match value {
            Expr::Local(local) => Some((*local, self.shared.pool.path(None, key))),
            Expr::Path(outer) if self.shared.pool.path_depth(outer.path) < PATH_KEYS_MAX => {
                Some((outer.local, self.shared.pool.path(Some(outer.path), key)))
            }
            _ => None,
        }
    }

    /// A comprehension or generator expression that stands for itself.
    fn any_comprehension(&mut self, expr: &ast::Expr) -> Expr {
        match expr {
            ast::Expr::ListComp(comp) => self.comprehension(
                comp,
                &comp.generators,
                (ComprehensionKind::List, false),
                [&comp.elt, &comp.elt],
            ),
            ast::Expr::SetComp(comp) => self.comprehension(
                comp,
                &comp.generators,
                (ComprehensionKind::Set, false),
                [&comp.elt, &comp.elt],
            ),
            ast::Expr::DictComp(comp) => {
                let Some(key) = comp.key.as_deref() else {
                    return self.unknown(comp, "unpacking in a comprehension");
                };
                self.comprehension(
                    comp,
                    &comp.generators,
                    (ComprehensionKind::Dict, false),
                    [key, &comp.value],
                )
            }
            ast::Expr::Generator(comp) if comp.generators.iter().any(|clause| clause.is_async) => {
                self.unknown(comp, "async code")
            }
            ast::Expr::Generator(comp) => match self.scopes.of_range(comp.range) {
                Some(scope) => self.generator(comp, scope),
                None => self.unknown(comp, "a generator expression"),
            },
            _ => self.unknown(expr, "this"),
        }
    }

    /// The scope of a generator expression that is evaluated at once.
    pub(super) fn inlined(&self, comp: &ast::ExprGenerator) -> bool {
        self.scopes
            .of_range(comp.range)
            .and_then(|scope| self.scopes.scopes.get(scope))
            .is_some_and(|scope| scope.kind == ScopeKind::Comp)
    }

    /// A comprehension in the frame around it.
    pub(super) fn comprehension(
        &mut self,
        at: &impl ruff_text_size::Ranged,
        clauses: &[ast::Comprehension],
        (kind, is_generator): (ComprehensionKind, bool),
        elements: [&ast::Expr; 2],
    ) -> Expr {
        let scope = self.scopes.of_range(at.range());
        let (Some(scope), Some(first)) = (scope, clauses.first()) else {
            return self.unknown(at, "a comprehension");
        };
        if clauses.iter().any(|clause| clause.is_async) {
            return self.unknown(at, "async code");
        }
        let mut first_iter = Some(self.iterable(&first.iter));
        let outer = std::mem::replace(&mut self.scope, scope);
        let bound = self.bound.clone();
        self.blocks += 1;
        let clauses = clauses
            .iter()
            .map(|clause| {
                let iter = first_iter.take().unwrap_or_else(|| self.iterable(&clause.iter));
                let target = self.target(&clause.target);
                let conditions = clause.ifs.iter().map(|condition| self.expr(condition)).collect();
                Clause {
                    target,
                    iter,
                    conditions,
                }
            })
            .collect();
        let [element, value] = elements;
        let element = self.expr(element);
        let value = (kind == ComprehensionKind::Dict).then(|| self.expr(value));
        self.blocks -= 1;
        self.bound = bound;
        self.scope = outer;
        let (fresh_locals, fresh_cells) = Rc::clone(&self.scopes).fresh(scope);
        Expr::Comprehension(Box::new(Comprehension {
            kind,
            is_generator,
            element,
            value,
            clauses,
            fresh_locals: fresh_locals.into(),
            fresh_cells: fresh_cells.into(),
        }))
    }
}
