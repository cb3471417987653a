//! `collections`. Its dictionaries are forms of [`Dict`]; chain maps are left to CPython.

mod deque;
mod named;

use crate::builtins::misfit;
use crate::cx::{Cx, R, Raise};
use crate::methods::{counter, dict};
use crate::obj::{Dict, DictKind, Obj};
use crate::ops;
use crate::program::Const;
use crate::registry::Args;
use crate::types::Type;

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    Some(match name {
        "Counter" => Const::Type(Type::Counter),
        "OrderedDict" => Const::Type(Type::OrderedDict),
        "defaultdict" => Const::Type(Type::DefaultDict),
        "namedtuple" => Const::Builtin(&named::NAMEDTUPLE),
        "deque" => Const::NativeClass(&deque::DEQUE),
        _ => return None,
    })
}

/// Calls one of the classes of dictionaries.
///
/// # Errors
/// What Python raises.
pub(crate) fn construct<'a>(cx: &Cx<'a>, class: Type, args: &Args<'_, 'a>) -> R<'a> {
    match class {
        Type::Counter => {
            let made = Dict::of_kind(cx, DictKind::Counter);
            counter::update(cx, made, args)?;
            Ok(Obj::Dict(made))
        }
        Type::OrderedDict => {
            let made = Dict::of_kind(cx, DictKind::Ordered);
            fill(cx, made, args.pos, args)?;
            Ok(Obj::Dict(made))
        }
        Type::DefaultDict => {
            let (factory, rest) = match args.pos.split_first() {
                None => (Obj::None, args.pos),
                Some((factory, rest)) => (ops::resolve(cx, *factory)?, rest),
            };
            check_factory(cx, factory)?;
            let made = Dict::of_kind(cx, DictKind::Default(factory));
            fill(cx, made, rest, args)?;
            Ok(Obj::Dict(made))
        }
        _ => Err(cx.leave("a class that is not called here")),
    }
}

fn check_factory<'a>(cx: &Cx<'a>, factory: Obj<'a>) -> R<'a, ()> {
    match factory {
        Obj::None
        | Obj::Type(_)
        | Obj::NativeClass(_)
        | Obj::Function(_)
        | Obj::Closure(_)
        | Obj::Builtin(_)
        | Obj::Method(_)
        | Obj::BuiltinMethod(_)
        | Obj::ConstPartial(_) => Ok(()),
        Obj::Native(_) | Obj::Class(_) => Err(cx.leave("a factory of such a kind")),
        _ => Err(cx.type_error(format_args!("first argument must be callable or None"))),
    }
}

fn fill<'a>(cx: &Cx<'a>, made: &'a Dict<'a>, pos: &[Obj<'a>], args: &Args<'_, 'a>) -> R<'a, ()> {
    match pos {
        [] => {}
        [source] => match dict::update_with(cx, made, *source) {
            // Their messages differ from a plain dictionary's.
            Err(Raise::Exception(_)) => return Err(cx.leave("an error while a dictionary is made")),
            other => other?,
        },
        _ => return Err(misfit(cx)),
    }
    for (name, value) in args.kw {
        made.insert(cx, Obj::Str(name), *value)?;
    }
    Ok(())
}
