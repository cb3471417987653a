//! What a rule does with its record, beside what the schemas of its logs say of it.

mod types;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, CmpOp, Expr, Stmt};
use ruff_text_size::Ranged;

use self::types::{Looked, Type, Types};
use super::state::CHANGING;
use crate::constant::{Constant, members, quoted};
use crate::known::{Kind, did_you_mean, nearly};
use crate::module::{Locals, Module};
use crate::rule::{Rule, resolved};
use crate::source::Sink;
use crate::{Code, Known, Shape};

/// Methods that only texts have.
const TEXT_METHODS: [&str; 14] = [
    "casefold",
    "endswith",
    "find",
    "format",
    "isdigit",
    "lower",
    "lstrip",
    "replace",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "upper",
];

/// Checks the body of a rule.
pub(crate) fn check(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>, known: &Known) {
    let Some(record) = rule.record() else { return };
    let locals = Locals::of(rule.function);
    // Bound again, the name may be anything.
    if locals.count(record) != 1 {
        return;
    }
    let logs = rule.logs(module).unwrap_or_default();
    let shapes: Vec<&Shape> = logs.iter().filter_map(|(_, log)| known.logs.get(*log)).collect();
    let is_known = shapes.len() == logs.len() && !shapes.is_empty();
    let shapes = if is_known { shapes } else { Vec::new() };
    required_keys(sink, rule, module, &shapes);
    let logs: Vec<&str> = logs.iter().map(|(_, log)| *log).collect();
    let mut visitor = Records {
        sink,
        module,
        logs: logs.join(", "),
        types: Types::new(record, shapes, &locals),
        locals: &locals,
    };
    visitor.visit_body(&rule.function.body);
}

/// Keys that `req_subkeys` wants of records that never have them.
fn required_keys(sink: &mut Sink<'_>, rule: &Rule<'_>, module: &Module<'_>, shapes: &[&Shape]) {
    let Some(Expr::Dict(wanted)) = rule.option("req_subkeys").map(|value| resolved(module, value)) else {
        return;
    };
    for key in wanted.items.iter().filter_map(|item| item.key.as_ref()) {
        let Some(Constant::Text(name)) = Constant::of(key) else {
            continue;
        };
        if !shapes.is_empty() && !shapes.iter().any(|shape| shape.may_have(name)) {
            let message = format!("no log of the rule has a key {}", quoted(name));
            let names = shapes
                .iter()
                .flat_map(|shape| shape.keys.keys())
                .map(String::as_str);
            let fix = did_you_mean(name, names).unwrap_or_default();
            sink.add(key.range(), Code::UnknownKey, message, fix);
        }
    }
}

struct Records<'s, 'f, 'a> {
    sink: &'s mut Sink<'f>,
    module: &'s Module<'a>,
    /// For messages.
    logs: String,
    types: Types<'a, 's>,
    locals: &'s Locals<'a>,
}

impl<'a> Records<'_, '_, 'a> {
    /// Complains of a key that is looked up in `container` and is never there.
    fn key(&mut self, container: &'a Expr, key: &'a Expr) {
        let Some(Constant::Text(name)) = Constant::of(key) else {
            return;
        };
        let names = match self.types.lookup(container, name) {
            Looked::Never(names) => names,
            Looked::Unlisted(names) => {
                if let Some(near) = nearly(name, names) {
                    let message = format!("no schema lists the key {}", quoted(name));
                    let fix = format!("did you mean {}?", quoted(near));
                    self.sink.add(key.range(), Code::NearlyKnownKey, message, fix);
                }
                return;
            }
            Looked::Maybe => return,
        };
        let place = match container {
            Expr::Name(_) if self.types.is_record(container) => self.logs.clone(),
            _ => format!("{} of {}", self.sink.shown(container), self.logs),
        };
        let message = format!("{place} has no key {}", quoted(name));
        let fix = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| some_of(&names));
        self.sink.add(key.range(), Code::UnknownKey, message, fix);
    }

    fn comparison(&mut self, compare: &'a ast::ExprCompare) {
        let mut left = &*compare.left;
        for (op, right) in compare.ops.iter().zip(&compare.comparators) {
            match op {
                CmpOp::Eq | CmpOp::NotEq | CmpOp::Is | CmpOp::IsNot => {
                    self.equality(left, right);
                    self.equality(right, left);
                }
                CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE => {
                    self.order(left, right);
                    self.order(right, left);
                }
                CmpOp::In | CmpOp::NotIn => {
                    self.key(right, left);
                    self.membership(left, right);
                }
            }
            left = right;
        }
    }

    /// `value == constant`, `value in (constant, …)`: none of the constants is of the value's type.
    fn equality(&mut self, value: &'a Expr, constant: &'a Expr) {
        self.against(value, constant, std::slice::from_ref(constant));
    }

    fn against(&mut self, value: &'a Expr, at: &'a Expr, constants: &'a [Expr]) {
        let Some(kind) = self.types.only_kind(value) else {
            return;
        };
        let never = constants.iter().all(|one| {
            let constant = Constant::of(one);
            constant.is_some_and(|constant| constant.is_truthy() == Some(true) && !constant.fits(kind))
        });
        let Some(first) = constants.first().and_then(Constant::of).filter(|_| never) else {
            return;
        };
        let shown = self.sink.shown(value);
        let message = format!("{shown} is {} and never equal to {}", kind.name(), first.name());
        self.sink
            .add(at.range(), Code::WrongType, message, mended(kind, &first, &shown));
    }

    /// `value < constant`
    fn order(&mut self, value: &'a Expr, constant: &'a Expr) {
        let (Some(kind), Some(constant_value)) = (self.types.only_kind(value), Constant::of(constant)) else {
            return;
        };
        if constant_value.fits(kind) || constant_value == Constant::None {
            return;
        }
        let shown = self.sink.shown(value);
        let message = format!(
            "{shown} is {}; its order to {} raises TypeError",
            kind.name(),
            constant_value.name()
        );
        let fix = match (kind, &constant_value) {
            (Kind::Text, Constant::Integer(_) | Constant::Number) => format!("write int({shown})"),
            _ => mended(kind, &constant_value, &shown),
        };
        self.sink.add(constant.range(), Code::WrongType, message, fix);
    }

    /// `value in container`
    fn membership(&mut self, value: &'a Expr, container: &'a Expr) {
        let is_global = |name: &ast::ExprName| self.locals.is_global(&name.id);
        let listed = match container {
            Expr::Name(name) if is_global(name) => resolved(self.module, container),
            other => other,
        };
        if let Some(constants) = members(listed) {
            self.against(value, container, constants);
        }
        let Some(kind) = self.types.only_kind(container) else {
            return;
        };
        let shown = self.sink.shown(container);
        match (kind, Constant::of(value)) {
            (Kind::Integer | Kind::Float | Kind::Boolean, _) => {
                let message = format!(
                    "{shown} is {}: nothing can be in it, this raises TypeError",
                    kind.name()
                );
                self.sink
                    .add(container.range(), Code::WrongType, message, "write ==");
            }
            (Kind::Text, Some(constant)) if !matches!(constant, Constant::Text(_)) => {
                let message = format!("{shown} is a string: only a text can be in it, this raises TypeError");
                self.sink
                    .add(value.range(), Code::WrongType, message, "put it into quotes");
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &'a ast::ExprCall) {
        let Expr::Attribute(attribute) = &*call.func else {
            return;
        };
        let method = attribute.attr.as_str();
        if method == "get"
            && let Some(key) = call.arguments.args.first()
        {
            self.key(&attribute.value, key);
        }
        if CHANGING.contains(&method) && self.types.is_part(&attribute.value) {
            let message = format!("{method}() changes the record");
            self.sink.add(
                call.func.range(),
                Code::RecordChanged,
                message,
                "change a copy, or what you make of it",
            );
        }
        if let Some(kind @ (Kind::Integer | Kind::Float | Kind::Boolean)) =
            self.types.only_kind(&attribute.value)
            && TEXT_METHODS.contains(&method)
        {
            let shown = self.sink.shown(&attribute.value);
            let message = format!("{shown} is {} and has no {method}()", kind.name());
            self.sink.add(
                attribute.attr.range(),
                Code::WrongType,
                message,
                format!("write str({shown}).{method}"),
            );
        }
    }

    fn changed(&mut self, target: &'a Expr) {
        if matches!(target, Expr::Subscript(_)) && self.types.is_part(target) {
            let message = "the record is changed here";
            self.sink.add(
                target.range(),
                Code::RecordChanged,
                message,
                "put it into a variable of your own",
            );
        }
    }
}

/// What to write instead of a constant of the wrong type.
fn mended(kind: &Kind, constant: &Constant<'_>, shown: &str) -> String {
    match (kind, constant) {
        (Kind::Integer | Kind::Float, Constant::Text(text)) if text.parse::<f64>().is_ok() => {
            format!("write {text}")
        }
        (Kind::Text, Constant::Integer(number)) => format!("write '{number}'"),
        (Kind::Text, Constant::Bool(flag)) => {
            format!("write '{}'", if *flag { "True" } else { "False" })
        }
        (Kind::Boolean, Constant::Text(text)) => match text.to_lowercase().as_str() {
            "false" => format!("write not {shown}"),
            _ => format!("write {shown}"),
        },
        (Kind::List, _) => "write in".to_owned(),
        (Kind::Map(_), _) => "compare one of its keys".to_owned(),
        _ => "streamalert schema show has the types".to_owned(),
    }
}

/// The first of the keys that there are.
fn some_of(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 8;
    let mut text = format!(
        "it has {}",
        names
            .iter()
            .take(SHOWN_MAX)
            .copied()
            .collect::<Vec<_>>()
            .join(", ")
    );
    if names.len() > SHOWN_MAX {
        text.push_str(" and more");
    }
    text
}

impl<'a> Visitor<'a> for Records<'_, '_, 'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.changed(target)),
            Stmt::AugAssign(assign) => self.changed(&assign.target),
            Stmt::Delete(delete) => delete.targets.iter().for_each(|target| self.changed(target)),
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // What is stored need not have been there.
            Expr::Subscript(subscript) if subscript.ctx.is_load() => {
                self.key(&subscript.value, &subscript.slice)
            }
            Expr::Compare(compare) => self.comparison(compare),
            Expr::Call(call) => self.call(call),
            _ => {}
        }
        walk_expr(self, expr);
    }
}

/// The type, where all the logs agree on it.
impl<'a> Types<'a, '_> {
    fn only_kind(&self, expr: &'a Expr) -> Option<&'a Kind> {
        match self.of(expr).as_slice() {
            [Type::Value(kind)] => Some(kind),
            [Type::Value(first), rest @ ..] => {
                let same = |one: &Type<'a>| matches!(one, Type::Value(kind) if std::mem::discriminant(*kind) == std::mem::discriminant(*first));
                Some(*first).filter(|_| rest.iter().all(same))
            }
            _ => None,
        }
    }
}
