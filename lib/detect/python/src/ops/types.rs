//! Classes of objects: which one, its name, what derives from what.

use crate::cx::{Cx, R, Raise};
use crate::obj::{DictKind, Obj, ViewKind};
use crate::program::Const;
use crate::registry::{Args, NativeClass};
use crate::types::{ExcKind, Type};

/// `re.Pattern`. Classes are compared by module and name, so this one equals the module's.
static PATTERN: NativeClass = NativeClass {
    module: "re",
    name: "Pattern",
    bases: &[],
    new: no_pattern,
    attr: |_| None,
};

fn no_pattern<'a>(cx: &Cx<'a>, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.type_error(format_args!("cannot create 're.Pattern' instances")))
}

/// Modules whose classes are written in C: messages name them with their module.
const C_MODULES: [&str; 10] = [
    "datetime",
    "re",
    "_sre",
    "itertools",
    "functools",
    "collections",
    "decimal",
    "_hashlib",
    "_struct",
    "operator",
];

/// `type(value)`. An [`Obj::Const`] must be resolved before; it is an `object` here.
#[must_use]
pub fn type_of(value: Obj<'_>) -> Type {
    match value {
        Obj::None => Type::NoneType,
        Obj::Ellipsis => Type::EllipsisType,
        Obj::NotImplemented => Type::NotImplementedType,
        Obj::Bool(_) => Type::Bool,
        Obj::Int(_) | Obj::Big(_) => Type::Int,
        Obj::Float(_) => Type::Float,
        Obj::Str(_) => Type::Str,
        Obj::Bytes(_) => Type::Bytes,
        Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) => Type::List,
        Obj::ConstTuple(_) | Obj::Tuple(_) => Type::Tuple,
        Obj::NodeDict(_) | Obj::ConstDict(_) => Type::Dict,
        Obj::Dict(dict) => match dict.kind {
            DictKind::Plain => Type::Dict,
            DictKind::Default(_) => Type::DefaultDict,
            DictKind::Ordered => Type::OrderedDict,
            DictKind::Counter => Type::Counter,
        },
        Obj::ConstSet(_) => Type::Set,
        Obj::ConstFrozenSet(_) => Type::FrozenSet,
        Obj::Set(set) if set.frozen => Type::FrozenSet,
        Obj::Set(_) => Type::Set,
        Obj::Range(_) => Type::Range,
        Obj::Slice(_) => Type::Slice,
        Obj::View(view) => {
            let ordered = matches!(view.dict, Obj::Dict(dict) if matches!(dict.kind, DictKind::Ordered));
            Type::View(match (view.kind, ordered) {
                (ViewKind::Keys, false) => "dict_keys",
                (ViewKind::Values, false) => "dict_values",
                (ViewKind::Items, false) => "dict_items",
                (ViewKind::Keys, true) => "odict_keys",
                (ViewKind::Values, true) => "odict_values",
                (ViewKind::Items, true) => "odict_items",
            })
        }
        Obj::Iter(iter) if iter.class == "generator" => Type::Generator,
        Obj::Iter(iter) => Type::Iterator(iter.class),
        Obj::Function(_) | Obj::Closure(_) => Type::Function,
        Obj::Method(_) => Type::Method,
        Obj::BuiltinMethod(_) | Obj::Builtin(_) => Type::BuiltinFunction,
        Obj::ConstPartial(_) => Type::Partial,
        Obj::Type(_) | Obj::NativeClass(_) | Obj::Class(_) => Type::Type,
        Obj::Module(_) => Type::Module,
        Obj::Exception(exception) => match exception.user {
            Some(class) => Type::User(class),
            None => Type::Exc(exception.kind),
        },
        Obj::Regex(_) => Type::Native(&PATTERN),
        Obj::Native(native) => match native.user_class() {
            Some(class) => Type::User(class),
            None => Type::Native(native.class()),
        },
        Obj::Unbound | Obj::Const(_) => Type::Object,
    }
}

/// The class object for `type(value)`.
///
/// # Errors
/// Falls back on objects that are not known to us.
pub fn class_of<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    let value = resolve(cx, value)?;
    if let Obj::Native(native) = value
        && native.own_name().is_some()
    {
        return Err(cx.leave("a class that was made by a call"));
    }
    Ok(match type_of(value) {
        Type::User(class) => Obj::Class(class),
        Type::Native(class) => Obj::NativeClass(class),
        class => Obj::Type(class),
    })
}

/// `__name__` of a class that is neither a user's, a module's nor an iterator.
#[must_use]
pub fn builtin_name(class: Type) -> &'static str {
    match class {
        Type::Object => "object",
        Type::NoneType => "NoneType",
        Type::EllipsisType => "ellipsis",
        Type::NotImplementedType => "NotImplementedType",
        Type::Bool => "bool",
        Type::Int => "int",
        Type::Float => "float",
        Type::Str => "str",
        Type::Bytes => "bytes",
        Type::List => "list",
        Type::Tuple => "tuple",
        Type::Dict => "dict",
        Type::DefaultDict => "defaultdict",
        Type::OrderedDict => "OrderedDict",
        Type::Counter => "Counter",
        Type::Set => "set",
        Type::FrozenSet => "frozenset",
        Type::Range => "range",
        Type::Slice => "slice",
        Type::Type => "type",
        Type::Function => "function",
        Type::BuiltinFunction | Type::BuiltinMethod => "builtin_function_or_method",
        Type::Method => "method",
        Type::Module => "module",
        Type::Generator => "generator",
        Type::Partial => "partial",
        Type::Iterator(name) | Type::View(name) => name,
        Type::Exc(kind) => kind.name(),
        Type::Native(class) => class.name,
        Type::User(_) => "type",
    }
}

/// The name of `type(value)` as CPython's messages have it: `int`, but `datetime.datetime` and
/// `collections.OrderedDict` for classes written in C. `__name__` is [`class_name`] of [`class_of`].
#[must_use]
pub fn type_name<'a>(cx: &Cx<'a>, value: Obj<'a>) -> &'a str {
    let value = match resolve(cx, value) {
        Ok(value) => value,
        Err(_) => {
            cx.nameless.set(true);
            value
        }
    };
    if let Obj::Native(native) = value
        && let Some(name) = native.own_name()
    {
        return name;
    }
    match type_of(value) {
        Type::DefaultDict => "collections.defaultdict",
        Type::OrderedDict => "collections.OrderedDict",
        Type::Partial => "functools.partial",
        Type::User(class) => user_name(cx, class),
        Type::Exc(ExcKind::ReError) => "error",
        Type::Native(class) if C_MODULES.contains(&class.module) => {
            bumpalo::format!(in cx.bump, "{}.{}", class.module, class.name).into_bump_str()
        }
        class => builtin_name(class),
    }
}

fn user_name<'a>(cx: &Cx<'a>, class: u32) -> &'a str {
    cx.program
        .classes
        .get(class as usize)
        .map_or("type", |class| &*class.name)
}

/// `__name__` of a class object; `None` when it is no class.
#[must_use]
pub fn class_name<'a>(cx: &Cx<'a>, class: Obj<'a>) -> Option<&'a str> {
    Some(match class {
        Obj::Type(Type::User(class)) | Obj::Class(class) => user_name(cx, class),
        Obj::Type(class) => last(builtin_name(class)),
        Obj::NativeClass(class) => last(class.name),
        _ => return None,
    })
}

/// The last part of a qualified name.
fn last(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

/// `isinstance(value, classes)`; classes may be a tuple.
///
/// # Errors
/// `TypeError` when `classes` is none.
pub fn is_instance<'a>(cx: &Cx<'a>, value: Obj<'a>, classes: Obj<'a>) -> R<'a, bool> {
    let value = resolve(cx, value)?;
    any_class(cx, classes, 0, "isinstance", &|class| {
        derives(cx, type_of(value), class)
    })
}

/// `issubclass(class, classes)`.
///
/// # Errors
/// `TypeError` when either is no class.
pub fn is_subclass<'a>(cx: &Cx<'a>, class: Obj<'a>, classes: Obj<'a>) -> R<'a, bool> {
    let class = match resolve(cx, class)? {
        Obj::Type(class) => class,
        Obj::NativeClass(class) => Type::Native(class),
        Obj::Class(class) => Type::User(class),
        _ => {
            return Err(cx.type_error(format_args!("issubclass() arg 1 must be a class")));
        }
    };
    any_class(cx, classes, 0, "issubclass", &|of| derives(cx, class, of))
}

fn any_class<'a>(
    cx: &Cx<'a>,
    classes: Obj<'a>,
    depth: u32,
    function: &str,
    derives: &dyn Fn(Type) -> R<'a, bool>,
) -> R<'a, bool> {
    if depth > 32 {
        return Err(cx.leave("classes nested deep"));
    }
    match resolve(cx, classes)? {
        Obj::Type(class) => derives(class),
        Obj::NativeClass(class) => derives(Type::Native(class)),
        Obj::Class(class) => derives(Type::User(class)),
        Obj::Tuple(items) => {
            for item in items {
                if any_class(cx, *item, depth + 1, function, derives)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Obj::ConstTuple(seq) => {
            for item in &seq.items {
                if any_class(cx, cx.constant(*item), depth + 1, function, derives)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Obj::Native(_) => Err(cx.leave("an object as a class")),
        _ => Err(no_class(cx, function)),
    }
}

#[cold]
fn no_class<'a>(cx: &Cx<'a>, function: &str) -> Raise<'a> {
    match (function, cx.program.version.minor) {
        ("isinstance", ..=9) => cx.type_error(format_args!(
            "isinstance() arg 2 must be a type or tuple of types"
        )),
        ("issubclass", ..=9) => cx.type_error(format_args!(
            "issubclass() arg 2 must be a class or tuple of classes"
        )),
        ("isinstance", _) => cx.type_error(format_args!(
            "isinstance() arg 2 must be a type, a tuple of types, or a union"
        )),
        _ => cx.type_error(format_args!(
            "issubclass() arg 2 must be a class, a tuple of classes, or a union"
        )),
    }
}

/// Whether `class` is `of` or derives from it.
fn derives<'a>(cx: &Cx<'a>, class: Type, of: Type) -> R<'a, bool> {
    if of == Type::Object || class == of {
        return Ok(true);
    }
    match of {
        Type::Native(of) if is_abstract(of) => return Err(cx.leave("an abstract class")),
        Type::User(of) if !is_plain(cx, of) => {
            return Err(cx.leave("a class of the user's that is not known"));
        }
        _ => {}
    }
    Ok(match (class, of) {
        (Type::Bool, Type::Int) => true,
        (Type::DefaultDict | Type::OrderedDict | Type::Counter, Type::Dict) => true,
        (Type::Exc(kind), Type::Exc(of)) => kind.is_subclass(of),
        (Type::User(class), of) => return user_derives(cx, class, of),
        (Type::Native(class), of) => {
            let (module, name) = match of {
                Type::Native(of) => (of.module, of.name),
                of => ("builtins", builtin_name(of)),
            };
            class.bases.iter().any(|base| match base.rsplit_once('.') {
                Some((prefix, last)) => prefix == module && last == name || *base == name,
                None => *base == name,
            })
        }
        _ => false,
    })
}

/// Whether what derives from a class of the user's is known.
fn is_plain(cx: &Cx<'_>, class: u32) -> bool {
    let class = cx.program.classes.get(class as usize);
    class.is_some_and(|class| class.exception.is_some() || class.instances.is_some())
}

fn user_derives<'a>(cx: &Cx<'a>, class: u32, of: Type) -> R<'a, bool> {
    let Some(known) = cx.program.classes.get(class as usize) else {
        return Err(cx.leave("a class that is not known"));
    };
    if let Type::User(of) = of
        && known.bases.contains(&of)
    {
        return Ok(true);
    }
    match (known.exception, of) {
        (Some(kind), Type::Exc(of)) => Ok(kind.is_subclass(of)),
        (Some(_), _) => Ok(false),
        (None, _) if known.instances.is_some() => Ok(false),
        (None, _) => Err(cx.leave("a class of the user's that is not known")),
    }
}

/// Classes that decide themselves what derives from them.
fn is_abstract(class: &NativeClass) -> bool {
    matches!(
        class.module,
        "abc" | "collections.abc" | "_collections_abc" | "typing" | "numbers"
    )
}

/// The object that a constant of another kind stands for; anything else is itself.
///
/// # Errors
/// Falls back on what is not known to us.
#[inline]
pub fn resolve<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    match value {
        Obj::Const(id) => resolve_const(cx, id),
        value => Ok(value),
    }
}

#[cold]
fn resolve_const<'a>(cx: &Cx<'a>, id: u32) -> R<'a> {
    match cx.program.consts.get(id as usize) {
        Some(Const::Singleton(singleton)) => singleton.object(cx),
        Some(Const::Made(made)) => crate::eval::call(cx, Obj::ConstPartial(made), &Args::positional(&[])),
        Some(Const::Method(function, receiver)) => Ok(Obj::Method(
            cx.bump.alloc((cx.constant(*function), cx.constant(*receiver))),
        )),
        Some(Const::Unsupported(point)) => Err(Raise::Fallback(crate::cx::Leave::Point(*point))),
        _ => Err(cx.leave("a constant that is not known")),
    }
}
