//! `IPv4Network` and `IPv6Network`.

use std::cell::Cell;

use bumpalo::collections::Vec as BumpVec;

use super::parse::{self, mask4, mask6};
use super::{Ip, address, error, number, special, width};
use crate::cx::{Cx, R, Raise};
use crate::ir::CompareOp;
use crate::iter::{IterState, NextObj};
use crate::modules::args::bind;
use crate::obj::{List, Obj};
use crate::ops::{self, key};
use crate::registry::{Args, Native, NativeClass};
use crate::text;
use crate::types::ExcKind;

/// `ipaddress.IPv4Network`
pub(super) static V4: NativeClass = NativeClass {
    module: "ipaddress",
    name: "IPv4Network",
    bases: &[],
    new: |cx, args| new(cx, args, false),
    attr: |_| None,
};

/// `ipaddress.IPv6Network`
pub(super) static V6: NativeClass = NativeClass {
    module: "ipaddress",
    name: "IPv6Network",
    bases: &[],
    new: |cx, args| new(cx, args, true),
    attr: |_| None,
};

/// A network: first address and prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Net {
    pub(super) v6: bool,
    bits: u128,
    prefix: u8,
}

impl Net {
    /// Its netmask.
    fn mask(self) -> u128 {
        if self.v6 {
            mask6(self.prefix)
        } else {
            u128::from(mask4(self.prefix))
        }
    }

    fn ones(self) -> u128 {
        if self.v6 { u128::MAX } else { u128::from(u32::MAX) }
    }

    const fn ip(self, bits: u128) -> Ip {
        Ip { v6: self.v6, bits }
    }

    /// The network address.
    pub(super) const fn first(self) -> Ip {
        self.ip(self.bits)
    }

    /// The broadcast address.
    pub(super) fn last(self) -> Ip {
        self.ip(self.bits | self.mask() ^ self.ones())
    }

    fn holds(self, ip: Ip) -> bool {
        self.v6 == ip.v6 && ip.bits & self.mask() == self.bits
    }
}

/// A network as an object.
pub(super) struct Network {
    net: Net,
}

fn object<'a>(cx: &Cx<'a>, net: Net) -> Obj<'a> {
    let network: &'a Network = cx.bump.alloc(Network { net });
    Obj::Native(network)
}

/// The network that an object is.
fn of<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, Option<Net>> {
    let Obj::Native(native) = ops::resolve(cx, value)? else {
        return Ok(None);
    };
    let class = native.class();
    if class.module != "ipaddress" || class.name != V4.name && class.name != V6.name {
        return Ok(None);
    }
    let first = match native.attr(cx, "network_address")? {
        Some(first) => address::of(cx, first)?,
        None => None,
    };
    let prefix = native.attr(cx, "prefixlen")?;
    Ok(match (first, prefix) {
        (Some(first), Some(Obj::Int(prefix))) => Some(Net {
            v6: first.v6,
            bits: first.bits,
            prefix: prefix as u8,
        }),
        _ => None,
    })
}

fn new<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, v6: bool) -> R<'a> {
    let [value, strict] = bind(cx, args, ["address", "strict"], 1)?;
    let value = ops::resolve(cx, value.unwrap_or(Obj::None))?;
    let strict = strict.map_or(Ok(true), |strict| ops::truthy(cx, strict))?;
    read(cx, v6, value, strict)
}

/// What the class makes of a value.
pub(super) fn read<'a>(cx: &Cx<'a>, v6: bool, value: Obj<'a>, strict: bool) -> R<'a> {
    let (ip, prefix) = match value {
        Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) | Obj::Bytes(_) => {
            (address::read(cx, v6, value)?, width(v6))
        }
        Obj::Tuple(_) | Obj::ConstTuple(_) => return Err(cx.leave("a network of an address and a mask")),
        _ => parts(cx, v6, value)?,
    };
    let mut net = Net {
        v6,
        bits: ip.bits,
        prefix,
    };
    let bits = net.bits & net.mask();
    if bits != net.bits && strict {
        let shown = show(cx, net)?;
        return Err(cx.value_error(format_args!("{shown} has host bits set")));
    }
    net.bits = bits;
    Ok(object(cx, net))
}

fn parts<'a>(cx: &Cx<'a>, v6: bool, value: Obj<'a>) -> R<'a, (Ip, u8)> {
    let text = text::str(cx, value)?;
    let Some((first, mask)) = text.split_once('/') else {
        return Ok((address::of_text(cx, v6, text)?, width(v6)));
    };
    if mask.contains('/') {
        let shown = text::repr(cx, value)?;
        return Err(error::value_error(
            cx,
            &format!("Only one '/' permitted in {shown}"),
        ));
    }
    let ip = address::of_text(cx, v6, first)?;
    let no_mask = || error::mask(cx, Obj::Str(mask));
    if !mask.is_empty() && mask.bytes().all(|byte| byte.is_ascii_digit()) {
        return match parse::prefix(mask, width(v6)) {
            Some(prefix) => Ok((ip, prefix)),
            None if mask.len() > 4000 => Err(cx.leave("a mask of very many digits")),
            None => Err(no_mask()),
        };
    }
    if v6 {
        return Err(no_mask());
    }
    match parse::v4(cx.program.version, mask) {
        Ok(bits) => Ok((ip, parse::mask_prefix(bits).ok_or_else(no_mask)?)),
        Err(parse::V4Error::Unsure) => Err(cx.leave("an octet with leading zeros")),
        Err(_) => Err(no_mask()),
    }
}

fn show<'a>(cx: &Cx<'a>, net: Net) -> R<'a, &'a str> {
    cx.text(&format!("{}/{}", address::show(cx, net.first()), net.prefix))
}

/// Addresses one by one.
struct Addresses {
    v6: bool,
    next: Cell<u128>,
    left: Cell<u128>,
}

impl<'a> NextObj<'a> for Addresses {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let Some(left) = self.left.get().checked_sub(1) else {
            return Ok(None);
        };
        let bits = self.next.get();
        self.left.set(left);
        self.next.set(bits.wrapping_add(1));
        Ok(Some(address::object(cx, Ip { v6: self.v6, bits })))
    }
}

/// The addresses from the first on; the whole of IPv6 has one too many to be counted, which nobody gets to.
fn addresses<'a>(cx: &Cx<'a>, v6: bool, first: u128, last: u128) -> IterState<'a> {
    let left = last.checked_sub(first).map_or(0, |count| count.saturating_add(1));
    let state: &'a Addresses = cx.bump.alloc(Addresses {
        v6,
        next: Cell::new(first),
        left: Cell::new(left),
    });
    IterState::Dyn(state)
}

impl Network {
    fn text_attr<'a>(&self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        let net = self.net;
        let first = address::show(cx, net.first());
        let prefix = net.prefix;
        let text = match name {
            "with_prefixlen" | "compressed" => format!("{first}/{prefix}"),
            "with_netmask" => format!("{first}/{}", address::show(cx, net.ip(net.mask()))),
            "with_hostmask" => {
                let mask = net.ip(net.mask() ^ net.ones());
                format!("{first}/{}", address::show(cx, mask))
            }
            "exploded" => format!("{}/{prefix}", address::exploded(cx, net.first(), false)?),
            _ => return Ok(None),
        };
        cx.str(&text).map(Some)
    }

    fn is_subnet<'a>(cx: &Cx<'a>, a: Net, b: Net) -> R<'a> {
        if a.v6 != b.v6 {
            let (a, b) = (show(cx, a)?, show(cx, b)?);
            return Err(cx.type_error(format_args!("{a} and {b} are not of the same version")));
        }
        Ok(Obj::Bool(b.first() <= a.first() && b.last() >= a.last()))
    }

    fn with_other<'a>(&self, cx: &Cx<'a>, args: &Args<'_, 'a>, name: &str) -> R<'a> {
        let [other] = bind(cx, args, ["other"], 1)?;
        let Some(other) = of(cx, other.unwrap_or(Obj::None))? else {
            return Err(cx.leave("something else than a network"));
        };
        let own = self.net;
        match name {
            "overlaps" => Ok(Obj::Bool(
                other.holds(own.first())
                    || other.holds(own.last())
                    || own.holds(other.first())
                    || own.holds(other.last()),
            )),
            "subnet_of" => Self::is_subnet(cx, own, other),
            _ => Self::is_subnet(cx, other, own),
        }
    }

    fn hosts<'a>(&self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
        let [] = bind(cx, args, [], 0)?;
        let net = self.net;
        let (first, last) = (net.first().bits, net.last().bits);
        let free = width(net.v6) - net.prefix;
        if free == 0 {
            if cx.program.version.minor == 8 && cx.program.version.patch < 18 {
                return Err(cx.leave("the host of a network of one address"));
            }
            let mut hosts = BumpVec::new_in(cx.bump);
            hosts.push(address::object(cx, net.first()));
            return Ok(List::object(cx, hosts));
        }
        let state = match (free, net.v6) {
            (1, _) => addresses(cx, net.v6, first, last),
            (_, false) => addresses(cx, false, first + 1, last - 1),
            (_, true) => addresses(cx, true, first + 1, last),
        };
        Ok(state.object(cx, "generator"))
    }
}

fn no_attribute<'a>(cx: &Cx<'a>, value: Obj<'a>, name: &str) -> Raise<'a> {
    let class = ops::type_name(cx, value);
    cx.raise(
        ExcKind::AttributeError,
        format_args!("'{class}' object has no attribute '{name}'"),
    )
}

impl<'a> Native<'a> for Network {
    fn class(&self) -> &'static NativeClass {
        if self.net.v6 { &V6 } else { &V4 }
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        let net = self.net;
        let ip = |bits| address::object(cx, net.ip(bits));
        Ok(Some(match name {
            "version" => Obj::Int(number(net.v6)),
            "max_prefixlen" => Obj::Int(i64::from(width(net.v6))),
            "prefixlen" => Obj::Int(i64::from(net.prefix)),
            "network_address" => ip(net.bits),
            "broadcast_address" => ip(net.last().bits),
            "netmask" => ip(net.mask()),
            "hostmask" => ip(net.mask() ^ net.ones()),
            "num_addresses" => match (net.mask() ^ net.ones()).checked_add(1) {
                Some(count) => address::int(cx, count)?,
                None => return Err(cx.leave("the number of all IPv6 addresses")),
            },
            _ => match special::of_network(cx, net, name)? {
                Some(flag) => Obj::Bool(flag),
                None => return self.text_attr(cx, name),
            },
        }))
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        Some(match name {
            "overlaps" | "subnet_of" | "supernet_of" => self.with_other(cx, args, name),
            "hosts" => self.hosts(cx, args),
            _ => return None,
        })
    }

    fn eq(&'a self, cx: &Cx<'a>, other: Obj<'a>) -> R<'a, Option<bool>> {
        Ok(of(cx, other)?.map(|other| other == self.net))
    }

    fn compare(&'a self, cx: &Cx<'a>, op: CompareOp, other: Obj<'a>) -> R<'a, Option<bool>> {
        let Some(other) = of(cx, other)? else {
            return Ok(None);
        };
        if other.v6 != self.net.v6 {
            let (a, b) = (show(cx, self.net)?, show(cx, other)?);
            return Err(cx.type_error(format_args!("{a} and {b} are not of the same version")));
        }
        let (own, other) = ((self.net.bits, self.net.prefix), (other.bits, other.prefix));
        Ok(match op {
            CompareOp::Lt => Some(own < other),
            CompareOp::Le => Some(own <= other),
            CompareOp::Gt => Some(own > other),
            CompareOp::Ge => Some(own >= other),
            _ => None,
        })
    }

    fn contains(&'a self, cx: &Cx<'a>, item: Obj<'a>) -> Option<R<'a, bool>> {
        let answer = || {
            if let Some(ip) = address::of(cx, item)? {
                return Ok(self.net.holds(ip));
            }
            match (of(cx, item)?, item) {
                (Some(_), _) => Ok(false),
                (None, Obj::Native(_) | Obj::Const(_) | Obj::Class(_)) => {
                    Err(cx.leave("an object in a network"))
                }
                (None, item) => Err(no_attribute(cx, item, "_version")),
            }
        };
        Some(answer())
    }

    fn hash(&'a self, _cx: &Cx<'a>) -> R<'a, Option<u64>> {
        let net = self.net;
        let parts = [
            net.bits as u64,
            (net.bits >> 64) as u64,
            u64::from(net.prefix) + 256,
        ];
        Ok(Some(key::hash_tuple(
            parts.map(|part| key::hash_int(part as i64)),
        )))
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        let (version, shown) = (number(self.net.v6), show(cx, self.net)?);
        cx.text(&format!("IPv{version}Network('{shown}')"))
    }

    fn str(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        show(cx, self.net)
    }

    fn iter(&'a self, cx: &Cx<'a>) -> Option<R<'a, IterState<'a>>> {
        let net = self.net;
        Some(Ok(addresses(cx, net.v6, net.bits, net.last().bits)))
    }

    fn index(&'a self, cx: &Cx<'a>, index: Obj<'a>) -> Option<R<'a>> {
        let Some(index) = ops::small_int(index) else {
            return Some(Err(cx.leave("a network with such an index")));
        };
        let (first, last) = (self.net.bits, self.net.last().bits);
        let away = u128::from(index.unsigned_abs());
        let found = if index >= 0 {
            first.checked_add(away).filter(|bits| *bits <= last)
        } else {
            last.checked_sub(away - 1).filter(|bits| *bits >= first)
        };
        Some(match found {
            Some(bits) => Ok(address::object(cx, self.net.ip(bits))),
            None => Err(cx.raise(ExcKind::IndexError, format_args!("address out of range"))),
        })
    }
}
