//! `time`. What depends on the local time zone, or makes a `struct_time`, is left to CPython.

use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn};

static FUNCTIONS: &[BuiltinFn] = &[BuiltinFn {
    module: "time",
    name: "time",
    call: time,
    pure: false,
}];

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    super::function(FUNCTIONS, name)
}

fn time<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    if !args.pos.is_empty() || !args.kw.is_empty() {
        return Err(misfit(cx));
    }
    Ok(Obj::Float((cx.env.now_micros)() as f64 / 1e6))
}
