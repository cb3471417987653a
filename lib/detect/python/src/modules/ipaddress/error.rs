//! What CPython says of texts that are no addresses.

use super::parse::{V4Error, V6Error};
use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;
use crate::text;
use crate::types::ExcKind;

fn shown<'a>(cx: &Cx<'a>, text: &str) -> R<'a, &'a str> {
    text::repr(cx, cx.str(text)?)
}

/// An `AddressValueError`.
pub(super) fn value_error<'a>(cx: &Cx<'a>, message: &str) -> Raise<'a> {
    cx.raise(ExcKind::AddressValueError, format_args!("{message}"))
}

/// What is wrong with a text that is no IPv4 address.
fn v4_message<'a>(cx: &Cx<'a>, error: V4Error<'_>, text: &str) -> R<'a, String> {
    let part = match error {
        V4Error::Empty => return Ok("Address cannot be empty".to_owned()),
        V4Error::NotFour => return Ok(format!("Expected 4 octets in {}", shown(cx, text)?)),
        V4Error::Unsure => return Err(cx.leave("an octet with leading zeros")),
        V4Error::EmptyOctet => "Empty octet not permitted".to_owned(),
        V4Error::NoDigits(part) => format!("Only decimal digits permitted in {}", shown(cx, part)?),
        V4Error::Long(part) => format!("At most 3 characters permitted in {}", shown(cx, part)?),
        V4Error::LeadingZero(part) => format!("Leading zeros are not permitted in {}", shown(cx, part)?),
        V4Error::Large(number) => format!("Octet {number} (> 255) not permitted"),
    };
    Ok(format!("{part} in {}", shown(cx, text)?))
}

/// The exception for a text that is no IPv4 address.
pub(super) fn v4<'a>(cx: &Cx<'a>, error: V4Error<'_>, text: &str) -> Raise<'a> {
    match v4_message(cx, error, text) {
        Ok(message) => value_error(cx, &message),
        Err(raise) => raise,
    }
}

fn v6_message<'a>(cx: &Cx<'a>, error: V6Error<'_>, text: &str) -> R<'a, String> {
    let part = match error {
        V6Error::Empty => return Ok("Address cannot be empty".to_owned()),
        V6Error::FewParts => "At least 3 parts expected".to_owned(),
        V6Error::V4(error, part) => v4_message(cx, error, part)?,
        V6Error::ManyColons => "At most 8 colons permitted".to_owned(),
        V6Error::TwoGaps => "At most one '::' permitted".to_owned(),
        V6Error::LeadingColon => "Leading ':' only permitted as part of '::'".to_owned(),
        V6Error::TrailingColon => "Trailing ':' only permitted as part of '::'".to_owned(),
        V6Error::ManyWithGap => "Expected at most 7 other parts with '::'".to_owned(),
        V6Error::NotEight => "Exactly 8 parts expected without '::'".to_owned(),
        V6Error::NoHex(part) => format!("Only hex digits permitted in {}", shown(cx, part)?),
        V6Error::Long(part) => format!("At most 4 characters permitted in {}", shown(cx, part)?),
    };
    Ok(format!("{part} in {}", shown(cx, text)?))
}

/// The exception for a text that is no IPv6 address.
pub(super) fn v6<'a>(cx: &Cx<'a>, error: V6Error<'_>, text: &str) -> Raise<'a> {
    match v6_message(cx, error, text) {
        Ok(message) => value_error(cx, &message),
        Err(raise) => raise,
    }
}

/// The exception for something that is no mask.
pub(super) fn mask<'a>(cx: &Cx<'a>, value: Obj<'a>) -> Raise<'a> {
    match text::repr(cx, value) {
        Ok(shown) => cx.raise(
            ExcKind::NetmaskValueError,
            format_args!("{shown} is not a valid netmask"),
        ),
        Err(raise) => raise,
    }
}
