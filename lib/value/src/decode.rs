//! Bytes to text as `json.loads(bytes)` does it: the encoding is guessed from the first four bytes, and
//! surrogates are let through ("surrogatepass").

use std::borrow::Cow;

use crate::{JsonError, JsonErrorKind};

const BAD: JsonError = JsonError {
    kind: JsonErrorKind::BadEncoding,
    offset: 0,
};

/// The text that `json.loads` would parse for these bytes: UTF-8, UTF-16 or UTF-32 with or without a byte order
/// mark. Surrogates encoded on their own become `\uXXXX` escapes, which mean the same within a JSON text.
///
/// # Errors
/// [`JsonErrorKind::BadEncoding`] when the bytes are not valid in the encoding that they seem to be in.
pub fn decode_json_bytes(bytes: &[u8]) -> Result<Cow<'_, str>, JsonError> {
    match bytes {
        [0, 0, 0xfe, 0xff, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xff, 0xfe, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0, 0, _, _, ..] => utf32(bytes, u32::from_be_bytes),
        [0, _, _, _, ..] | [0, _] => utf16(bytes, u16::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(bytes, u32::from_le_bytes),
        [_, 0, _, _, ..] | [_, 0] => utf16(bytes, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, JsonError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => utf8_with_surrogates(bytes, error.valid_up_to()).map(Cow::Owned),
    }
}

#[cold]
fn utf8_with_surrogates(bytes: &[u8], first_bad: usize) -> Result<String, JsonError> {
    let bad = |offset| JsonError {
        kind: JsonErrorKind::BadEncoding,
        offset,
    };
    let mut text = String::new();
    let mut at = 0;
    let mut next_bad = first_bad;
    loop {
        let valid = bytes
            .get(at..at + next_bad)
            .and_then(|part| std::str::from_utf8(part).ok());
        text.push_str(valid.ok_or(bad(at))?);
        at += next_bad;
        let rest = &bytes[at..];
        if rest.is_empty() {
            return Ok(text);
        }
        let &[0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] = rest else {
            return Err(bad(at));
        };
        push_surrogate(
            &mut text,
            0xd000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f),
        );
        at += 3;
        next_bad = match std::str::from_utf8(&bytes[at..]) {
            Ok(valid) => valid.len(),
            Err(error) => error.valid_up_to(),
        };
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, JsonError> {
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return Err(BAD);
    };
    let mut text = String::with_capacity(bytes.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok(character) => text.push(character),
            Err(error) => push_surrogate(&mut text, u32::from(error.unpaired_surrogate())),
        }
    }
    Ok(Cow::Owned(text))
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Result<Cow<'static, str>, JsonError> {
    let (quads, []) = bytes.as_chunks::<4>() else {
        return Err(BAD);
    };
    let mut text = String::with_capacity(bytes.len() / 2);
    for quad in quads {
        match unit(*quad) {
            surrogate @ 0xd800..=0xdfff => push_surrogate(&mut text, surrogate),
            code => text.push(char::from_u32(code).ok_or(BAD)?),
        }
    }
    Ok(Cow::Owned(text))
}

fn push_surrogate(text: &mut String, surrogate: u32) {
    use std::fmt::Write;
    let _ = write!(text, "\\u{surrogate:04x}");
}
