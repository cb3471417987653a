use ruff_python_ast::{Expr, Number, UnaryOp};

use crate::known::Kind;

/// A constant in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant<'a> {
    Text(&'a str),
    Bytes,
    /// A whole number that fits.
    Integer(i64),
    /// Any other number.
    Number,
    Bool(bool),
    None,
}

impl<'a> Constant<'a> {
    /// The constant that an expression is.
    pub(crate) fn of(expr: &'a Expr) -> Option<Self> {
        match expr {
            Expr::StringLiteral(text) => Some(Self::Text(text.value.to_str())),
            Expr::BytesLiteral(_) => Some(Self::Bytes),
            Expr::NumberLiteral(number) => Some(match &number.value {
                Number::Int(int) => int.as_i64().map_or(Self::Number, Self::Integer),
                _ => Self::Number,
            }),
            Expr::BooleanLiteral(flag) => Some(Self::Bool(flag.value)),
            Expr::NoneLiteral(_) => Some(Self::None),
            Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => match Self::of(&unary.operand)? {
                Self::Integer(int) => Some(Self::Integer(int.checked_neg()?)),
                Self::Number => Some(Self::Number),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether Python takes it for true; floats and bytes are not looked at closely.
    pub(crate) fn is_truthy(&self) -> Option<bool> {
        match self {
            Self::Text(text) => Some(!text.is_empty()),
            Self::Integer(int) => Some(*int != 0),
            Self::Bool(flag) => Some(*flag),
            Self::None => Some(false),
            Self::Bytes | Self::Number => None,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Bytes => "bytes",
            Self::Integer(_) | Self::Number => "a number",
            Self::Bool(_) => "True or False",
            Self::None => "None",
        }
    }

    /// Whether a truthy value of the type can be equal to it.
    pub(crate) fn fits(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Anything => true,
            Kind::Text => matches!(self, Self::Text(_)),
            Kind::Integer | Kind::Float | Kind::Boolean => {
                matches!(self, Self::Integer(_) | Self::Number | Self::Bool(_))
            }
            Kind::List | Kind::Map(_) => false,
        }
    }

    /// Whether two constants are certainly different.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) => one != two,
            (Self::Integer(one), Self::Integer(two)) => one != two,
            (Self::Text(_), Self::Integer(_)) | (Self::Integer(_), Self::Text(_)) => true,
            _ => false,
        }
    }
}

/// The members of a list, tuple or set that is written out.
pub(crate) fn members(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::List(list) => Some(&list.elts),
        Expr::Tuple(tuple) => Some(&tuple.elts),
        Expr::Set(set) => Some(&set.elts),
        _ => None,
    }
}

/// A text as Python would write it, for messages.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let escaped = shown
        .replace('\\', "\\\\")
        .replace('\'', "\\'")
        .replace('\n', "\\n");
    format!("'{escaped}'")
}
