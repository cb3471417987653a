//! Comparisons of `collections.Counter` since Python 3.10: missing elements count as 0.

use super::map::Members;
use crate::cx::{Cx, R};
use crate::ir::CompareOp;
use crate::obj::Obj;

/// `a == b` of two counters.
///
/// # Errors
/// What comparing raises.
pub(super) fn equal<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    all(cx, CompareOp::Eq, a, b)
}

/// `a <= b` and the like of two counters: `<` is `<=` and not equal.
///
/// # Errors
/// What comparing raises.
pub(super) fn order<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    match op {
        CompareOp::Le | CompareOp::Ge => all(cx, op, a, b),
        CompareOp::Lt => Ok(all(cx, CompareOp::Le, a, b)? && !equal(cx, a, b)?),
        _ => Ok(all(cx, CompareOp::Ge, a, b)? && !equal(cx, a, b)?),
    }
}

fn all<'a>(cx: &Cx<'a>, op: CompareOp, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    for counter in [a, b] {
        let mut members = Members::of(cx, counter);
        while let Some((key, _)) = members.next(cx)? {
            let left = super::dict_get(cx, a, key)?.unwrap_or(Obj::Int(0));
            let right = super::dict_get(cx, b, key)?.unwrap_or(Obj::Int(0));
            if !super::compare(cx, op, left, right)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
