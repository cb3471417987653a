//! Operators with two operands: which types have which.

use super::{concat, dictops, float, int, setops};
use crate::cx::{Cx, R, Raise};
use crate::ir::{BinaryOp, UnaryOp};
use crate::obj::{DictKind, List, Obj};

/// `a op b`.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn binary<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a> {
    if let (BinaryOp::Add, Obj::Int(x), Obj::Int(y)) = (op, a, b)
        && let Some(sum) = x.checked_add(y)
    {
        return Ok(Obj::Int(sum));
    }
    operate(cx, op, a, b, "")
}

/// `a op= b`: lists, sets and dictionaries change in place and are answered; falls back on frozen ones.
///
/// # Errors
/// What Python raises.
pub fn in_place<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a> {
    match (a, op) {
        (Obj::Int(x), BinaryOp::Add) => {
            if let Obj::Int(y) = b
                && let Some(sum) = x.checked_add(y)
            {
                return Ok(Obj::Int(sum));
            }
        }
        (Obj::List(list), BinaryOp::Add) => {
            crate::methods::list::extend_with(cx, list, b)?;
            return Ok(a);
        }
        (Obj::List(list), BinaryOp::Mul) => return repeat_in_place(cx, list, a, b),
        (Obj::NodeList(_), BinaryOp::Add | BinaryOp::Mul) => return Err(cx.leave("changes the record")),
        (Obj::ConstList(_), BinaryOp::Add | BinaryOp::Mul) => return Err(cx.leave("changes a constant")),
        (
            Obj::Set(_) | Obj::ConstSet(_),
            BinaryOp::BitOr | BinaryOp::BitAnd | BinaryOp::Sub | BinaryOp::BitXor,
        ) => {
            if let Some(done) = setops::in_place(cx, op, a, super::resolve(cx, b)?) {
                return done;
            }
        }
        (Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_), _) => {
            if let Some(done) = dictops::in_place(cx, op, a, super::resolve(cx, b)?) {
                return done;
            }
        }
        _ => {}
    }
    operate(cx, op, a, b, "=")
}

fn repeat_in_place<'a>(cx: &Cx<'a>, list: &'a List<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a> {
    let Obj::List(repeated) = operate(cx, BinaryOp::Mul, a, b, "=")? else {
        return Err(cx.leave("a list repeated"));
    };
    list.check_change(cx)?;
    list.items.swap(&repeated.items);
    Ok(a)
}

#[inline(never)]
fn operate<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>, suffix: &str) -> R<'a> {
    let (a, b) = (super::resolve(cx, a)?, super::resolve(cx, b)?);
    if let Some(answer) = natives(cx, op, a, b)? {
        return Ok(answer);
    }
    if is_number(a) && is_number(b) {
        return numbers(cx, op, a, b, suffix);
    }
    let (x, y) = (super::as_tuple(a), super::as_tuple(b));
    let answer = match op {
        BinaryOp::Add => concat::concat(cx, x, y)?,
        // In place, the left operand decides when it is a container of any kind.
        BinaryOp::Mul if suffix == "=" && is_unrepeatable(x) => None,
        BinaryOp::Mul => concat::multiply(cx, x, y)?,
        BinaryOp::Mod => match a {
            Obj::Str(template) => Some(crate::text::percent(cx, template, b)?),
            Obj::Bytes(_) => return Err(cx.leave("bytes % values")),
            _ => None,
        },
        _ => None,
    };
    if let Some(answer) = answer {
        return Ok(answer);
    }
    if let Some(answer) = setops::binary(cx, op, a, b)? {
        return Ok(answer);
    }
    if let Some(answer) = dictops::binary(cx, op, a, b)? {
        return Ok(answer);
    }
    if is_class(a) || is_class(b) {
        return Err(cx.leave("an operator on a class"));
    }
    Err(unsupported(cx, op, a, b, suffix))
}

fn natives<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    if let Obj::Native(native) = a
        && let Some(answer) = native.binary(cx, op, b, false)?
    {
        return Ok(Some(answer));
    }
    if let Obj::Native(native) = b
        && let Some(answer) = native.binary(cx, op, a, true)?
    {
        return Ok(Some(answer));
    }
    Ok(None)
}

/// Containers without `*`.
fn is_unrepeatable(value: Obj<'_>) -> bool {
    super::map::is_dict(value)
        || super::setlike::is_set(value)
        || matches!(value, Obj::Range(_) | Obj::View(_))
}

fn is_class(value: Obj<'_>) -> bool {
    matches!(value, Obj::Type(_) | Obj::Class(_) | Obj::NativeClass(_))
}

/// Whether this is a `bool`, `int` or `float`.
#[must_use]
pub fn is_number(value: Obj<'_>) -> bool {
    matches!(value, Obj::Bool(_) | Obj::Int(_) | Obj::Big(_) | Obj::Float(_))
}

fn numbers<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>, suffix: &str) -> R<'a> {
    if let (Obj::Bool(x), Obj::Bool(y)) = (a, b) {
        match op {
            BinaryOp::BitAnd => return Ok(Obj::Bool(x & y)),
            BinaryOp::BitOr => return Ok(Obj::Bool(x | y)),
            BinaryOp::BitXor => return Ok(Obj::Bool(x ^ y)),
            _ => {}
        }
    }
    let floats = matches!(a, Obj::Float(_)) || matches!(b, Obj::Float(_));
    let answer = if floats {
        float::binary(cx, op, a, b)?
    } else {
        int::binary(cx, op, a, b)?
    };
    answer.ok_or_else(|| unsupported(cx, op, a, b, suffix))
}

fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::FloorDiv => "//",
        BinaryOp::Mod => "%",
        BinaryOp::Pow => "** or pow()",
        BinaryOp::LShift => "<<",
        BinaryOp::RShift => ">>",
        BinaryOp::BitOr => "|",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitXor => "^",
        BinaryOp::MatMul => "@",
    }
}

#[cold]
fn unsupported<'a>(cx: &Cx<'a>, op: BinaryOp, a: Obj<'a>, b: Obj<'a>, suffix: &str) -> Raise<'a> {
    let (x, y) = (super::type_name(cx, a), super::type_name(cx, b));
    let (sign, suffix) = match (op, suffix) {
        (BinaryOp::Pow, "=") if cx.program.version.minor < 10 => (sign(op), ""),
        (BinaryOp::Pow, "=") => ("**", "="),
        _ => (sign(op), suffix),
    };
    cx.type_error(format_args!(
        "unsupported operand type(s) for {sign}{suffix}: '{x}' and '{y}'"
    ))
}

/// `-a`, `+a`, `~a`; `not a` is [`super::truthy`]'s opposite.
///
/// # Errors
/// What Python raises.
pub fn unary<'a>(cx: &Cx<'a>, op: UnaryOp, a: Obj<'a>) -> R<'a> {
    let a = super::resolve(cx, a)?;
    let sign = match op {
        UnaryOp::Not => return super::truthy(cx, a).map(|flag| Obj::Bool(!flag)),
        UnaryOp::Neg => "-",
        UnaryOp::Pos => "+",
        UnaryOp::Invert => "~",
    };
    match (a, op) {
        (Obj::Bool(_) | Obj::Int(_) | Obj::Big(_), _) => return int::unary(cx, op, a),
        (Obj::Float(float), UnaryOp::Neg) => return Ok(Obj::Float(-float)),
        (Obj::Float(_), UnaryOp::Pos) => return Ok(a),
        (Obj::Native(native), _) => {
            if let Some(answer) = native.unary(cx, op)? {
                return Ok(answer);
            }
        }
        (Obj::Dict(dict), UnaryOp::Neg | UnaryOp::Pos) if matches!(dict.kind, DictKind::Counter) => {
            return dictops::counter_sign(cx, a, op == UnaryOp::Neg);
        }
        (Obj::Class(_), _) => return Err(cx.leave("an operator on a class")),
        _ => {}
    }
    let name = super::type_name(cx, a);
    Err(cx.type_error(format_args!("bad operand type for unary {sign}: '{name}'")))
}
