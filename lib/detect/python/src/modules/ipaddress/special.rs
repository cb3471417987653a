//! What addresses are set aside for. The registries as CPython has them: they changed in patch releases of 2024
//! (<https://github.com/python/cpython/issues/113171>); where it is not known which a release has, and they differ,
//! CPython answers.

use super::Ip;
use super::network::Net;
use super::parse::{mask4, mask6};
use crate::cx::{Cx, R};
use crate::program::PyVersion;

type V4 = (u32, u8);
type V6 = (u128, u8);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> V4 {
    (u32::from_be_bytes([a, b, c, d]), prefix)
}

/// An IPv6 network by its first words.
const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> V6 {
    ((a as u128) << 112 | (b as u128) << 96 | (c as u128) << 80, prefix)
}

static PRIVATE_V4: [V4; 14] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 29),
    v4(192, 0, 0, 170, 31),
    v4(192, 0, 2, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(240, 0, 0, 0, 4),
    v4(255, 255, 255, 255, 32),
];
/// Since 2024 instead of 192.0.0.0/29.
const PROTOCOLS_V4: V4 = v4(192, 0, 0, 0, 24);
static GLOBAL_WITHIN_V4: [V4; 2] = [v4(192, 0, 0, 9, 32), v4(192, 0, 0, 10, 32)];
const SHARED_V4: V4 = v4(100, 64, 0, 0, 10);

static PRIVATE_V6_OLD: [V6; 10] = [
    (1, 128),
    (0, 128),
    (0xffff << 32, 96),
    v6(0x100, 0, 0, 64),
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 2, 0, 48),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x2001, 0x10, 0, 28),
    v6(0xfc00, 0, 0, 7),
    v6(0xfe80, 0, 0, 10),
];
static PRIVATE_V6: [V6; 10] = [
    (1, 128),
    (0, 128),
    (0xffff << 32, 96),
    v6(0x64, 0xff9b, 1, 48),
    v6(0x100, 0, 0, 64),
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x2002, 0, 0, 16),
    v6(0xfc00, 0, 0, 7),
    v6(0xfe80, 0, 0, 10),
];
static GLOBAL_WITHIN_V6: [V6; 6] = [
    (v6(0x2001, 1, 0, 0).0 | 1, 128),
    (v6(0x2001, 1, 0, 0).0 | 2, 128),
    v6(0x2001, 3, 0, 32),
    v6(0x2001, 4, 0x112, 48),
    v6(0x2001, 0x20, 0, 28),
    v6(0x2001, 0x30, 0, 28),
];
/// Set aside in 2024, known to later patch releases.
const DOCUMENTATION_V6: V6 = v6(0x3fff, 0, 0, 20);

static RESERVED_V6: [V6; 15] = [
    v6(0, 0, 0, 8),
    v6(0x100, 0, 0, 8),
    v6(0x200, 0, 0, 7),
    v6(0x400, 0, 0, 6),
    v6(0x800, 0, 0, 5),
    v6(0x1000, 0, 0, 4),
    v6(0x4000, 0, 0, 3),
    v6(0x6000, 0, 0, 3),
    v6(0x8000, 0, 0, 3),
    v6(0xa000, 0, 0, 3),
    v6(0xc000, 0, 0, 3),
    v6(0xe000, 0, 0, 4),
    v6(0xf000, 0, 0, 5),
    v6(0xf800, 0, 0, 6),
    v6(0xfe00, 0, 0, 9),
];

const fn in4(bits: u128, network: V4) -> bool {
    bits as u32 & mask4(network.1) == network.0
}

const fn in6(bits: u128, network: V6) -> bool {
    bits & mask6(network.1) == network.0
}

/// Which registries a release has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Registry {
    Old,
    New,
    Unsure,
}

fn registry(version: PyVersion) -> Registry {
    // The last release that was looked at with the old ones, the first with the new ones.
    let (old, new) = match version.minor {
        8 => (18, 20),
        9 => (18, 20),
        10 => (13, 15),
        11 => (7, 10),
        12 => (1, 4),
        _ => return Registry::New,
    };
    if version.patch <= old {
        Registry::Old
    } else if version.patch >= new {
        Registry::New
    } else {
        Registry::Unsure
    }
}

/// Whether later releases than those looked at may say otherwise of IPv4 addresses within IPv6.
fn is_later(version: PyVersion) -> bool {
    let last = match version.minor {
        8 | 9 => 18,
        10 => 13,
        11 => 7,
        12 => 1,
        _ => 0,
    };
    version.patch > last
}

fn private4(bits: u128, registry: Registry) -> bool {
    let old = PRIVATE_V4.iter().any(|network| in4(bits, *network));
    match registry {
        Registry::New => {
            (old || in4(bits, PROTOCOLS_V4)) && !GLOBAL_WITHIN_V4.iter().any(|network| in4(bits, *network))
        }
        _ => old,
    }
}

fn private6(bits: u128, registry: Registry) -> bool {
    match registry {
        Registry::New => {
            PRIVATE_V6.iter().any(|network| in6(bits, *network))
                && !GLOBAL_WITHIN_V6.iter().any(|network| in6(bits, *network))
        }
        _ => PRIVATE_V6_OLD.iter().any(|network| in6(bits, *network)),
    }
}

fn is_private<'a>(cx: &Cx<'a>, ip: Ip) -> R<'a, bool> {
    let version = cx.program.version;
    let (ip, mapped) = match ip {
        Ip { v6: true, bits } if bits >> 32 == 0xffff && version.minor >= 10 => (
            Ip {
                v6: false,
                bits: bits & 0xffff_ffff,
            },
            true,
        ),
        ip => (ip, false),
    };
    if ip.v6 && (in6(ip.bits, DOCUMENTATION_V6) || (ip.bits >> 32 == 0xffff && !mapped && is_later(version)))
    {
        return Err(cx.leave("an address whose meaning changed"));
    }
    let answer = |registry| {
        if ip.v6 {
            private6(ip.bits, registry)
        } else {
            private4(ip.bits, registry)
        }
    };
    match registry(version) {
        Registry::Unsure if answer(Registry::Old) != answer(Registry::New) => {
            Err(cx.leave("an address whose meaning changed"))
        }
        registry => Ok(answer(registry)),
    }
}

/// `is_…` of an address; `None` when there is no such attribute.
pub(super) fn of_address<'a>(cx: &Cx<'a>, ip: Ip, name: &str) -> R<'a, Option<bool>> {
    let bits = ip.bits;
    let mapped = ip.v6 && bits >> 32 == 0xffff;
    let unsure = mapped && is_later(cx.program.version);
    Ok(Some(match name {
        "is_private" => is_private(cx, ip)?,
        "is_global" if mapped && cx.program.version.minor >= 10 && unsure => {
            return Err(cx.leave("an IPv4 address within IPv6"));
        }
        "is_global" if ip.v6 => !is_private(cx, ip)?,
        "is_global" => !in4(bits, SHARED_V4) && !is_private(cx, ip)?,
        "is_multicast" | "is_reserved" | "is_loopback" | "is_link_local" | "is_unspecified" if unsure => {
            return Err(cx.leave("an IPv4 address within IPv6"));
        }
        "is_loopback" if mapped && cx.program.version.minor >= 13 => bits >> 24 & 0xff == 127,
        "is_unspecified" => bits == 0,
        "is_multicast" if ip.v6 => in6(bits, v6(0xff00, 0, 0, 8)),
        "is_multicast" => in4(bits, v4(224, 0, 0, 0, 4)),
        "is_loopback" if ip.v6 => bits == 1,
        "is_loopback" => in4(bits, v4(127, 0, 0, 0, 8)),
        "is_link_local" if ip.v6 => in6(bits, v6(0xfe80, 0, 0, 10)),
        "is_link_local" => in4(bits, v4(169, 254, 0, 0, 16)),
        "is_reserved" if ip.v6 => RESERVED_V6.iter().any(|network| in6(bits, *network)),
        "is_reserved" => in4(bits, v4(240, 0, 0, 0, 4)),
        "is_site_local" if ip.v6 => in6(bits, v6(0xfec0, 0, 0, 10)),
        _ => return Ok(None),
    }))
}

/// Whether one of these holds both ends.
fn holds_both(net: Net, first: u128, last: u128, registry: Registry) -> bool {
    if net.v6 {
        let all = if registry == Registry::New {
            &PRIVATE_V6
        } else {
            &PRIVATE_V6_OLD
        };
        let private = all.iter().any(|known| in6(first, *known) && in6(last, *known));
        let mut global = GLOBAL_WITHIN_V6.iter();
        let excepted = global.any(|known| in6(first, *known) || in6(last, *known));
        return private && (registry != Registry::New || !excepted);
    }
    let within = |known: V4| in4(first, known) && in4(last, known);
    let private = PRIVATE_V4.iter().any(|known| within(*known));
    if registry != Registry::New {
        return private;
    }
    let mut global = GLOBAL_WITHIN_V4.iter();
    let excepted = global.any(|known| in4(first, *known) || in4(last, *known));
    (private || within(PROTOCOLS_V4)) && !excepted
}

fn is_private_network<'a>(cx: &Cx<'a>, net: Net) -> R<'a, bool> {
    let version = cx.program.version;
    let (first, last) = (net.first(), net.last());
    if version.minor < 11 {
        if registry(version) != Registry::Old {
            return Err(cx.leave("a network whose meaning changed"));
        }
        return Ok(is_private(cx, first)? && is_private(cx, last)?);
    }
    if net.v6 && (in6(first.bits, DOCUMENTATION_V6) || in6(last.bits, DOCUMENTATION_V6)) {
        return Err(cx.leave("a network whose meaning changed"));
    }
    let answer = |registry| holds_both(net, first.bits, last.bits, registry);
    match registry(version) {
        Registry::Unsure if answer(Registry::Old) != answer(Registry::New) => {
            Err(cx.leave("a network whose meaning changed"))
        }
        registry => Ok(answer(registry)),
    }
}

/// `is_…` of a network.
pub(super) fn of_network<'a>(cx: &Cx<'a>, net: Net, name: &str) -> R<'a, Option<bool>> {
    let (first, last) = (net.first(), net.last());
    match name {
        "is_private" => is_private_network(cx, net).map(Some),
        "is_global" => {
            let shared = !net.v6 && in4(first.bits, SHARED_V4) && in4(last.bits, SHARED_V4);
            Ok(Some(!shared && !is_private_network(cx, net)?))
        }
        _ => match of_address(cx, first, name)? {
            Some(true) => of_address(cx, last, name),
            other => Ok(other),
        },
    }
}
