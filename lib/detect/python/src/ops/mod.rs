//! What operators and protocols do on objects: each function is Python's, over all forms of an object.

mod arith;
mod attr;
pub mod big;
mod concat;
mod contains;
mod counter;
mod dictops;
mod equal;
pub mod float;
mod hash;
pub mod int;
mod item;
pub mod key;
pub mod map;
mod order;
pub mod setlike;
pub(crate) mod setops;
pub mod slice;
mod store;
mod truth;
mod types;

pub use arith::{binary, in_place, is_number, unary};
pub use attr::get_attr;
pub use big::int_from_decimal;
pub use contains::contains;
pub use equal::{as_tuple, eq, is, same_or_eq};
pub use hash::{hash, hash_const};
pub use item::{element, get_item};
pub use map::dict_get;
pub use order::compare;
pub use store::{del_item, set_item};
pub use truth::{len, text_len, truthy};

pub use types::{builtin_name, class_name, class_of, is_instance, is_subclass, resolve, type_name, type_of};

use crate::cx::{Cx, R};
use crate::obj::Obj;

/// An `int` or `bool` of 64 bits.
#[inline]
#[must_use]
pub fn small_int(value: Obj<'_>) -> Option<i64> {
    match value {
        Obj::Int(number) => Some(number),
        Obj::Bool(flag) => Some(i64::from(flag)),
        _ => None,
    }
}

/// Runs what goes into nested containers: too deep, and CPython answers instead, since where it raises
/// `RecursionError` depends on its own frames.
///
/// # Errors
/// The fallback; what `inner` raises.
pub fn nested<'a, T>(cx: &Cx<'a>, inner: impl FnOnce() -> R<'a, T>) -> R<'a, T> {
    let depth = cx.depth.get();
    if depth >= cx.limits.depth {
        return Err(cx.leave("containers nested too deep"));
    }
    cx.depth.set(depth + 1);
    let result = inner();
    cx.depth.set(depth);
    result
}
