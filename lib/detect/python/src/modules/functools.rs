//! `functools`. Comparison keys are left to CPython, and caches unless nobody can tell that they remember.

use bumpalo::collections::Vec as BumpVec;

use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::eval;
use crate::iter;
use crate::obj::Obj;
use crate::program::{Const, ConstFunction};
use crate::registry::{Args, BuiltinFn, Native, NativeClass};

static FUNCTIONS: &[BuiltinFn] = &[BuiltinFn {
    module: "functools",
    name: "reduce",
    call: reduce,
    pure: true,
}];

static PARTIAL: NativeClass = NativeClass {
    module: "functools",
    name: "partial",
    bases: &[],
    new: partial,
    attr: |_| None,
};

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    match name {
        "partial" => Some(Const::NativeClass(&PARTIAL)),
        _ => super::function(FUNCTIONS, name),
    }
}

/// `reduce(function, iterable[, initial])`
fn reduce<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (func, values, mut result) = match (args.pos, args.kw) {
        ([func, values], []) => (*func, *values, None),
        ([func, values, initial], []) => (*func, *values, Some(*initial)),
        _ => return Err(misfit(cx)),
    };
    if matches!(values, Obj::None | Obj::Bool(_) | Obj::Int(_) | Obj::Float(_)) {
        return Err(cx.type_error(format_args!("reduce() arg 2 must support iteration")));
    }
    let mut values = iter::iter(cx, values)?;
    while let Some(value) = values.next(cx)? {
        result = Some(match result {
            None => value,
            Some(result) => eval::call(cx, func, &Args::positional(&[result, value]))?,
        });
    }
    let what = if cx.program.version.minor < 10 {
        "sequence"
    } else {
        "iterable"
    };
    result.ok_or_else(|| cx.type_error(format_args!("reduce() of empty {what} with no initial value")))
}

/// A `functools.partial` made at run time.
struct Partial<'a> {
    func: Obj<'a>,
    pos: &'a [Obj<'a>],
    kw: &'a [(&'a str, Obj<'a>)],
}

fn partial<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let Some((func, pos)) = args.pos.split_first() else {
        return Err(misfit(cx));
    };
    match func {
        Obj::Function(_)
        | Obj::Closure(_)
        | Obj::Builtin(_)
        | Obj::BuiltinMethod(_)
        | Obj::Method(_)
        | Obj::Type(_)
        | Obj::ConstPartial(_) => {}
        _ => return Err(cx.leave("a partial of something unusual")),
    }
    let partial: &'a Partial<'a> = cx.bump.alloc(Partial {
        func: *func,
        pos: cx.bump.alloc_slice_copy(pos),
        kw: cx.bump.alloc_slice_copy(args.kw),
    });
    Ok(Obj::Native(partial))
}

impl<'a> Native<'a> for Partial<'a> {
    fn class(&self) -> &'static NativeClass {
        &PARTIAL
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("a partial as text"))
    }

    fn call(&'a self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> Option<R<'a>> {
        let mut pos = BumpVec::from_iter_in(self.pos.iter().copied(), cx.bump);
        pos.extend_from_slice(args.pos);
        let mut kw = BumpVec::new_in(cx.bump);
        for (name, value) in self.kw {
            kw.push((*name, args.named(name).unwrap_or(*value)));
        }
        for (name, value) in args.kw {
            if !self.kw.iter().any(|(known, _)| known == name) {
                kw.push((*name, *value));
            }
        }
        Some(eval::call(cx, self.func, &Args { pos: &pos, kw: &kw }))
    }
}

/// What `lru_cache` makes of a function.
pub(super) static CACHED: NativeClass = NativeClass {
    module: "functools",
    name: "_lru_cache_wrapper",
    bases: &[],
    new: cached,
    attr: |_| None,
};

/// A function that remembers its answers. It is asked anew here, which nobody can tell as long as the function is
/// pure, equal arguments are the same, and nobody can change the answer.
struct Cached<'a> {
    func: Obj<'a>,
}

fn cached<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match args.pos {
        [func @ Obj::Function(function)] if is_pure(cx, function) => {
            let made: &'a Cached<'a> = cx.bump.alloc(Cached { func: *func });
            Ok(Obj::Native(made))
        }
        _ => Err(cx.leave("a function that remembers what may change")),
    }
}

fn is_pure(cx: &Cx<'_>, function: &ConstFunction) -> bool {
    let code = cx.program.codes.get(function.code as usize);
    function.closure.is_empty() && code.is_some_and(|code| code.is_pure)
}

/// Whether a value is told apart from all that are equal to it, and cannot change.
fn is_plain(value: Obj<'_>) -> bool {
    matches!(value, Obj::None | Obj::Str(_) | Obj::Bytes(_))
}

/// Whether nobody can change an answer, or it is the same object anyhow.
fn is_lasting(value: Obj<'_>) -> bool {
    match value {
        Obj::Tuple(items) => items
            .iter()
            .all(|item| is_plain(*item) || matches!(item, Obj::Bool(_) | Obj::Int(_))),
        Obj::Bool(_) | Obj::Int(_) | Obj::Big(_) | Obj::Float(_) | Obj::Regex(_) => true,
        Obj::ConstList(_) | Obj::ConstTuple(_) | Obj::ConstDict(_) | Obj::ConstSet(_) => true,
        Obj::ConstFrozenSet(_) | Obj::Function(_) | Obj::Class(_) | Obj::Type(_) => true,
        value => is_plain(value),
    }
}

impl<'a> Native<'a> for Cached<'a> {
    fn class(&self) -> &'static NativeClass {
        &CACHED
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("a function that remembers as text"))
    }

    fn call(&'a self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> Option<R<'a>> {
        // An `int` alone is its own key; among others it is equal to a `bool` or `float`.
        let alone = matches!((args.pos, args.kw), ([Obj::Int(_)], []));
        let named = args.kw.iter().map(|(_, value)| value);
        if !alone && !args.pos.iter().chain(named).all(|value| is_plain(*value)) {
            return Some(Err(cx.leave("a function that remembers, with such an argument")));
        }
        let answer = eval::call(cx, self.func, args);
        Some(match answer {
            Ok(value) if !is_lasting(value) => Err(cx.leave("a remembered answer that can change")),
            answer => answer,
        })
    }
}
