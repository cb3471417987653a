//! `logging`: loggers, which do nothing here. What a rule logs is seen when CPython evaluates it; natively arguments are
//! evaluated, nothing is written, and the answer is `None`, as it is in CPython whether or not the text and its
//! arguments fit each other: handlers swallow what formatting raises.

use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn, Native, NativeClass};
use crate::text;

/// Containers nested deeper as an argument: CPython's formatting may end in a `RecursionError`, which is not swallowed.
const NESTING_MAX: usize = 100;

static FUNCTIONS: &[BuiltinFn] = &[
    function("getLogger", get_logger),
    function("debug", write),
    function("info", write),
    function("warning", write),
    function("error", write),
    function("exception", write),
    function("critical", write),
    function("fatal", write),
    function("log", write_at),
];

/// Levels by name, with their numbers.
const LEVELS: [(&str, i64); 8] = [
    ("CRITICAL", 50),
    ("FATAL", 50),
    ("ERROR", 40),
    ("WARNING", 30),
    ("WARN", 30),
    ("INFO", 20),
    ("DEBUG", 10),
    ("NOTSET", 0),
];

static LOGGER: NativeClass = NativeClass {
    module: "logging",
    name: "Logger",
    bases: &[],
    new: |cx, _| Err(cx.leave("a logger that is made by its class")),
    attr: |_| None,
};

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "logging",
        name,
        call,
        pure: false,
    }
}

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    let level = LEVELS.iter().find(|(known, _)| *known == name);
    level
        .map(|(_, number)| Const::Int(*number))
        .or_else(|| super::function(FUNCTIONS, name))
}

/// `getLogger(name=None)`
fn get_logger<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let name = match (args.pos, args.kw) {
        ([], []) => Obj::None,
        ([name], []) | ([], [("name", name)]) => ops::resolve(cx, *name)?,
        _ => return Err(misfit(cx)),
    };
    if !matches!(name, Obj::None | Obj::Str(_)) {
        return Err(cx.leave("a logger whose name is no text"));
    }
    let logger: &'a Logger = cx.bump.alloc(Logger);
    Ok(Obj::Native(logger))
}

/// `info(msg, *args)` and the like.
fn write<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if args.pos.is_empty() {
        return Err(misfit(cx));
    }
    // Others are errors, if and only if the logger's level lets the line through; so may `extra` be.
    if !args.kw.iter().all(|(name, _)| *name == "exc_info") {
        return Err(cx.leave("an unusual argument of a logger"));
    }
    for arg in args.pos {
        if is_deep(cx, *arg)? {
            return Err(cx.leave("a deeply nested argument of a logger"));
        }
    }
    Ok(Obj::None)
}

/// `log(level, msg, *args)`
fn write_at<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match args.pos.split_first() {
        Some((level, rest)) if matches!(ops::resolve(cx, *level)?, Obj::Int(_)) => write(
            cx,
            &Args {
                pos: rest,
                kw: args.kw,
            },
        ),
        _ => Err(cx.leave("a level that is no number")),
    }
}

/// Whether an argument is nested so deeply that its text may not be made.
fn is_deep<'a>(cx: &Cx<'a>, arg: Obj<'a>) -> R<'a, bool> {
    match ops::resolve(cx, arg)? {
        Obj::None
        | Obj::Bool(_)
        | Obj::Int(_)
        | Obj::Big(_)
        | Obj::Float(_)
        | Obj::Str(_)
        | Obj::Bytes(_) => Ok(false),
        arg => {
            let Ok(shown) = text::repr(cx, arg) else {
                return Err(cx.leave("an argument of a logger that has no text here"));
            };
            let (mut depth, mut deepest) = (0_usize, 0);
            for byte in shown.bytes() {
                match byte {
                    b'[' | b'{' | b'(' => depth += 1,
                    b']' | b'}' | b')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                deepest = deepest.max(depth);
            }
            Ok(deepest > NESTING_MAX)
        }
    }
}

/// A logger; which one makes no difference.
struct Logger;

impl<'a> Native<'a> for Logger {
    fn class(&self) -> &'static NativeClass {
        &LOGGER
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        match name {
            "debug" | "info" | "warning" | "warn" | "error" | "exception" | "critical" | "fatal" => {
                Some(write(cx, args))
            }
            "log" => Some(write_at(cx, args)),
            _ => Some(Err(cx.leave("a method of a logger that does more than write"))),
        }
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("a logger as text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cx::Raise;
    use crate::testing::{with_cx, with_record};

    fn call<'a>(cx: &Cx<'a>, name: &str, pos: &[Obj<'a>], kw: &[(&'a str, Obj<'a>)]) -> R<'a> {
        let logger = get_logger(cx, &Args::positional(&[Obj::Str("x")]))?;
        let Obj::Native(logger) = logger else {
            panic!("a logger is an object of a module");
        };
        logger.method(cx, name, &Args { pos, kw }).unwrap()
    }

    #[test]
    fn a_text_that_does_not_fit_its_arguments_is_swallowed_as_in_cpython() {
        with_cx(|cx| {
            for (text, args) in [
                ("%d", vec![Obj::Str("a")]),
                ("%s %s", vec![Obj::Int(1)]),
                ("%", vec![Obj::None]),
            ] {
                let mut pos = vec![Obj::Str(text)];
                pos.extend(args);
                for name in ["debug", "info", "warning", "error", "exception", "critical"] {
                    assert!(
                        matches!(call(cx, name, &pos, &[]), Ok(Obj::None)),
                        "{name} {text}"
                    );
                }
            }
            assert!(matches!(
                call(cx, "info", &[Obj::None], &[("exc_info", Obj::Bool(true))]),
                Ok(Obj::None)
            ));
            assert!(matches!(
                call(cx, "log", &[Obj::Int(20), Obj::Str("x")], &[]),
                Ok(Obj::None)
            ));
        });
    }

    #[test]
    fn what_raises_or_answers_something_else_in_cpython_is_left_to_it() {
        with_cx(|cx| {
            let none = Obj::None;
            for result in [
                call(cx, "info", &[], &[]),
                call(cx, "info", &[none], &[("extra", none)]),
                call(cx, "info", &[none], &[("other", none)]),
                call(cx, "log", &[Obj::Str("a"), none], &[]),
                call(cx, "isEnabledFor", &[Obj::Int(20)], &[]),
                get_logger(cx, &Args::positional(&[Obj::Int(1)])),
            ] {
                assert!(matches!(result, Err(Raise::Fallback(_))));
            }
        });
    }

    #[test]
    fn a_record_nested_deeply_is_left_to_cpython_as_its_text_may_be_too_deep() {
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(120), "]".repeat(120));
        with_record(&deep, |cx, record| {
            assert!(matches!(
                call(cx, "info", &[Obj::Str("%s"), record], &[]),
                Err(Raise::Fallback(_))
            ));
        });
        with_record("{\"a\": [[1], {\"b\": 2}]}", |cx, record| {
            assert!(matches!(
                call(cx, "info", &[Obj::Str("%s"), record], &[]),
                Ok(Obj::None)
            ));
        });
    }
}
