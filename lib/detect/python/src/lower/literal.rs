//! Literals, and what can be computed from them when compiling without anybody telling.

use num_bigint::BigInt;
use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use super::unit::Unit;
use crate::ir::{BinaryOp, Conversion, Expr, FStringPart, UnaryOp};
use crate::program::{Const, ConstId};

const SURROGATE: &str = "a text with half a surrogate pair";

impl Unit<'_, '_> {
    pub(super) fn string(&mut self, inner: &ast::ExprStringLiteral) -> Expr {
        let text = inner.value.to_str();
        // The parser writes half a surrogate pair as the replacement character.
        if text.contains('\u{fffd}') {
            return self.fallback(inner, SURROGATE, "");
        }
        Expr::Const(self.shared.pool.str(text))
    }

    pub(super) fn number(&mut self, inner: &ast::ExprNumberLiteral) -> Expr {
        match &inner.value {
            ast::Number::Int(int) => match int.as_i64() {
                Some(value) => Expr::Const(self.shared.pool.int(value)),
                None => match big(&int.to_string()) {
                    Some(value) => Expr::Const(self.shared.pool.integer(&value)),
                    None => self.fallback(inner, "a very long number", ""),
                },
            },
            ast::Number::Float(value) => Expr::Const(self.shared.pool.float(*value)),
            ast::Number::Complex { .. } => {
                self.fallback(inner, "complex numbers are not known to the native engine", "")
            }
        }
    }

    /// `-1`; only what cannot raise.
    pub(super) fn fold_unary(&mut self, op: UnaryOp, operand: &Expr) -> Option<ConstId> {
        let Expr::Const(id) = operand else {
            return None;
        };
        let value = match (op, self.shared.pool.consts.get(*id as usize)?) {
            (UnaryOp::Neg, Const::Int(value)) => Folded::Int(-BigInt::from(*value)),
            (UnaryOp::Neg, Const::Big(digits)) => Folded::Int(-big_of(digits)),
            (UnaryOp::Pos, Const::Int(value)) => Folded::Int(BigInt::from(*value)),
            (UnaryOp::Invert, Const::Int(value)) => Folded::Int(BigInt::from(!*value)),
            (UnaryOp::Neg, Const::Float(value)) => Folded::Float(-*value),
            _ => return None,
        };
        Some(match value {
            Folded::Int(value) => self.shared.pool.integer(&value),
            Folded::Float(value) => self.shared.pool.float(value),
        })
    }

    /// `60 * 60`, `'a' 'b'`; only what cannot raise and stays small.
    pub(super) fn fold_binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Option<ConstId> {
        let (Expr::Const(left), Expr::Const(right)) = (left, right) else {
            return None;
        };
        let consts = &self.shared.pool.consts;
        match (op, consts.get(*left as usize)?, consts.get(*right as usize)?) {
            (BinaryOp::Add, Const::Str(a), Const::Str(b)) if a.len() + b.len() <= 4096 => {
                let joined = format!("{a}{b}");
                Some(self.shared.pool.str(&joined))
            }
            (_, Const::Int(a), Const::Int(b)) => {
                let value = match op {
                    BinaryOp::Add => a.checked_add(*b),
                    BinaryOp::Sub => a.checked_sub(*b),
                    BinaryOp::Mul => a.checked_mul(*b),
                    _ => None,
                }?;
                Some(self.shared.pool.int(value))
            }
            _ => None,
        }
    }

    pub(super) fn f_string(&mut self, inner: &ast::ExprFString) -> Expr {
        let mut parts = Vec::new();
        for part in &inner.value {
            match part {
                ast::FStringPart::Literal(text) => push_text(&mut parts, text),
                ast::FStringPart::FString(inner) => self.elements(&inner.elements, &mut parts),
            }
        }
        if parts.iter().any(has_replacement) {
            return self.fallback(inner, SURROGATE, "");
        }
        match parts.as_slice() {
            [] => Expr::Const(self.shared.pool.str("")),
            [FStringPart::Text(text)] => Expr::Const(self.shared.pool.str(text)),
            _ => Expr::FString(parts.into()),
        }
    }

    fn elements(&mut self, elements: &ast::InterpolatedStringElements, parts: &mut Vec<FStringPart>) {
        for element in elements {
            match element {
                ast::InterpolatedStringElement::Literal(text) => push_text(parts, &text.value),
                ast::InterpolatedStringElement::Interpolation(inner) => {
                    let mut conversion = match inner.conversion {
                        ast::ConversionFlag::None => Conversion::None,
                        ast::ConversionFlag::Str => Conversion::Str,
                        ast::ConversionFlag::Repr => Conversion::Repr,
                        ast::ConversionFlag::Ascii => Conversion::Ascii,
                    };
                    if let Some(text) = &inner.debug_text {
                        push_text(parts, text.as_str());
                        if conversion == Conversion::None && inner.format_spec.is_none() {
                            conversion = Conversion::Repr;
                        }
                    }
                    let value = self.expr(&inner.expression);
                    let spec = inner.format_spec.as_deref().map(|spec| {
                        let mut parts = Vec::new();
                        self.elements(&spec.elements, &mut parts);
                        parts.into()
                    });
                    parts.push(FStringPart::Value(value, conversion, spec));
                }
            }
        }
    }

    /// The constant that an expression is.
    pub(super) fn const_of(&self, expr: &Expr) -> Option<&Const> {
        match expr {
            Expr::Const(id) => self.shared.pool.consts.get(*id as usize),
            _ => None,
        }
    }

    /// Whether an expression is immutable and known for good.
    pub(super) fn plain_const(&self, expr: &Expr) -> Option<ConstId> {
        match (expr, self.const_of(expr)?) {
            (
                Expr::Const(id),
                Const::None
                | Const::Ellipsis
                | Const::Bool(_)
                | Const::Int(_)
                | Const::Big(_)
                | Const::Float(_)
                | Const::Str(_)
                | Const::Bytes(_)
                | Const::Tuple(_)
                | Const::FrozenSet(_)
                | Const::Type(_)
                | Const::Builtin(_)
                | Const::NativeClass(_)
                | Const::Class(_)
                | Const::Function(_)
                | Const::Regex(_),
            ) => Some(*id),
            _ => None,
        }
    }

    pub(super) fn bytes(&mut self, inner: &ast::ExprBytesLiteral) -> Expr {
        Expr::Const(self.shared.pool.bytes(inner.value.bytes().collect()))
    }

    /// A place for a message about an expression that is not lowered.
    pub(super) fn unknown(&mut self, at: &impl Ranged, what: &str) -> Expr {
        self.fallback(at, format!("{what} is not known to the native engine"), "")
    }
}

enum Folded {
    Int(BigInt),
    Float(f64),
}

fn has_replacement(part: &FStringPart) -> bool {
    match part {
        FStringPart::Text(text) => text.contains('\u{fffd}'),
        FStringPart::Value(_, _, spec) => spec.iter().flatten().any(has_replacement),
    }
}

fn push_text(parts: &mut Vec<FStringPart>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(FStringPart::Text(last)) = parts.last_mut() {
        *last = format!("{last}{text}").into();
    } else {
        parts.push(FStringPart::Text(text.into()));
    }
}

/// The value of the digits of a literal.
pub(super) fn big(token: &str) -> Option<BigInt> {
    // Conversion takes quadratic time.
    if token.len() > 4300 {
        return None;
    }
    let digits = token.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (digits.get(2..)?, 16),
        Some("0o") => (digits.get(2..)?, 8),
        Some("0b") => (digits.get(2..)?, 2),
        _ => (digits.as_str(), 10),
    };
    BigInt::parse_bytes(digits.as_bytes(), radix)
}

/// The number laid out as [`crate::obj::Big`].
pub(super) fn big_of(digits: &[u32]) -> BigInt {
    let Some((sign, magnitude)) = digits.split_first() else {
        return BigInt::default();
    };
    let sign = if *sign == 0 {
        num_bigint::Sign::Plus
    } else {
        num_bigint::Sign::Minus
    };
    BigInt::from_slice(sign, magnitude)
}
