//! Comparisons and conditions whose answer does not hang on the record, told from the text alone.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, BoolOp, CmpOp, Expr, Stmt};
use ruff_text_size::Ranged;

use crate::Code;
use crate::constant::{Constant, members, quoted};
use crate::module::{Locals, Module};
use crate::rule::resolved;
use crate::source::Sink;

/// Checks every expression of a file.
pub(crate) fn check(sink: &mut Sink<'_>, body: &[Stmt], module: &Module<'_>) {
    let mut visitor = Compare {
        sink,
        module,
        functions: Vec::new(),
    };
    visitor.visit_body(body);
}

struct Compare<'s, 'f, 'a> {
    sink: &'s mut Sink<'f>,
    module: &'s Module<'a>,
    functions: Vec<Locals<'a>>,
}

/// The letters that a text has after `lower()` or `upper()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Lower,
    Upper,
}

impl Letters {
    /// Whether a text can come out of it.
    fn allow(self, text: &str) -> bool {
        match self {
            Self::Lower => text.to_lowercase() == text,
            Self::Upper => text.to_uppercase() == text,
        }
    }

    fn of(self, text: &str) -> String {
        match self {
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Lower => "lower()",
            Self::Upper => "upper()",
        }
    }
}

impl<'a> Compare<'_, '_, 'a> {
    /// The letters of an expression; names that are assigned once stand for their value.
    fn letters(&self, expr: &'a Expr) -> Option<Letters> {
        let mut expr = expr;
        // Each step goes down, or from a name to its value, which cannot go in circles for long.
        for _ in 0..16 {
            match expr {
                Expr::Name(name) => expr = self.functions.last()?.value(&name.id)?,
                Expr::Call(call) => {
                    let attribute = call.func.as_attribute_expr()?;
                    match attribute.attr.as_str() {
                        "lower" | "casefold" if call.arguments.is_empty() => return Some(Letters::Lower),
                        "upper" if call.arguments.is_empty() => return Some(Letters::Upper),
                        "strip" | "lstrip" | "rstrip" => expr = &attribute.value,
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
        None
    }

    fn letter_case(&mut self, letters: Letters, constant: &Expr) {
        let all = members(constant).unwrap_or(std::slice::from_ref(constant));
        for one in all {
            let Some(Constant::Text(text)) = Constant::of(one) else {
                continue;
            };
            if !letters.allow(text) {
                let message = format!("no text after {} has {} in it", letters.name(), quoted(text));
                let fix = format!("write {}", quoted(&letters.of(text)));
                self.sink.add(one.range(), Code::LetterCase, message, fix);
            }
        }
    }

    fn comparison(&mut self, compare: &'a ast::ExprCompare) {
        let mut left = &*compare.left;
        for (op, right) in compare.ops.iter().zip(&compare.comparators) {
            match op {
                CmpOp::Eq | CmpOp::NotEq => {
                    self.equality(*op, left, right);
                    self.equality(*op, right, left);
                }
                CmpOp::In | CmpOp::NotIn => self.membership(left, right),
                _ => {}
            }
            left = right;
        }
    }

    /// `value == constant`
    fn equality(&mut self, op: CmpOp, value: &'a Expr, constant: &'a Expr) {
        if let Some(letters) = self.letters(value) {
            self.letter_case(letters, constant);
        }
        let singleton = match constant {
            Expr::NoneLiteral(_) => "None",
            Expr::BooleanLiteral(flag) if flag.value => "True",
            Expr::BooleanLiteral(_) => "False",
            _ => return,
        };
        let shown = self.sink.shown(value);
        let (word, not) = if op == CmpOp::Eq {
            ("==", "")
        } else {
            ("!=", " not")
        };
        let fix = match singleton {
            "None" => format!("write {shown} is{not} None"),
            _ if (singleton == "True") == (op == CmpOp::Eq) => format!("write {shown}"),
            _ => format!("write not {shown}"),
        };
        let message = format!("{word} {singleton}");
        self.sink
            .add(constant.range(), Code::ComparedToNone, message, fix);
    }

    /// `value in container`
    fn membership(&mut self, value: &'a Expr, container: &'a Expr) {
        let container = if matches!(container, Expr::Name(name) if self.functions.iter().all(|locals| locals.is_global(&name.id)))
        {
            resolved(self.module, container)
        } else {
            container
        };
        if members(container).is_some()
            && let Some(letters) = self.letters(value)
        {
            self.letter_case(letters, container);
        }
        if matches!(value, Expr::StringLiteral(_))
            && let Some(letters) = self.letters(container)
        {
            self.letter_case(letters, value);
        }
        match Constant::of(container) {
            Some(Constant::Text(text)) => {
                if Constant::of(value).is_some_and(|value| !matches!(value, Constant::Text(_))) {
                    let message = format!("only a text can be in {}: this raises TypeError", quoted(text));
                    self.sink
                        .add(value.range(), Code::WrongType, message, "put it into quotes");
                } else if self.is_in_parentheses(container) {
                    let message = format!("({}) is a text, not a tuple", quoted(text));
                    let fix = format!("write ({},), or ==", quoted(text));
                    self.sink.add(container.range(), Code::TextInText, message, fix);
                }
            }
            Some(Constant::Bytes) | None => {}
            Some(other) => {
                let message = format!("nothing can be in {}: this raises TypeError", other.name());
                self.sink.add(
                    container.range(),
                    Code::WrongType,
                    message,
                    "write a tuple, or ==",
                );
            }
        }
    }

    /// Whether what stands around a literal is nothing but its own parentheses.
    fn is_in_parentheses(&self, expr: &Expr) -> bool {
        let range = expr.range();
        let before = self
            .sink
            .source
            .text
            .get(..range.start().to_usize())
            .unwrap_or_default();
        let after = self
            .sink
            .source
            .text
            .get(range.end().to_usize()..)
            .unwrap_or_default();
        before.trim_end().ends_with('(') && after.trim_start().starts_with(')')
    }

    /// `x == 'a' and x == 'b'`, `x != 'a' or x != 'b'`
    fn contradictions(&mut self, bool_op: &'a ast::ExprBoolOp) {
        let (op, code) = match bool_op.op {
            BoolOp::And => (CmpOp::Eq, Code::Contradiction),
            BoolOp::Or => (CmpOp::NotEq, Code::AlwaysTrue),
        };
        let mut seen: Vec<(&str, Constant<'a>)> = Vec::new();
        for value in &bool_op.values {
            let Some((compared, constant)) = compared(value, op) else {
                continue;
            };
            let text = self.sink.source.slice(compared.range());
            let other = seen
                .iter()
                .find(|(known, other)| *known == text && other.differs(&constant));
            if other.is_some() {
                let message = match bool_op.op {
                    BoolOp::And => format!("{text} cannot be equal to both"),
                    BoolOp::Or => format!("{text} always differs from one of the two"),
                };
                let fix = match bool_op.op {
                    BoolOp::And => format!("write or, or {text} in (…)"),
                    BoolOp::Or => format!("write and, or {text} not in (…)"),
                };
                self.sink.add(value.range(), code, message, fix);
            } else if is_repeatable(compared) {
                seen.push((text, constant));
            }
        }
    }

    /// `x == 'a' or 'b'`
    fn constant_operands(&mut self, bool_op: &'a ast::ExprBoolOp, is_test: bool) {
        let has_comparison = bool_op.values.iter().any(Expr::is_compare_expr);
        let matters = bool_op.op == BoolOp::Or && has_comparison || is_test;
        for value in bool_op.values.iter().filter(|_| matters) {
            // `True` and `False` are there on purpose: somebody switches something off.
            let Some(constant) =
                Constant::of(value).filter(|one| !matches!(one, Constant::Bool(_) | Constant::None))
            else {
                continue;
            };
            let shown = self.sink.shown(value);
            if constant.is_truthy() == Some(true) {
                let message = format!("{shown} is a constant, and always true");
                self.sink.add(
                    value.range(),
                    Code::ConstantCondition,
                    message,
                    format!("write x == {shown}, or x in (…)"),
                );
            }
        }
    }

    /// A condition of `if`, `while` or a conditional expression.
    fn test(&mut self, test: &'a Expr, is_loop: bool) {
        if let Expr::BoolOp(bool_op) = test {
            self.constant_operands(bool_op, true);
        }
        let is_container = members(test).is_some_and(|members| !members.is_empty());
        let is_constant = Constant::of(test).is_some() || is_container || test.is_lambda_expr();
        let is_endless_loop = is_loop && Constant::of(test).and_then(|test| test.is_truthy()) == Some(true);
        if is_constant && !is_endless_loop {
            let message = format!("the condition {} is a constant", self.sink.shown(test));
            self.sink.add(
                test.range(),
                Code::ConstantCondition,
                message,
                "compare it to something, or remove it",
            );
        }
    }

    /// `x.lower().startswith('A')`
    fn call(&mut self, call: &'a ast::ExprCall) {
        if let Expr::Attribute(attribute) = &*call.func
            && matches!(attribute.attr.as_str(), "startswith" | "endswith")
            && let Some(argument) = call.arguments.args.first()
            && let Some(letters) = self.letters(&attribute.value)
        {
            self.letter_case(letters, argument);
        }
    }
}

/// `(x, 'a')` of `x == 'a'` or `'a' == x`.
fn compared(expr: &Expr, wanted: CmpOp) -> Option<(&Expr, Constant<'_>)> {
    let compare = expr.as_compare_expr()?;
    let ([op], [right]) = (&*compare.ops, &*compare.comparators) else {
        return None;
    };
    if *op != wanted {
        return None;
    }
    match (Constant::of(&compare.left), Constant::of(right)) {
        (None, Some(constant)) => Some((&compare.left, constant)),
        (Some(constant), None) => Some((right, constant)),
        _ => None,
    }
}

/// Whether an expression has the same value when it is evaluated again.
fn is_repeatable(expr: &Expr) -> bool {
    match expr {
        Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_repeatable(&attribute.value),
        Expr::Subscript(subscript) => is_repeatable(&subscript.value) && is_repeatable(&subscript.slice),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(attribute) => {
                let same = ["get", "lower", "upper", "strip", "casefold"];
                same.contains(&attribute.attr.as_str())
                    && is_repeatable(&attribute.value)
                    && call.arguments.args.iter().all(is_repeatable)
            }
            _ => false,
        },
        other => Constant::of(other).is_some(),
    }
}

impl<'a> Visitor<'a> for Compare<'_, '_, 'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                self.functions.push(Locals::of(function));
                walk_stmt(self, stmt);
                self.functions.pop();
                return;
            }
            Stmt::If(branch) => {
                self.test(&branch.test, false);
                let tests = branch
                    .elif_else_clauses
                    .iter()
                    .filter_map(|clause| clause.test.as_ref());
                tests.for_each(|test| self.test(test, false));
            }
            Stmt::While(repeat) => self.test(&repeat.test, true),
            Stmt::Assert(assert) => {
                if matches!(&*assert.test, Expr::Tuple(tuple) if !tuple.elts.is_empty()) {
                    let message = "a tuple is always true, so this never fails";
                    self.sink.add(
                        assert.test.range(),
                        Code::AssertTuple,
                        message,
                        "remove the parentheses",
                    );
                }
            }
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Compare(compare) => self.comparison(compare),
            Expr::BoolOp(bool_op) => {
                self.contradictions(bool_op);
                self.constant_operands(bool_op, false);
            }
            Expr::If(choice) => self.test(&choice.test, false),
            Expr::Call(call) => self.call(call),
            _ => {}
        }
        walk_expr(self, expr);
    }
}
