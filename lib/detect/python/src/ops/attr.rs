//! Attributes of values that are no class, module or object of a module.

use crate::cx::{Cx, R};
use crate::methods;
use crate::obj::{BuiltinMethod, Exception, Obj};
use crate::registry::MethodFn;
use crate::types::{ExcKind, Type};

/// `value.name` for anything but user classes and modules, which linking resolves.
///
/// # Errors
/// `AttributeError`; falls back on attributes that exist in CPython and not here.
pub fn get_attr<'a>(cx: &Cx<'a>, value: Obj<'a>, name: &'a str) -> R<'a> {
    let value = super::resolve(cx, value)?;
    if let Some(kind) = methods::kind(value)
        && let Some(call) = methods::lookup(kind, name)
    {
        return match has_method(cx, value, name) {
            true => Ok(bound(cx, value, name, call)),
            false => Err(missing(cx, value, name)),
        };
    }
    if name == "__class__" {
        return super::class_of(cx, value);
    }
    if name.starts_with("__") {
        return Err(cx.leave("an attribute with two underscores"));
    }
    match value {
        Obj::Range(range) => match name {
            "start" => return Ok(Obj::Int(range.start)),
            "stop" => return Ok(Obj::Int(range.stop)),
            "step" => return Ok(Obj::Int(range.step)),
            "count" => return Ok(bound(cx, value, name, methods::range::count)),
            "index" => return Ok(bound(cx, value, name, methods::range::index)),
            _ => {}
        },
        Obj::Slice([start, stop, step]) => match name {
            "start" => return Ok(*start),
            "stop" => return Ok(*stop),
            "step" => return Ok(*step),
            _ => {}
        },
        Obj::View(_) if name == "isdisjoint" && super::setlike::is(value) => {
            return Ok(bound(cx, value, name, methods::set::is_disjoint));
        }
        Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) => match name {
            "real" | "numerator" => return super::unary(cx, crate::ir::UnaryOp::Pos, value),
            "imag" => return Ok(Obj::Int(0)),
            "denominator" => return Ok(Obj::Int(1)),
            _ => {}
        },
        Obj::Float(_) => match name {
            "real" => return Ok(value),
            "imag" => return Ok(Obj::Float(0.0)),
            _ => {}
        },
        Obj::Exception(exception) => return of_exception(cx, exception, name),
        Obj::Dict(dict) => {
            if let (crate::obj::DictKind::Default(factory), "default_factory") = (dict.kind, name) {
                return Ok(factory);
            }
        }
        _ => {}
    }
    if is_free_of(value, name) {
        return Err(missing(cx, value, name));
    }
    Err(cx.leave("an attribute that is not known"))
}

fn bound<'a>(cx: &Cx<'a>, receiver: Obj<'a>, name: &'a str, call: MethodFn) -> Obj<'a> {
    Obj::BuiltinMethod(cx.bump.alloc(BuiltinMethod { receiver, name, call }))
}

/// Methods are found by kind; some are not those of every class of the kind, or not of every Python.
fn has_method<'a>(cx: &Cx<'a>, value: Obj<'a>, name: &str) -> bool {
    let minor = cx.program.version.minor;
    match (super::type_of(value), name) {
        (Type::FrozenSet, name) => !SET_CHANGING.contains(&name),
        (Type::Counter, "most_common" | "elements" | "subtract") | (Type::OrderedDict, "move_to_end") => true,
        (Type::Counter, "total") => minor >= 10,
        (
            Type::Dict | Type::DefaultDict | Type::OrderedDict | Type::Counter,
            "most_common" | "elements" | "subtract" | "total" | "move_to_end",
        ) => false,
        (Type::Str | Type::Bytes, "removeprefix" | "removesuffix") => minor >= 9,
        (Type::Int | Type::Bool, "bit_count") => minor >= 10,
        (Type::Int | Type::Bool, "is_integer") => minor >= 12,
        (Type::Int | Type::Bool, "as_integer_ratio") => minor >= 8,
        _ => true,
    }
}

#[cold]
fn missing<'a>(cx: &Cx<'a>, value: Obj<'a>, name: &str) -> crate::cx::Raise<'a> {
    let class = super::type_name(cx, value);
    cx.raise(
        ExcKind::AttributeError,
        format_args!("'{class}' object has no attribute '{name}'"),
    )
}

/// Whether CPython's class is known to have no such attribute, in any version. The names are those of `dir(value)`
/// without those that begin with two underscores, in all versions:
/// a name of a newer Python is left to CPython.
fn is_free_of(value: Obj<'_>, name: &str) -> bool {
    let names: &[&str] = match super::type_of(value) {
        Type::NoneType | Type::EllipsisType | Type::NotImplementedType => &[],
        Type::Int | Type::Bool => &INT,
        Type::Float => &FLOAT,
        Type::Str => &STR,
        Type::Bytes => &BYTES,
        Type::List => &LIST,
        Type::Tuple => &["count", "index"],
        Type::Dict => &DICT,
        Type::Set | Type::FrozenSet => {
            let frozen = super::setops::is_frozen(value);
            // The changing ones are known to be missing in a frozenset.
            return !SET.contains(&name) || frozen && SET_CHANGING.contains(&name);
        }
        Type::Range => &["count", "index", "start", "step", "stop"],
        Type::Slice => &["indices", "start", "step", "stop"],
        Type::View(_) => &["isdisjoint", "mapping"],
        Type::BuiltinFunction => &[],
        Type::Iterator("zip" | "map" | "filter" | "enumerate" | "reversed") => &[],
        Type::Iterator(class) if class.ends_with("_iterator") || class.ends_with("iterator") => &[],
        Type::Generator => &GENERATOR,
        _ => return false,
    };
    !names.contains(&name)
}

const INT: [&str; 11] = [
    "as_integer_ratio",
    "bit_count",
    "bit_length",
    "conjugate",
    "denominator",
    "from_bytes",
    "imag",
    "is_integer",
    "numerator",
    "real",
    "to_bytes",
];
const FLOAT: [&str; 7] = [
    "as_integer_ratio",
    "conjugate",
    "fromhex",
    "hex",
    "imag",
    "is_integer",
    "real",
];
const STR: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const BYTES: [&str; 42] = [
    "capitalize",
    "center",
    "count",
    "decode",
    "endswith",
    "expandtabs",
    "find",
    "fromhex",
    "hex",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdigit",
    "islower",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const LIST: [&str; 11] = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort",
];
const DICT: [&str; 11] = [
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];
const SET: [&str; 17] = [
    "add",
    "clear",
    "copy",
    "difference",
    "difference_update",
    "discard",
    "intersection",
    "intersection_update",
    "isdisjoint",
    "issubset",
    "issuperset",
    "pop",
    "remove",
    "symmetric_difference",
    "symmetric_difference_update",
    "union",
    "update",
];
const SET_CHANGING: [&str; 9] = [
    "add",
    "clear",
    "difference_update",
    "discard",
    "intersection_update",
    "pop",
    "remove",
    "symmetric_difference_update",
    "update",
];
const GENERATOR: [&str; 8] = [
    "close",
    "gi_code",
    "gi_frame",
    "gi_running",
    "gi_suspended",
    "gi_yieldfrom",
    "send",
    "throw",
];

fn of_exception<'a>(cx: &Cx<'a>, exception: &'a Exception<'a>, name: &'a str) -> R<'a> {
    if name == "args" {
        return Ok(Obj::Tuple(exception.args));
    }
    if let Some((_, value)) = exception.extra.iter().find(|(key, _)| *key == name) {
        return Ok(*value);
    }
    let first = exception.args.first().copied().unwrap_or(Obj::None);
    match (exception.kind, name) {
        (ExcKind::StopIteration, "value") => return Ok(first),
        (ExcKind::SystemExit, "code") if exception.args.len() < 2 => return Ok(first),
        _ => {}
    }
    if let Some(class) = exception.user
        && let Some(class) = cx.program.classes.get(class as usize)
        && class.attrs.contains_key(name)
    {
        return Err(cx.leave("an attribute of a class of the user's"));
    }
    let plain = exception.extra.is_empty()
        && [
            ExcKind::OSError,
            ExcKind::AttributeError,
            ExcKind::NameError,
            ExcKind::ImportError,
            ExcKind::SyntaxError,
            ExcKind::UnicodeError,
            ExcKind::StopIteration,
            ExcKind::SystemExit,
            ExcKind::JsonDecodeError,
            ExcKind::ReError,
        ]
        .iter()
        .all(|kind| !exception.kind.is_subclass(*kind));
    if plain && !matches!(name, "add_note" | "with_traceback") {
        return Err(missing(cx, Obj::Exception(exception), name));
    }
    Err(cx.leave("an attribute of an exception"))
}
