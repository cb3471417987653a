//! `functools`. Comparison keys and caches are left to CPython.

use bumpalo::collections::Vec as BumpVec;

use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::eval;
use crate::iter;
use crate::obj::Obj;
use crate::program::Const;
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
