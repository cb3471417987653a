//! Functions that ask what an object is.

use super::{misfit, only};
use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;
use crate::registry::Args;
use crate::types::ExcKind;
use crate::{eval, ops, text};

pub(super) fn len<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let count = ops::len(cx, only(cx, args)?)?;
    Ok(Obj::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

pub(super) fn isinstance<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([value, classes], []) => Ok(Obj::Bool(ops::is_instance(cx, *value, *classes)?)),
        _ => Err(misfit(cx)),
    }
}

pub(super) fn issubclass<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([class, classes], []) => Ok(Obj::Bool(ops::is_subclass(cx, *class, *classes)?)),
        _ => Err(misfit(cx)),
    }
}

pub(super) fn repr<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    Ok(Obj::Str(text::repr(cx, only(cx, args)?)?))
}

pub(super) fn ascii<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    Ok(Obj::Str(text::ascii(cx, only(cx, args)?)?))
}

pub(super) fn format<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([value], []) => Ok(Obj::Str(text::format(cx, *value, "")?)),
        ([value, Obj::Str(spec)], []) => Ok(Obj::Str(text::format(cx, *value, spec)?)),
        _ => Err(misfit(cx)),
    }
}

pub(super) fn callable<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    Ok(Obj::Bool(match only(cx, args)? {
        Obj::Function(_)
        | Obj::Closure(_)
        | Obj::Method(_)
        | Obj::BuiltinMethod(_)
        | Obj::ConstPartial(_)
        | Obj::Builtin(_)
        | Obj::Type(_)
        | Obj::NativeClass(_)
        | Obj::Class(_) => true,
        Obj::Const(_) | Obj::Native(_) => return Err(cx.leave("callable of such an object")),
        _ => false,
    }))
}

/// The attribute, or `None` when there is none.
fn attribute<'a>(cx: &Cx<'a>, value: Obj<'a>, name: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    let Obj::Str(name) = name else {
        return Err(cx.leave("an attribute's name that is no str"));
    };
    match eval::attribute(cx, value, name) {
        Ok(found) => Ok(Some(found)),
        Err(Raise::Exception(error)) if error.kind.is_subclass(ExcKind::AttributeError) => Ok(None),
        Err(raise) => Err(raise),
    }
}

pub(super) fn getattr<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([value, Obj::Str(name)], []) => eval::attribute(cx, *value, name),
        ([value, name, default], []) => Ok(attribute(cx, *value, *name)?.unwrap_or(*default)),
        _ => Err(misfit(cx)),
    }
}

pub(super) fn hasattr<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([value, name], []) => Ok(Obj::Bool(attribute(cx, *value, *name)?.is_some())),
        _ => Err(misfit(cx)),
    }
}
