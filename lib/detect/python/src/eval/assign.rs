//! Targets.

use bumpalo::collections::Vec as BumpVec;

use super::{Frame, expr, leave_at};
use crate::cx::{Cx, R};
use crate::ir::Target;
use crate::obj::{List, Obj};
use crate::ops;

/// Gives a target its value.
pub(super) fn assign<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    target: &'a Target,
    value: Obj<'a>,
) -> R<'a, ()> {
    match target {
        Target::Local(slot) => {
            if let Some(local) = frame.locals.get_mut(usize::from(*slot)) {
                *local = value;
            }
            Ok(())
        }
        Target::Cell(slot) => frame.set_cell(cx, *slot, value),
        Target::Index(parts) => {
            let container = expr::eval(cx, frame, &parts.0)?;
            let index = expr::eval(cx, frame, &parts.1)?;
            ops::set_item(cx, container, index, value)
        }
        Target::Attr(parts) => {
            let object = expr::eval(cx, frame, &parts.0)?;
            set_attr(cx, object, &parts.1, value)
        }
        Target::Unpack(targets, star) => unpack(cx, frame, targets, *star, value),
        Target::Fallback(point) => Err(leave_at(*point)),
    }
}

/// `object.name = value`
pub(super) fn set_attr<'a>(cx: &Cx<'a>, object: Obj<'a>, name: &'a str, value: Obj<'a>) -> R<'a, ()> {
    let set = match object {
        Obj::Native(native) => native.set_attr(cx, name, value),
        _ => None,
    };
    set.unwrap_or_else(|| Err(cx.leave("sets an attribute")))
}

fn unpack<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    targets: &'a [Target],
    star: Option<usize>,
    value: Obj<'a>,
) -> R<'a, ()> {
    let mut state = match crate::iter::iter(cx, value) {
        Err(crate::cx::Raise::Exception(error)) if error.kind == crate::types::ExcKind::TypeError => {
            let name = ops::type_name(cx, value);
            return Err(cx.type_error(format_args!("cannot unpack non-iterable {name} object")));
        }
        other => other?,
    };
    let before = star.unwrap_or(targets.len());
    let mut values: BumpVec<'a, Obj<'a>> = BumpVec::with_capacity_in(targets.len(), cx.bump);
    while values.len() < before {
        match state.next(cx)? {
            Some(item) => values.push(item),
            None => return Err(not_enough(cx, targets.len(), star, values.len())),
        }
    }
    match star {
        None => {
            if state.next(cx)?.is_some() {
                // From 3.14 on the message tells how many there were; up to 3.13 it does not.
                let wanted = targets.len();
                return Err(cx.value_error(format_args!("too many values to unpack (expected {wanted})")));
            }
        }
        Some(at) => {
            let after = targets.len() - at - 1;
            let mut rest: BumpVec<'a, Obj<'a>> = BumpVec::new_in(cx.bump);
            while let Some(item) = state.next(cx)? {
                rest.push(item);
            }
            if rest.len() < after {
                return Err(not_enough(cx, targets.len(), star, values.len() + rest.len()));
            }
            let tail = rest.split_off(rest.len() - after);
            values.push(List::object(cx, rest));
            values.extend(tail);
        }
    }
    for (target, value) in targets.iter().zip(values) {
        assign(cx, frame, target, value)?;
    }
    Ok(())
}

fn not_enough<'a>(cx: &Cx<'a>, targets: usize, star: Option<usize>, got: usize) -> crate::cx::Raise<'a> {
    match star {
        None => cx.value_error(format_args!(
            "not enough values to unpack (expected {targets}, got {got})"
        )),
        Some(_) => {
            let wanted = targets - 1;
            cx.value_error(format_args!(
                "not enough values to unpack (expected at least {wanted}, got {got})"
            ))
        }
    }
}

/// `del target`.
pub(super) fn delete<'a>(cx: &Cx<'a>, frame: &mut Frame<'_, 'a>, target: &'a Target) -> R<'a, ()> {
    match target {
        Target::Local(slot) => {
            frame.local(cx, *slot)?;
            assign(cx, frame, target, Obj::Unbound)
        }
        Target::Cell(slot) => {
            frame.cell(cx, *slot)?;
            frame.set_cell(cx, *slot, Obj::Unbound)
        }
        Target::Index(parts) => {
            let container = expr::eval(cx, frame, &parts.0)?;
            let index = expr::eval(cx, frame, &parts.1)?;
            ops::del_item(cx, container, index)
        }
        Target::Attr(_) => Err(cx.leave("deletes an attribute")),
        Target::Unpack(targets, _) => targets.iter().try_for_each(|target| delete(cx, frame, target)),
        Target::Fallback(point) => Err(leave_at(*point)),
    }
}
