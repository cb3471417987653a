//! `itertools`, lazily as there. `tee` and `batched` are left to CPython.

mod choose;
mod group;
mod walk;

use crate::cx::{Cx, R};
use crate::iter::{IterState, NextObj};
use crate::obj::Obj;
use crate::program::Const;
use crate::registry::{BuiltinFn, CallFn};

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "itertools",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("accumulate", walk::accumulate),
    function("combinations", choose::combinations),
    function(
        "combinations_with_replacement",
        choose::combinations_with_replacement,
    ),
    function("compress", walk::compress),
    function("count", walk::count),
    function("cycle", walk::cycle),
    function("dropwhile", walk::dropwhile),
    function("filterfalse", walk::filterfalse),
    function("groupby", group::groupby),
    function("islice", walk::islice),
    function("permutations", choose::permutations),
    function("product", choose::product),
    function("repeat", walk::repeat),
    function("starmap", walk::starmap),
    function("takewhile", walk::takewhile),
    function("zip_longest", walk::zip_longest),
];

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    match name {
        "chain" => Some(Const::NativeClass(&walk::CHAIN)),
        _ => super::function(FUNCTIONS, name),
    }
}

/// The next element of an iterator object.
fn advance<'a>(cx: &Cx<'a>, iterator: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
    match iterator {
        Obj::Iter(iterator) => iterator.next(cx),
        _ => Err(cx.leave("an iterator of another kind")),
    }
}

/// An iterator object of this state.
fn object<'a, T: NextObj<'a> + 'a>(cx: &Cx<'a>, class: &'static str, state: T) -> Obj<'a> {
    let state: &'a T = cx.bump.alloc(state);
    IterState::Dyn(state).object(cx, class)
}
