//! Addresses and networks as StreamAlert's helpers read them.

use super::network_set::{self, NetworkSet};
use crate::cx::{Cx, R};
use crate::iter;
use crate::modules::args::bind;
use crate::modules::ipaddress::parse;
use crate::obj::Obj;
use crate::ops;
use crate::program::PyVersion;
use crate::registry::Args;
use crate::text;

/// An address of either version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    V4(u32),
    V6(u128),
}

/// `valid_ip(ip_address)`
pub(super) fn valid_ip<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value] = bind(cx, args, ["ip_address"], 1)?;
    Ok(Obj::Bool(address(cx, value.unwrap_or(Obj::None))?.is_some()))
}

/// `in_network(ip_address, cidrs)`
pub(super) fn in_network<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value, networks] = bind(cx, args, ["ip_address", "cidrs"], 2)?;
    let Some(address) = address(cx, value.unwrap_or(Obj::None))? else {
        return Ok(Obj::Bool(false));
    };
    let networks = networks.unwrap_or(Obj::None);
    if let Some(known) = known_networks(cx, networks) {
        return Ok(Obj::Bool(known.holds(address)));
    }
    let mut networks = iter::iter(cx, networks)?;
    while let Some(network) = networks.next(cx)? {
        if in_one(cx, address, ops::resolve(cx, network)?)? {
            return Ok(Obj::Bool(true));
        }
    }
    Ok(Obj::Bool(false))
}

/// The networks of a constant list, tuple or set, read when the rules were compiled.
fn known_networks<'a>(cx: &Cx<'a>, networks: Obj<'a>) -> Option<&'a NetworkSet> {
    let id = match networks {
        Obj::ConstList(seq) | Obj::ConstTuple(seq) => seq.id,
        Obj::ConstSet(set) | Obj::ConstFrozenSet(set) => set.id,
        _ => return None,
    };
    let all = &cx.program.networks;
    let at = all.binary_search_by_key(&id, |(id, _)| *id).ok()?;
    all.get(at).map(|(_, set)| set)
}

fn in_one<'a>(cx: &Cx<'a>, address: Address, network: Obj<'a>) -> R<'a, bool> {
    let shown = match network {
        Obj::Str(text) => text,
        Obj::Native(_) => {
            // It is a key of the cache before it is a text.
            ops::hash(cx, network)?;
            text::str(cx, network)?
        }
        _ => return Err(cx.leave("a network that is no text")),
    };
    if shown.len() > 100 || shown.contains('%') {
        return Err(cx.leave("an unusual network"));
    }
    match network_set::network(cx.program.version, shown) {
        Some(network) => Ok(network.holds(address)),
        None => Err(cx.leave("something that is no network, which is logged")),
    }
}

/// The address that a value stands for; `None` when it stands for none, or is `::1`.
fn address<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, Option<Address>> {
    let version = cx.program.version;
    Ok(match ops::resolve(cx, value)? {
        Obj::Str("::1") => None,
        Obj::Str(text) => match of_text(version, text) {
            Err(Unsure) => return Err(cx.leave("an unusual address")),
            Ok(Some(address)) => Some(address),
            Ok(None) if text.contains(':') => None,
            Ok(None) => parse::inet_aton(text).map(Address::V4),
        },
        Obj::Int(number) => of_int(number),
        Obj::Bool(flag) => Some(Address::V4(u32::from(flag))),
        // Their text begins with a letter, a bracket or a brace, or is no address of either version.
        Obj::None
        | Obj::Float(_)
        | Obj::Bytes(_)
        | Obj::NodeList(_)
        | Obj::NodeDict(_)
        | Obj::ConstList(_)
        | Obj::ConstTuple(_)
        | Obj::ConstDict(_)
        | Obj::List(_)
        | Obj::Tuple(_)
        | Obj::Dict(_)
        | Obj::Set(_) => None,
        Obj::Native(_) => {
            let text = text::str(cx, value)?;
            match of_text(version, text) {
                Err(Unsure) => return Err(cx.leave("an unusual address")),
                Ok(address) => address,
            }
        }
        _ => return Err(cx.leave("an address that is no text")),
    })
}

fn of_int(number: i64) -> Option<Address> {
    let number = u64::try_from(number).ok()?;
    Some(u32::try_from(number).map_or_else(|_| Address::V6(u128::from(number)), Address::V4))
}

/// It depends on a patch release.
struct Unsure;

/// What `ipaddress.ip_address` reads.
fn of_text(version: PyVersion, text: &str) -> Result<Option<Address>, Unsure> {
    match parse::v4(version, text) {
        Ok(bits) => return Ok(Some(Address::V4(bits))),
        Err(parse::V4Error::Unsure) => return Err(Unsure),
        Err(_) => {}
    }
    if text.contains('/') {
        return Ok(None);
    }
    let text = match text.split_once('%') {
        // The scope is any text without `%`; Python 3.8 knows none.
        Some((_, scope)) if version.minor < 9 || scope.is_empty() || scope.contains('%') => {
            return Ok(None);
        }
        Some((text, _)) => text,
        None => text,
    };
    match parse::v6(version, text) {
        Ok(bits) => Ok(Some(Address::V6(bits))),
        Err(parse::V6Error::V4(parse::V4Error::Unsure, _)) => Err(Unsure),
        Err(_) => Ok(None),
    }
}
