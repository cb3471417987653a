use ruff_python_ast::{BoolOp, Expr};

use crate::constant::Constant;
use crate::known::{Kind, Shape};
use crate::module::Locals;

/// What an expression is, by the schema of one log.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type<'a> {
    /// The record itself.
    Record(&'a Shape),
    /// A value in it.
    Value(&'a Kind),
    /// It cannot be told.
    Unknown,
}

/// What came of looking a key up.
#[derive(Debug)]
pub(super) enum Looked<'a> {
    /// No log has it; these are the keys there are.
    Never(Vec<&'a str>),
    /// No schema lists it, but some log keeps what its schema does not list; these are the keys that are.
    Unlisted(Vec<&'a str>),
    /// Some may have it, or nothing is known.
    Maybe,
}

/// Types of the expressions of one rule.
pub(super) struct Types<'a, 'l> {
    record: &'l str,
    /// One for each of the rule's logs; none when not all are known.
    shapes: Vec<&'a Shape>,
    locals: &'l Locals<'a>,
}

/// Chains of names and keys longer than this are not followed; names may lead in circles.
const STEPS_MAX: usize = 32;

impl<'a, 'l> Types<'a, 'l> {
    pub(super) fn new<'k: 'a>(record: &'l str, shapes: Vec<&'k Shape>, locals: &'l Locals<'a>) -> Self {
        Self {
            record,
            shapes,
            locals,
        }
    }

    /// Whether an expression is the record itself.
    pub(super) fn is_record(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if name.id.as_str() == self.record)
    }

    /// One type for each log, or none when nothing is known.
    pub(super) fn of(&self, expr: &'a Expr) -> Vec<Type<'a>> {
        self.walk(expr, STEPS_MAX)
    }

    fn walk(&self, expr: &'a Expr, steps: usize) -> Vec<Type<'a>> {
        let Some(steps) = steps.checked_sub(1) else {
            return Vec::new();
        };
        match expr {
            Expr::Name(name) if name.id.as_str() == self.record => {
                self.shapes.iter().map(|shape| Type::Record(shape)).collect()
            }
            Expr::Name(name) => match self.locals.value(&name.id) {
                Some(value) => self.walk(value, steps),
                None => Vec::new(),
            },
            Expr::Named(named) => self.walk(&named.value, steps),
            // `record['a'] or {}`: what stands in for something false has no keys of its own.
            Expr::BoolOp(bool_op) if bool_op.op == BoolOp::Or => match bool_op.values.as_slice() {
                [first, second] if is_empty(second) => self.walk(first, steps),
                _ => Vec::new(),
            },
            Expr::Subscript(subscript) => self.member(&subscript.value, &subscript.slice, steps),
            Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
                (Expr::Attribute(attribute), [key, rest @ ..]) if attribute.attr.as_str() == "get" => {
                    match rest {
                        [] => self.member(&attribute.value, key, steps),
                        [default] if is_empty(default) => self.member(&attribute.value, key, steps),
                        _ => Vec::new(),
                    }
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn member(&self, container: &'a Expr, key: &'a Expr, steps: usize) -> Vec<Type<'a>> {
        let Some(Constant::Text(name)) = Constant::of(key) else {
            return Vec::new();
        };
        let found: Vec<Type<'a>> = self
            .walk(container, steps)
            .into_iter()
            .map(|one| match shape_of(one) {
                Some(shape) => shape.keys.get(name).map_or(Type::Unknown, Type::Value),
                None => Type::Unknown,
            })
            .collect();
        // Once one log leaves it open, no answer is sure.
        let is_known = |one: &Type<'_>| !matches!(one, Type::Unknown | Type::Value(Kind::Anything));
        if found.iter().all(is_known) {
            found
        } else {
            Vec::new()
        }
    }

    /// Looks a key up in what an expression is.
    pub(super) fn lookup(&self, container: &'a Expr, key: &str) -> Looked<'a> {
        let mut names = Vec::new();
        let mut is_open = false;
        let types = self.of(container);
        for one in &types {
            match shape_of(*one) {
                // A schema without keys takes anything: it says nothing.
                Some(shape) if !shape.lists(key) && !shape.keys.is_empty() => {
                    names.extend(shape.keys.keys().map(String::as_str));
                    is_open |= shape.open;
                }
                _ => return Looked::Maybe,
            }
        }
        match (types.is_empty(), is_open) {
            (true, _) => Looked::Maybe,
            (false, true) => Looked::Unlisted(names),
            (false, false) => Looked::Never(names),
        }
    }

    /// Whether an expression is the record or an object or list in it, so that changing it changes the record.
    pub(super) fn is_part(&self, expr: &'a Expr) -> bool {
        let mut expr = expr;
        for _ in 0..STEPS_MAX {
            expr = match expr {
                Expr::Subscript(subscript) => &subscript.value,
                Expr::Call(call) => match &*call.func {
                    Expr::Attribute(attribute) if attribute.attr.as_str() == "get" => &attribute.value,
                    _ => return false,
                },
                Expr::Name(name) if name.id.as_str() == self.record => return true,
                Expr::Name(name) => match self.locals.value(&name.id) {
                    Some(value) => value,
                    None => return false,
                },
                _ => return false,
            };
        }
        false
    }
}

fn shape_of(one: Type<'_>) -> Option<&Shape> {
    match one {
        Type::Record(shape) | Type::Value(Kind::Map(shape)) => Some(shape),
        _ => None,
    }
}

/// `{}`, `''`, `[]` and the like.
fn is_empty(expr: &Expr) -> bool {
    match expr {
        Expr::Dict(dict) => dict.items.is_empty(),
        Expr::List(list) => list.elts.is_empty(),
        Expr::Tuple(tuple) => tuple.elts.is_empty(),
        other => Constant::of(other).and_then(|constant| constant.is_truthy()) == Some(false),
    }
}
