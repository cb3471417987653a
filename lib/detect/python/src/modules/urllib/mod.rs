//! `urllib.parse`. Sources: its documentation, and what the interpreters answer; releases differ in which damaged
//! addresses they accept, and where they do the pair goes to CPython.

mod join;
mod query;
mod quote;
mod result;
mod split;

use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{BuiltinFn, CallFn};

const MODULE: &str = "urllib.parse";

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: MODULE,
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("parse_qs", query::parse_qs),
    function("parse_qsl", query::parse_qsl),
    function("quote", quote::quote),
    function("quote_plus", quote::quote_plus),
    function("unquote", quote::unquote),
    function("unquote_plus", quote::unquote_plus),
    function("unquote_to_bytes", quote::unquote_to_bytes),
    function("urldefrag", join::urldefrag),
    function("urlencode", query::urlencode),
    function("urljoin", join::urljoin),
    function("urlparse", split::urlparse),
    function("urlsplit", split::urlsplit),
    function("urlunparse", join::urlunparse),
    function("urlunsplit", join::urlunsplit),
];

/// `urllib`.
pub(super) fn package(name: &str) -> Option<Const> {
    (name == "parse").then(|| Const::Module(MODULE.into()))
}

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    match result::class(name) {
        Some(class) => Some(Const::NativeClass(class)),
        None => super::function(FUNCTIONS, name),
    }
}

/// The patch releases whose behaviour is written down here, from 3.8 on. Earlier ones lack mends of security; what
/// those concern is left to CPython there. No later release takes one back.
const PATCHES: [u8; 6] = [18, 18, 13, 7, 1, 0];

/// Whether this Python may lack a mend that the interpreters described here have.
fn is_early(cx: &Cx<'_>) -> bool {
    let version = cx.program.version;
    let place = usize::from(version.minor.saturating_sub(8));
    PATCHES.get(place).is_none_or(|patch| version.patch < *patch)
}

/// Whether this is exactly one of the interpreters described here.
fn is_known_release(cx: &Cx<'_>) -> bool {
    let version = cx.program.version;
    let place = usize::from(version.minor.saturating_sub(8));
    PATCHES.get(place).is_some_and(|patch| version.patch == *patch)
}

/// The text, where it is one.
fn text<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, Option<&'a str>> {
    match ops::resolve(cx, value)? {
        Obj::Str(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}

/// Whether a value is of a type that has neither the methods of texts nor those of bytes.
fn is_plain(value: Obj<'_>) -> bool {
    matches!(
        value,
        Obj::None
            | Obj::Bool(_)
            | Obj::Int(_)
            | Obj::Big(_)
            | Obj::Float(_)
            | Obj::NodeList(_)
            | Obj::NodeDict(_)
            | Obj::List(_)
            | Obj::ConstList(_)
            | Obj::Tuple(_)
            | Obj::ConstTuple(_)
            | Obj::ConstDict(_)
            | Obj::Dict(_)
    )
}
