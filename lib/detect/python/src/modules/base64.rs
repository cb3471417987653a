//! `base64` and `binascii`. What is neither plainly right nor plainly wrong is left to CPython.

use bumpalo::collections::Vec as BumpVec;

use super::args::bind;
use crate::builtins::only;
use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{BuiltinFn, CallFn};
use crate::types::{ExcKind, Type};

const fn function(module: &'static str, name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module,
        name,
        call,
        pure: true,
    }
}

static BASE64: &[BuiltinFn] = &[
    function("base64", "b64decode", |cx, args| {
        let [text, altchars, validate] = bind(cx, args, ["s", "altchars", "validate"], 1)?;
        if !matches!(altchars, None | Some(Obj::None)) {
            return Err(cx.leave("another alphabet of base64"));
        }
        let strict = validate.map_or(Ok(false), |flag| ops::truthy(cx, flag))?;
        decode(cx, ascii(cx, text.unwrap_or(Obj::None))?, strict, |digit| digit)
    }),
    function("base64", "standard_b64decode", |cx, args| {
        let [text] = bind(cx, args, ["s"], 1)?;
        decode(cx, ascii(cx, text.unwrap_or(Obj::None))?, false, |digit| digit)
    }),
    function("base64", "urlsafe_b64decode", |cx, args| {
        let [text] = bind(cx, args, ["s"], 1)?;
        let standard = |digit| match digit {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        decode(cx, ascii(cx, text.unwrap_or(Obj::None))?, false, standard)
    }),
    function("base64", "b64encode", |cx, args| {
        let [data, altchars] = bind(cx, args, ["s", "altchars"], 1)?;
        if !matches!(altchars, None | Some(Obj::None)) {
            return Err(cx.leave("another alphabet of base64"));
        }
        encode(cx, bytes(cx, data.unwrap_or(Obj::None))?, *b"+/")
    }),
    function("base64", "standard_b64encode", |cx, args| {
        let [data] = bind(cx, args, ["s"], 1)?;
        encode(cx, bytes(cx, data.unwrap_or(Obj::None))?, *b"+/")
    }),
    function("base64", "urlsafe_b64encode", |cx, args| {
        let [data] = bind(cx, args, ["s"], 1)?;
        encode(cx, bytes(cx, data.unwrap_or(Obj::None))?, *b"-_")
    }),
];

static BINASCII: &[BuiltinFn] = &[
    function("binascii", "hexlify", |cx, args| hexlify(cx, only(cx, args)?)),
    function("binascii", "b2a_hex", |cx, args| hexlify(cx, only(cx, args)?)),
    function("binascii", "unhexlify", |cx, args| unhexlify(cx, only(cx, args)?)),
    function("binascii", "a2b_hex", |cx, args| unhexlify(cx, only(cx, args)?)),
];

/// What `base64` calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    super::function(BASE64, name)
}

/// What `binascii` calls a name.
pub(super) fn binascii(name: &str) -> Option<Const> {
    match name {
        "Error" => Some(Const::Type(Type::Exc(ExcKind::BinasciiError))),
        _ => super::function(BINASCII, name),
    }
}

/// The bytes of an ASCII text, or bytes.
fn ascii<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a [u8]> {
    match ops::resolve(cx, value)? {
        Obj::Str(text) if text.is_ascii() => Ok(text.as_bytes()),
        Obj::Str(_) => Err(cx.value_error(format_args!(
            "string argument should contain only ASCII characters"
        ))),
        Obj::Bytes(data) => Ok(data),
        Obj::Native(_) | Obj::Class(_) => Err(cx.leave("base64 of such an object")),
        other => {
            let class = ops::class_of(cx, other)?;
            let name = ops::class_name(cx, class).unwrap_or_default();
            Err(cx.type_error(format_args!(
                "argument should be a bytes-like object or ASCII string, not '{name}'"
            )))
        }
    }
}

fn bytes<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a [u8]> {
    match ops::resolve(cx, value)? {
        Obj::Bytes(data) => Ok(data),
        Obj::Native(_) | Obj::Class(_) => Err(cx.leave("base64 of such an object")),
        other => {
            let name = ops::type_name(cx, other);
            Err(cx.type_error(format_args!("a bytes-like object is required, not '{name}'")))
        }
    }
}

#[cold]
fn error<'a>(cx: &Cx<'a>, message: &str) -> Raise<'a> {
    cx.raise(ExcKind::BinasciiError, format_args!("{message}"))
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// As `binascii.a2b_base64`: what is no digit is passed over, and enough padding ends it.
fn decode<'a>(cx: &Cx<'a>, data: &[u8], strict: bool, standard: fn(u8) -> u8) -> R<'a> {
    cx.reserve(data.len())?;
    if strict {
        let digits = data.iter().rev().skip_while(|byte| **byte == b'=');
        let padding = data.len() - digits.clone().count();
        if !data.len().is_multiple_of(4) || padding > 2 || digits.clone().any(|byte| digit(*byte).is_none()) {
            return Err(cx.leave("base64 that is to be valid and is not"));
        }
    }
    let mut out = BumpVec::with_capacity_in(data.len() / 4 * 3 + 3, cx.bump);
    let (mut bits, mut have, mut pads) = (0_u32, 0_usize, 0_usize);
    for byte in data {
        let byte = standard(*byte);
        if byte == b'=' {
            pads += usize::from(have >= 2);
            if have >= 2 && have + pads >= 4 {
                return Ok(Obj::Bytes(out.into_bump_slice()));
            }
            continue;
        }
        let Some(digit) = digit(byte) else {
            continue;
        };
        pads = 0;
        bits = bits << 6 | digit;
        have += 1;
        match have {
            2 => out.push((bits >> 4) as u8),
            3 => out.push((bits >> 2) as u8),
            4 => {
                out.push(bits as u8);
                have = 0;
            }
            _ => {}
        }
    }
    match have {
        0 => Ok(Obj::Bytes(out.into_bump_slice())),
        1 => {
            let count = out.len() / 3 * 4 + 1;
            Err(error(
                cx,
                &format!(
                    "Invalid base64-encoded string: number of data characters ({count}) cannot be 1 more than a multiple of 4"
                ),
            ))
        }
        _ => Err(error(cx, "Incorrect padding")),
    }
}

fn encode<'a>(cx: &Cx<'a>, data: &[u8], last: [u8; 2]) -> R<'a> {
    cx.reserve(data.len().saturating_mul(2))?;
    let letter = |bits: u32| match (bits & 63) as u8 {
        value @ 0..=25 => b'A' + value,
        value @ 26..=51 => b'a' + (value - 26),
        value @ 52..=61 => b'0' + (value - 52),
        62 => last[0],
        _ => last[1],
    };
    let mut out = BumpVec::with_capacity_in(data.len() / 3 * 4 + 4, cx.bump);
    for chunk in data.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_u32 {
            out.push(if place as usize <= chunk.len() {
                letter(bits >> (18 - 6 * place))
            } else {
                b'='
            });
        }
    }
    Ok(Obj::Bytes(out.into_bump_slice()))
}

/// Two hexadecimal digits for each byte.
pub(super) fn hex_digits<'a>(cx: &Cx<'a>, data: &[u8]) -> R<'a, &'a str> {
    cx.reserve(data.len().saturating_mul(2))?;
    let mut out = bumpalo::collections::String::with_capacity_in(data.len() * 2, cx.bump);
    for byte in data {
        for half in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
    Ok(out.into_bump_str())
}

fn hexlify<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    Ok(Obj::Bytes(hex_digits(cx, bytes(cx, value)?)?.as_bytes()))
}

fn unhexlify<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    let data = match ops::resolve(cx, value)? {
        Obj::Str(text) if text.is_ascii() => text.as_bytes(),
        Obj::Bytes(data) => data,
        _ => return Err(cx.leave("unhexlify of such an object")),
    };
    cx.reserve(data.len())?;
    if !data.len().is_multiple_of(2) {
        return Err(error(cx, "Odd-length string"));
    }
    let half = |byte: u8| char::from(byte).to_digit(16);
    let mut out = BumpVec::with_capacity_in(data.len() / 2, cx.bump);
    for pair in data.chunks_exact(2) {
        match pair {
            [high, low] => match (half(*high), half(*low)) {
                (Some(high), Some(low)) => out.push((high << 4 | low) as u8),
                _ => return Err(error(cx, "Non-hexadecimal digit found")),
            },
            _ => return Err(cx.leave("half a byte")),
        }
    }
    Ok(Obj::Bytes(out.into_bump_slice()))
}
