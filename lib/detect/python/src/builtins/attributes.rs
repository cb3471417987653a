//! Attributes of built-in classes.

use super::construct;
use crate::cx::{Cx, R};
use crate::methods::{self, MethodKind};
use crate::obj::Obj;
use crate::registry::{Args, BuiltinFn};
use crate::types::{ExcKind, Type};
use crate::{eval, ops};

static FROMKEYS: BuiltinFn = BuiltinFn {
    module: "builtins",
    name: "dict.fromkeys",
    call: construct::fromkeys,
    pure: true,
};

/// A method of a built-in class as a function of its receiver.
macro_rules! unbound {
    ($($class:ident . $name:ident),* $(,)?) => {
        &[$((Type::$class, BuiltinFn {
            module: "builtins",
            name: concat!(stringify!($class), ".", stringify!($name)),
            call: |cx, args| unbound_call(cx, args, MethodKind::$class, stringify!($name)),
            pure: true,
        }, stringify!($name))),*]
    };
}

/// Those that people pass to `map`, `sorted` and the like.
static UNBOUND: &[(Type, BuiltinFn, &str)] = unbound![
    Str.lower,
    Str.upper,
    Str.strip,
    Str.lstrip,
    Str.rstrip,
    Str.split,
    Str.startswith,
    Str.endswith,
    Str.isdigit,
    Str.isalpha,
    Str.isalnum,
    Str.isspace,
    Str.isupper,
    Str.islower,
    Str.title,
    Str.capitalize,
    Str.join,
    Str.format,
    Str.replace,
    Str.casefold,
    Dict.get,
    Dict.items,
    Dict.keys,
    Dict.values,
    List.count,
    List.index,
    Set.union,
    Set.intersection,
    Set.issubset,
    Set.issuperset,
];

fn unbound_call<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, kind: MethodKind, name: &'static str) -> R<'a> {
    let Some((receiver, rest)) = args.pos.split_first() else {
        return Err(cx.leave("a method without receiver"));
    };
    if methods::kind(*receiver) != Some(kind) {
        return Err(cx.leave("a method of a class on something else"));
    }
    eval::call_method(
        cx,
        *receiver,
        name,
        &Args {
            pos: rest,
            kw: args.kw,
        },
    )
}

/// `Class.name` of a built-in class: `dict.fromkeys`, `str.lower` as a function of its receiver.
///
/// # Errors
/// `AttributeError`, or the fallback.
pub fn class_attr<'a>(cx: &Cx<'a>, class: Type, name: &'a str) -> R<'a> {
    if name == "__name__" {
        return match ops::class_name(cx, Obj::Type(class)) {
            Some("error") | None => Err(cx.leave("the name of a class")),
            Some(name) => Ok(Obj::Str(name)),
        };
    }
    if class == Type::Dict && name == "fromkeys" {
        return Ok(Obj::Builtin(&FROMKEYS));
    }
    if let Type::Exc(ExcKind::BaseException) = class {
        return Err(cx.leave("an attribute of a class that is not known"));
    }
    match UNBOUND
        .iter()
        .find(|(known, _, method)| *known == class && *method == name)
    {
        Some((_, function, _)) => Ok(Obj::Builtin(function)),
        None => Err(cx.leave("an attribute of a class that is not known")),
    }
}
