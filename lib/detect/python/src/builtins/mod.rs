//! Built-in functions and types as callables.

mod attributes;
mod construct;
mod inspect;
mod lazy;
mod numbers;
mod reduce;

pub use attributes::class_attr;
pub use construct::construct;

use crate::cx::{Cx, R, Raise};
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn};
use crate::types::{ExcKind, Type};

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "builtins",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("abs", numbers::abs),
    function("all", reduce::all),
    function("any", reduce::any),
    function("ascii", inspect::ascii),
    function("bin", numbers::bin),
    function("callable", inspect::callable),
    function("chr", numbers::chr),
    function("divmod", numbers::divmod),
    function("format", inspect::format),
    function("getattr", inspect::getattr),
    function("hasattr", inspect::hasattr),
    function("hex", numbers::hex),
    function("isinstance", inspect::isinstance),
    function("issubclass", inspect::issubclass),
    function("iter", lazy::iter),
    function("len", inspect::len),
    function("max", reduce::max),
    function("min", reduce::min),
    function("next", lazy::next),
    function("oct", numbers::oct),
    function("ord", numbers::ord),
    function("pow", numbers::pow),
    function("repr", inspect::repr),
    function("round", numbers::round),
    function("sorted", reduce::sorted),
    function("sum", reduce::sum),
    // Classes in CPython, whose use as such (`isinstance(x, map)`) is rare.
    function("enumerate", lazy::enumerate),
    function("filter", lazy::filter),
    function("map", lazy::map),
    function("reversed", lazy::reversed),
    function("zip", lazy::zip),
];

static TYPES: &[(&str, Type)] = &[
    ("bool", Type::Bool),
    ("bytes", Type::Bytes),
    ("dict", Type::Dict),
    ("float", Type::Float),
    ("frozenset", Type::FrozenSet),
    ("int", Type::Int),
    ("list", Type::List),
    ("object", Type::Object),
    ("range", Type::Range),
    ("set", Type::Set),
    ("slice", Type::Slice),
    ("str", Type::Str),
    ("tuple", Type::Tuple),
    ("type", Type::Type),
];

/// Other names that CPython has.
static UNKNOWN: &[&str] = &[
    "__build_class__",
    "__debug__",
    "__doc__",
    "__import__",
    "__loader__",
    "__name__",
    "__package__",
    "__spec__",
    "aiter",
    "anext",
    "breakpoint",
    "bytearray",
    "classmethod",
    "compile",
    "complex",
    "copyright",
    "credits",
    "delattr",
    "dir",
    "eval",
    "exec",
    "exit",
    "globals",
    "hash",
    "help",
    "id",
    "input",
    "license",
    "locals",
    "memoryview",
    "open",
    "print",
    "property",
    "quit",
    "setattr",
    "staticmethod",
    "super",
    "vars",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EncodingWarning",
    "EnvironmentError",
    "ExceptionGroup",
    "FileExistsError",
    "FutureWarning",
    "IOError",
    "ImportWarning",
    "IndentationError",
    "InterruptedError",
    "IsADirectoryError",
    "NotADirectoryError",
    "PendingDeprecationWarning",
    "ProcessLookupError",
    "PythonFinalizationError",
    "ResourceWarning",
    "RuntimeWarning",
    "SyntaxWarning",
    "TabError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
];

/// The built-in of this name: function, type, exception class or constant. `None` when Python has none of that name
/// or we do not know it; [`is_builtin`] tells which.
#[must_use]
pub fn lookup(name: &str) -> Option<Const> {
    match name {
        "None" => return Some(Const::None),
        "True" => return Some(Const::Bool(true)),
        "False" => return Some(Const::Bool(false)),
        "Ellipsis" => return Some(Const::Ellipsis),
        "NotImplemented" => return Some(Const::NotImplemented),
        _ => {}
    }
    if let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) {
        return Some(Const::Builtin(function));
    }
    if let Some((_, class)) = TYPES.iter().find(|(known, _)| *known == name) {
        return Some(Const::Type(*class));
    }
    let exception = |kind: &&ExcKind| kind.module() == "builtins" && kind.name() == name;
    ExcKind::ALL
        .iter()
        .find(exception)
        .map(|kind| Const::Type(Type::Exc(*kind)))
}

/// Whether CPython has a built-in of this name.
#[must_use]
pub fn is_builtin(name: &str) -> bool {
    UNKNOWN.contains(&name) || lookup(name).is_some()
}

/// Arguments whose number or names do not fit: the messages differ by function and version.
#[cold]
pub(crate) fn misfit<'a>(cx: &Cx<'a>) -> Raise<'a> {
    cx.leave("a wrong number of arguments, or named ones")
}

/// The one positional argument.
pub(crate) fn only<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([one], []) => Ok(*one),
        _ => Err(misfit(cx)),
    }
}
