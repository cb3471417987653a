//! Comparison operators.

use std::cmp::Ordering;

use super::{big, setlike};
use crate::cx::{Cx, R, Raise};
use crate::ir::CompareOp;
use crate::iter::IterState;
use crate::obj::{DictKind, Obj};

/// Any comparison operator.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn compare<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    match op {
        CompareOp::Eq => super::eq(cx, a, b),
        CompareOp::Ne => super::eq(cx, a, b).map(|equal| !equal),
        CompareOp::Is => super::is(cx, a, b),
        CompareOp::IsNot => super::is(cx, a, b).map(|same| !same),
        CompareOp::In => super::contains(cx, b, a),
        CompareOp::NotIn => super::contains(cx, b, a).map(|inside| !inside),
        CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge => match (a, b) {
            (Obj::Int(a), Obj::Int(b)) => Ok(holds(op, Some(a.cmp(&b)))),
            _ => order(cx, op, a, b),
        },
    }
}

/// Whether an operator accepts an order; none is NaN's, which no operator accepts.
#[inline]
fn holds(op: CompareOp, order: Option<Ordering>) -> bool {
    match op {
        CompareOp::Lt => order == Some(Ordering::Less),
        CompareOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        CompareOp::Gt => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        _ => CompareOp::Le,
    }
}

fn sign(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        _ => ">=",
    }
}

#[inline(never)]
fn order<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    let (a, b) = (super::resolve(cx, a)?, super::resolve(cx, b)?);
    if let Some(order) = big::compare_numbers(a, b) {
        return Ok(holds(op, order));
    }
    match (a, b) {
        // Order of UTF-8 is order of code points.
        (Obj::Str(a), Obj::Str(b)) => Ok(holds(op, Some(a.cmp(b)))),
        (Obj::Bytes(a), Obj::Bytes(b)) => Ok(holds(op, Some(a.cmp(b)))),
        (
            Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_),
            Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_),
        )
        | (Obj::Tuple(_) | Obj::ConstTuple(_), Obj::Tuple(_) | Obj::ConstTuple(_)) => sequences(cx, op, a, b),
        (Obj::Native(_), _) | (_, Obj::Native(_)) => natives(cx, op, a, b),
        (Obj::Slice(_), Obj::Slice(_)) => Err(cx.leave("slices compared")),
        (Obj::Class(_), _) | (_, Obj::Class(_)) => Err(cx.leave("classes compared")),
        (Obj::Dict(x), Obj::Dict(y))
            if is_counter(x.kind) && is_counter(y.kind) && cx.program.version.minor >= 10 =>
        {
            super::counter::order(cx, op, a, b)
        }
        _ if setlike::is(a) && setlike::is(b) => sets(cx, op, a, b),
        _ => Err(unorderable(cx, op, a, b)),
    }
}

fn is_counter(kind: DictKind<'_>) -> bool {
    matches!(kind, DictKind::Counter)
}

#[cold]
fn unorderable<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> Raise<'a> {
    let (x, y) = (super::type_name(cx, a), super::type_name(cx, b));
    let sign = sign(op);
    cx.type_error(format_args!(
        "'{sign}' not supported between instances of '{x}' and '{y}'"
    ))
}

fn natives<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if let Obj::Native(native) = a
        && let Some(answer) = native.compare(cx, op, b)?
    {
        return Ok(answer);
    }
    if let Obj::Native(native) = b
        && let Some(answer) = native.compare(cx, mirrored(op), a)?
    {
        return Ok(answer);
    }
    let (x, y) = (super::equal::as_tuple(a), super::equal::as_tuple(b));
    match (x, y) {
        (Obj::Tuple(_) | Obj::ConstTuple(_), Obj::Tuple(_) | Obj::ConstTuple(_)) => sequences(cx, op, x, y),
        _ => Err(unorderable(cx, op, a, b)),
    }
}

/// The first elements that differ decide, and when there are none the lengths.
fn sequences<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    super::nested(cx, || {
        let (mut left, mut right) = (IterState::sequence(cx, a), IterState::sequence(cx, b));
        loop {
            let lengths = match (left.next(cx)?, right.next(cx)?) {
                (Some(x), Some(y)) if super::same_or_eq(cx, x, y)? => continue,
                (Some(x), Some(y)) => return compare(cx, op, x, y),
                (Some(_), None) => Ordering::Greater,
                (None, Some(_)) => Ordering::Less,
                (None, None) => Ordering::Equal,
            };
            return Ok(holds(op, Some(lengths)));
        }
    })
}

fn sets<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    super::nested(cx, || {
        let lengths = super::len(cx, a)?.cmp(&super::len(cx, b)?);
        if !holds(op, Some(lengths)) {
            return Ok(false);
        }
        match op {
            CompareOp::Lt | CompareOp::Le => setlike::is_subset(cx, a, b),
            _ => setlike::is_subset(cx, b, a),
        }
    })
}
