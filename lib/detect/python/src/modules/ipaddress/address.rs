//! `IPv4Address` and `IPv6Address`.

use std::fmt::Write;
use std::net::Ipv4Addr;

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::{Ip, error, number, parse, special, width};
use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, CompareOp};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::ops::{self, big, key};
use crate::registry::{Args, Native, NativeClass};
use crate::text;

/// `ipaddress.IPv4Address`
pub(super) static V4: NativeClass = NativeClass {
    module: "ipaddress",
    name: "IPv4Address",
    bases: &[],
    new: |cx, args| new(cx, args, false),
    attr: |_| None,
};

/// `ipaddress.IPv6Address`
pub(super) static V6: NativeClass = NativeClass {
    module: "ipaddress",
    name: "IPv6Address",
    bases: &[],
    new: |cx, args| new(cx, args, true),
    attr: |_| None,
};

/// An address as an object.
pub(super) struct Address {
    pub(super) ip: Ip,
}

/// An object of an address.
pub(super) fn object<'a>(cx: &Cx<'a>, ip: Ip) -> Obj<'a> {
    let address: &'a Address = cx.bump.alloc(Address { ip });
    Obj::Native(address)
}

/// The address that an object is.
pub(super) fn of<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, Option<Ip>> {
    let Obj::Native(native) = ops::resolve(cx, value)? else {
        return Ok(None);
    };
    let v6 = match native.class() {
        class if class.module != "ipaddress" => return Ok(None),
        class if class.name == V4.name => false,
        class if class.name == V6.name => true,
        _ => return Ok(None),
    };
    match native.attr(cx, "_ip")? {
        Some(number) => Ok(big::int_to_bigint(number)
            .and_then(|number| number.to_u128())
            .map(|bits| Ip { v6, bits })),
        None => Ok(None),
    }
}

fn new<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, v6: bool) -> R<'a> {
    let [value] = bind(cx, args, ["address"], 1)?;
    let value = ops::resolve(cx, value.unwrap_or(Obj::None))?;
    read(cx, v6, value).map(|ip| object(cx, ip))
}

/// What the class makes of a value.
pub(super) fn read<'a>(cx: &Cx<'a>, v6: bool, value: Obj<'a>) -> R<'a, Ip> {
    if let Some(number) = big::int_to_bigint(value) {
        return of_number(cx, v6, &number);
    }
    if let Obj::Bytes(bytes) = value {
        let wanted = usize::from(width(v6) / 8);
        if bytes.len() != wanted {
            let shown = text::repr(cx, value)?;
            let (len, version) = (bytes.len(), number(v6));
            return Err(error::value_error(
                cx,
                &format!("{shown} (len {len} != {wanted}) is not permitted as an IPv{version} address"),
            ));
        }
        let bits = bytes
            .iter()
            .fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
        return Ok(Ip { v6, bits });
    }
    let text = text::str(cx, value)?;
    if text.contains('/') {
        let shown = text::repr(cx, value)?;
        return Err(error::value_error(cx, &format!("Unexpected '/' in {shown}")));
    }
    of_text(cx, v6, text)
}

/// Reads a text without `/`.
pub(super) fn of_text<'a>(cx: &Cx<'a>, v6: bool, text: &str) -> R<'a, Ip> {
    let version = cx.program.version;
    if !v6 {
        return match parse::v4(version, text) {
            Ok(bits) => Ok(Ip {
                v6,
                bits: bits.into(),
            }),
            Err(why) => Err(error::v4(cx, why, text)),
        };
    }
    if version.minor >= 9 && text.contains('%') {
        return Err(cx.leave("an address with a scope"));
    }
    match parse::v6(version, text) {
        Ok(bits) => Ok(Ip { v6, bits }),
        Err(why) => Err(error::v6(cx, why, text)),
    }
}

fn of_number<'a>(cx: &Cx<'a>, v6: bool, number: &BigInt) -> R<'a, Ip> {
    let version = self::number(v6);
    if number.sign() == num_bigint::Sign::Minus {
        return Err(error::value_error(
            cx,
            &format!("{number} (< 0) is not permitted as an IPv{version} address"),
        ));
    }
    let width = width(v6);
    match number.to_u128() {
        Some(bits) if v6 || bits >> 32 == 0 => Ok(Ip { v6, bits }),
        _ if number.bits() > 13_000 => Err(cx.leave("an address of very many digits")),
        _ => Err(error::value_error(
            cx,
            &format!("{number} (>= 2**{width}) is not permitted as an IPv{version} address"),
        )),
    }
}

/// The object of a number.
pub(super) fn int<'a>(cx: &Cx<'a>, bits: u128) -> R<'a> {
    match i64::try_from(bits) {
        Ok(small) => Ok(Obj::Int(small)),
        Err(_) => big::from_bigint(cx, &BigInt::from(bits)),
    }
}

/// An address as text.
pub(super) fn show<'a>(cx: &Cx<'a>, ip: Ip) -> &'a str {
    let mut out = bumpalo::collections::String::new_in(cx.bump);
    // Writing into the arena cannot fail.
    let _ = write_ip(&mut out, ip, cx.program.version.minor >= 13);
    out.into_bump_str()
}

fn write_ip(out: &mut impl Write, ip: Ip, dotted: bool) -> std::fmt::Result {
    if !ip.v6 {
        return write!(out, "{}", Ipv4Addr::from(ip.bits as u32));
    }
    if dotted && ip.bits >> 32 == 0xffff {
        // As the words before the last two would be shown by themselves.
        write!(out, "::ffff:")?;
        return write!(out, "{}", Ipv4Addr::from(ip.bits as u32));
    }
    let words = words(ip.bits);
    let (mut start, mut len) = (0, 1);
    let mut at = 0;
    while at < 8 {
        let run = words.iter().skip(at).take_while(|word| **word == 0).count();
        if run > len {
            (start, len) = (at, run);
        }
        at += run.max(1);
    }
    let gap = if len > 1 { start..start + len } else { 9..9 };
    for (place, word) in words.iter().enumerate() {
        if gap.contains(&place) {
            if place == gap.start {
                out.write_str("::")?;
            }
            continue;
        }
        if place > 0 && place != gap.end {
            out.write_char(':')?;
        }
        write!(out, "{word:x}")?;
    }
    Ok(())
}

fn words(bits: u128) -> [u16; 8] {
    let mut words = [0; 8];
    for (place, word) in words.iter_mut().enumerate() {
        *word = (bits >> (112 - 16 * place)) as u16;
    }
    words
}

/// An address in full length; `dotted` for the way of an address of IPv4 within IPv6.
pub(super) fn exploded<'a>(cx: &Cx<'a>, ip: Ip, dotted: bool) -> R<'a, &'a str> {
    if !ip.v6 {
        return Ok(show(cx, ip));
    }
    let words = words(ip.bits).map(|word| format!("{word:04x}"));
    let shown = if dotted && ip.bits >> 32 == 0xffff {
        let high = words.get(..6).unwrap_or_default().join(":");
        format!("{high}:{}", Ipv4Addr::from(ip.bits as u32))
    } else {
        words.join(":")
    };
    cx.text(&shown)
}

/// The bytes of an address.
fn packed<'a>(cx: &Cx<'a>, ip: Ip) -> Obj<'a> {
    let bytes = ip.bits.to_be_bytes();
    let skipped = if ip.v6 { 0 } else { 12 };
    Obj::Bytes(cx.bump.alloc_slice_copy(bytes.get(skipped..).unwrap_or_default()))
}

fn v4_within(cx: &Cx<'_>, bits: u128) -> Ip {
    let _ = cx;
    Ip {
        v6: false,
        bits: bits & 0xffff_ffff,
    }
}

fn v6_attr<'a>(cx: &Cx<'a>, bits: u128, name: &str) -> Option<Obj<'a>> {
    let v4 = |bits| object(cx, v4_within(cx, bits));
    Some(match name {
        "ipv4_mapped" if bits >> 32 == 0xffff => v4(bits),
        "sixtofour" if bits >> 112 == 0x2002 => v4(bits >> 80),
        "teredo" if bits >> 96 == 0x2001_0000 => Obj::Tuple(cx.bump.alloc([v4(bits >> 64), v4(!bits)])),
        "ipv4_mapped" | "sixtofour" | "teredo" => Obj::None,
        "scope_id" if cx.program.version.minor >= 9 => Obj::None,
        _ => return None,
    })
}

fn reverse_pointer<'a>(cx: &Cx<'a>, ip: Ip) -> R<'a> {
    if ip.v6 {
        if ip.bits >> 32 == 0xffff {
            return Err(cx.leave("the name of an IPv4 address within IPv6"));
        }
        let digits: Vec<char> = format!("{:032x}", ip.bits).chars().rev().collect();
        let digits: Vec<String> = digits.iter().map(char::to_string).collect();
        return cx.str(&format!("{}.ip6.arpa", digits.join(".")));
    }
    let [a, b, c, d] = (ip.bits as u32).to_be_bytes();
    cx.str(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"))
}

impl<'a> Native<'a> for Address {
    fn class(&self) -> &'static NativeClass {
        if self.ip.v6 { &V6 } else { &V4 }
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        let ip = self.ip;
        Ok(Some(match name {
            "version" => Obj::Int(number(ip.v6)),
            "max_prefixlen" => Obj::Int(i64::from(ip.width())),
            "_ip" => int(cx, ip.bits)?,
            "packed" => packed(cx, ip),
            "compressed" => Obj::Str(show(cx, ip)),
            "exploded" => Obj::Str(exploded(cx, ip, cx.program.version.minor >= 13)?),
            "reverse_pointer" => reverse_pointer(cx, ip)?,
            "ipv6_mapped" if !ip.v6 && cx.program.version.minor >= 13 => object(
                cx,
                Ip {
                    v6: true,
                    bits: 0xffff << 32 | ip.bits,
                },
            ),
            _ => match special::of_address(cx, ip, name)? {
                Some(flag) => Obj::Bool(flag),
                None if ip.v6 => return Ok(v6_attr(cx, ip.bits, name)),
                None => return Ok(None),
            },
        }))
    }

    fn eq(&'a self, cx: &Cx<'a>, other: Obj<'a>) -> R<'a, Option<bool>> {
        Ok(of(cx, other)?.map(|other| other == self.ip))
    }

    fn compare(&'a self, cx: &Cx<'a>, op: CompareOp, other: Obj<'a>) -> R<'a, Option<bool>> {
        let Some(ip) = of(cx, other)? else {
            return Ok(None);
        };
        if ip.v6 != self.ip.v6 {
            let (a, b) = (show(cx, self.ip), show(cx, ip));
            return Err(cx.type_error(format_args!("{a} and {b} are not of the same version")));
        }
        Ok(match op {
            CompareOp::Lt => Some(self.ip < ip),
            CompareOp::Le => Some(self.ip <= ip),
            CompareOp::Gt => Some(self.ip > ip),
            CompareOp::Ge => Some(self.ip >= ip),
            _ => None,
        })
    }

    fn hash(&'a self, _cx: &Cx<'a>) -> R<'a, Option<u64>> {
        let halves = [self.ip.bits as u64, (self.ip.bits >> 64) as u64];
        let hashes = halves.map(|half| key::hash_int(half as i64));
        Ok(Some(key::hash_tuple(hashes)))
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        let (version, shown) = (number(self.ip.v6), show(cx, self.ip));
        cx.text(&format!("IPv{version}Address('{shown}')"))
    }

    fn str(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Ok(show(cx, self.ip))
    }

    fn format(&'a self, cx: &Cx<'a>, spec: &str) -> Option<R<'a, &'a str>> {
        Some(if cx.program.version.minor >= 9 && spec.ends_with('s') {
            text::format(cx, Obj::Str(show(cx, self.ip)), spec)
        } else {
            Err(cx.leave("an address in such a format"))
        })
    }

    fn binary(
        &'a self,
        cx: &Cx<'a>,
        op: BinaryOp,
        other: Obj<'a>,
        reflected: bool,
    ) -> R<'a, Option<Obj<'a>>> {
        let Some(number) = big::int_to_bigint(other) else {
            return Ok(None);
        };
        let own = BigInt::from(self.ip.bits);
        let sum = match op {
            BinaryOp::Add if !reflected => own + number,
            BinaryOp::Sub if !reflected => own - number,
            _ => return Ok(None),
        };
        of_number(cx, self.ip.v6, &sum).map(|ip| Some(object(cx, ip)))
    }
}
