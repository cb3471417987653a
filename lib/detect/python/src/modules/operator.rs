//! `operator`.

use bumpalo::collections::Vec as BumpVec;

use crate::builtins::{misfit, only};
use crate::cx::{Cx, R};
use crate::eval;
use crate::ir::{BinaryOp, CompareOp, UnaryOp};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn, Native, NativeClass};

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "operator",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("eq", |cx, args| compare(cx, args, CompareOp::Eq)),
    function("ne", |cx, args| compare(cx, args, CompareOp::Ne)),
    function("lt", |cx, args| compare(cx, args, CompareOp::Lt)),
    function("le", |cx, args| compare(cx, args, CompareOp::Le)),
    function("gt", |cx, args| compare(cx, args, CompareOp::Gt)),
    function("ge", |cx, args| compare(cx, args, CompareOp::Ge)),
    function("add", |cx, args| binary(cx, args, BinaryOp::Add)),
    function("sub", |cx, args| binary(cx, args, BinaryOp::Sub)),
    function("mul", |cx, args| binary(cx, args, BinaryOp::Mul)),
    function("truediv", |cx, args| binary(cx, args, BinaryOp::Div)),
    function("floordiv", |cx, args| binary(cx, args, BinaryOp::FloorDiv)),
    function("mod", |cx, args| binary(cx, args, BinaryOp::Mod)),
    function("and_", |cx, args| binary(cx, args, BinaryOp::BitAnd)),
    function("or_", |cx, args| binary(cx, args, BinaryOp::BitOr)),
    function("xor", |cx, args| binary(cx, args, BinaryOp::BitXor)),
    function("neg", |cx, args| ops::unary(cx, UnaryOp::Neg, only(cx, args)?)),
    function("not_", |cx, args| {
        Ok(Obj::Bool(!ops::truthy(cx, only(cx, args)?)?))
    }),
    function("truth", |cx, args| {
        Ok(Obj::Bool(ops::truthy(cx, only(cx, args)?)?))
    }),
    function("is_", |cx, args| {
        let [one, two] = pair(cx, args)?;
        Ok(Obj::Bool(ops::is(cx, one, two)?))
    }),
    function("is_not", |cx, args| {
        let [one, two] = pair(cx, args)?;
        Ok(Obj::Bool(!ops::is(cx, one, two)?))
    }),
    function("contains", |cx, args| {
        let [container, item] = pair(cx, args)?;
        Ok(Obj::Bool(ops::contains(cx, container, item)?))
    }),
    function("getitem", |cx, args| {
        let [container, index] = pair(cx, args)?;
        ops::get_item(cx, container, index)
    }),
];

static ITEMGETTER: NativeClass = NativeClass {
    module: "operator",
    name: "itemgetter",
    bases: &[],
    new: |cx, args| getter(cx, args, false),
    attr: |_| None,
};

static ATTRGETTER: NativeClass = NativeClass {
    module: "operator",
    name: "attrgetter",
    bases: &[],
    new: |cx, args| getter(cx, args, true),
    attr: |_| None,
};

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    match name {
        "itemgetter" => Some(Const::NativeClass(&ITEMGETTER)),
        "attrgetter" => Some(Const::NativeClass(&ATTRGETTER)),
        _ => super::function(FUNCTIONS, name),
    }
}

fn pair<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, [Obj<'a>; 2]> {
    match (args.pos, args.kw) {
        ([one, two], []) => Ok([*one, *two]),
        _ => Err(misfit(cx)),
    }
}

fn compare<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, op: CompareOp) -> R<'a> {
    let [one, two] = pair(cx, args)?;
    Ok(Obj::Bool(match op {
        CompareOp::Eq => ops::eq(cx, one, two)?,
        CompareOp::Ne => !ops::eq(cx, one, two)?,
        _ => ops::compare(cx, op, one, two)?,
    }))
}

fn binary<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, op: BinaryOp) -> R<'a> {
    let [one, two] = pair(cx, args)?;
    ops::binary(cx, op, one, two)
}

/// `itemgetter(…)`, or `attrgetter(…)`.
struct Getter<'a> {
    of: &'a [Obj<'a>],
    attrs: bool,
}

fn getter<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, attrs: bool) -> R<'a> {
    let texts = args.pos.iter().all(|name| matches!(name, Obj::Str(_)));
    if args.pos.is_empty() || !args.kw.is_empty() || attrs && !texts {
        return Err(misfit(cx));
    }
    Ok(Obj::Native(cx.bump.alloc(Getter {
        of: cx.bump.alloc_slice_copy(args.pos),
        attrs,
    })))
}

impl<'a> Getter<'a> {
    fn get(&self, cx: &Cx<'a>, value: Obj<'a>, what: Obj<'a>) -> R<'a> {
        match what {
            Obj::Str(path) if self.attrs => path
                .split('.')
                .try_fold(value, |value, name| eval::attribute(cx, value, name)),
            _ => ops::get_item(cx, value, what),
        }
    }
}

impl<'a> Native<'a> for Getter<'a> {
    fn class(&self) -> &'static NativeClass {
        if self.attrs { &ATTRGETTER } else { &ITEMGETTER }
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("a getter of operator as text"))
    }

    fn call(&'a self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> Option<R<'a>> {
        let value = match only(cx, args) {
            Ok(value) => value,
            Err(raise) => return Some(Err(raise)),
        };
        if let [what] = self.of {
            return Some(self.get(cx, value, *what));
        }
        let mut found = BumpVec::new_in(cx.bump);
        for what in self.of {
            match self.get(cx, value, *what) {
                Ok(item) => found.push(item),
                Err(raise) => return Some(Err(raise)),
            }
        }
        Some(Ok(Obj::Tuple(found.into_bump_slice())))
    }
}
