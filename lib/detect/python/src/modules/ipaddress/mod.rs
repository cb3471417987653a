//! `ipaddress`. Interfaces, address ranges and scopes of IPv6 addresses are left to CPython.

mod address;
mod error;
mod network;
pub(super) mod parse;
mod special;

use crate::cx::{Cx, R, Raise};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn};
use crate::text;
use crate::types::{ExcKind, Type};

/// An address: version and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ip {
    pub(super) v6: bool,
    pub(super) bits: u128,
}

impl Ip {
    /// Bits of an address of its version.
    const fn width(self) -> u8 {
        width(self.v6)
    }
}

/// Bits of an address.
const fn width(v6: bool) -> u8 {
    if v6 { 128 } else { 32 }
}

/// 4 or 6.
const fn number(v6: bool) -> i64 {
    if v6 { 6 } else { 4 }
}

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "ipaddress",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("ip_address", ip_address),
    function("ip_network", ip_network),
];

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    match name {
        "IPv4Address" => Some(Const::NativeClass(&address::V4)),
        "IPv6Address" => Some(Const::NativeClass(&address::V6)),
        "IPv4Network" => Some(Const::NativeClass(&network::V4)),
        "IPv6Network" => Some(Const::NativeClass(&network::V6)),
        "AddressValueError" => Some(Const::Type(Type::Exc(ExcKind::AddressValueError))),
        "NetmaskValueError" => Some(Const::Type(Type::Exc(ExcKind::NetmaskValueError))),
        "IPV4LENGTH" => Some(Const::Int(32)),
        "IPV6LENGTH" => Some(Const::Int(128)),
        _ => super::function(FUNCTIONS, name),
    }
}

/// Whether an exception says that a text is no address or network of one version, so that the other is tried.
fn is_wrong_version(raise: &Raise<'_>) -> bool {
    matches!(raise, Raise::Exception(exception)
        if matches!(exception.kind, ExcKind::AddressValueError | ExcKind::NetmaskValueError))
}

fn neither<'a>(cx: &Cx<'a>, value: Obj<'a>, what: &str) -> Raise<'a> {
    match text::repr(cx, value) {
        Ok(shown) => cx.value_error(format_args!(
            "{shown} does not appear to be an IPv4 or IPv6 {what}"
        )),
        Err(raise) => raise,
    }
}

/// `ip_address(address)`
fn ip_address<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value] = bind(cx, args, ["address"], 1)?;
    let value = ops::resolve(cx, value.unwrap_or(Obj::None))?;
    // The usual case makes no messages that nobody reads.
    if let Obj::Str(text) = value
        && !text.contains('%')
    {
        let version = cx.program.version;
        let bits = match parse::v4(version, text) {
            Ok(bits) => {
                return Ok(address::object(
                    cx,
                    Ip {
                        v6: false,
                        bits: bits.into(),
                    },
                ));
            }
            Err(parse::V4Error::Unsure) => return Err(cx.leave("an octet with leading zeros")),
            Err(_) if text.contains('/') => return Err(neither(cx, value, "address")),
            Err(_) => parse::v6(version, text),
        };
        return match bits {
            Ok(bits) => Ok(address::object(cx, Ip { v6: true, bits })),
            Err(parse::V6Error::V4(parse::V4Error::Unsure, _)) => {
                Err(cx.leave("an octet with leading zeros"))
            }
            Err(_) => Err(neither(cx, value, "address")),
        };
    }
    for v6 in [false, true] {
        match address::read(cx, v6, value) {
            Err(raise) if is_wrong_version(&raise) => {}
            found => return found.map(|ip| address::object(cx, ip)),
        }
    }
    Err(neither(cx, value, "address"))
}

/// `ip_network(address, strict=True)`
fn ip_network<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value, strict] = bind(cx, args, ["address", "strict"], 1)?;
    let value = ops::resolve(cx, value.unwrap_or(Obj::None))?;
    let strict = strict.map_or(Ok(true), |strict| ops::truthy(cx, strict))?;
    for v6 in [false, true] {
        match network::read(cx, v6, value, strict) {
            Err(raise) if is_wrong_version(&raise) => {}
            found => return found,
        }
    }
    Err(neither(cx, value, "network"))
}
