//! Texts: JSON escapes in both directions, and `repr(str)`.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_general_category::{GeneralCategory, get_general_category};

/// The code points of the inside of a JSON text, lone surrogates included. The text must have been checked.
#[derive(Clone)]
pub(crate) struct CodePoints<'a> {
    rest: &'a str,
}

impl<'a> CodePoints<'a> {
    pub(crate) const fn of_raw(raw: &'a str) -> Self {
        Self { rest: raw }
    }

    fn hex(&self, at: usize) -> Option<u32> {
        u32::from_str_radix(self.rest.get(at..at + 4)?, 16).ok()
    }
}

impl Iterator for CodePoints<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let first = self.rest.chars().next()?;
        if first != '\\' {
            self.rest = &self.rest[first.len_utf8()..];
            return Some(u32::from(first));
        }
        let (code, used) = match self.rest.as_bytes().get(1)? {
            b'b' => (8, 2),
            b't' => (9, 2),
            b'n' => (10, 2),
            b'f' => (12, 2),
            b'r' => (13, 2),
            b'u' => {
                let unit = self.hex(2)?;
                let low = if self.rest.get(6..8) == Some("\\u") {
                    self.hex(8)
                } else {
                    None
                };
                match (unit, low) {
                    (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                        (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 12)
                    }
                    _ => (unit, 6),
                }
            }
            other => (u32::from(*other), 2),
        };
        self.rest = &self.rest[used..];
        Some(code)
    }
}

/// The text that a raw inside of a JSON text stands for; lone surrogates become U+FFFD.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    text.extend(CodePoints::of_raw(raw).map(|code| char::from_u32(code).unwrap_or('\u{fffd}')));
    Cow::Owned(text)
}

/// Appends what a raw inside stands for; lone surrogates stay visible as `\uXXXX`, so that the result may be parsed
/// as JSON again. Copies eight bytes at a time and looks for a backslash among them afterwards: embedded JSON has an
/// escape every few bytes.
pub(crate) fn unescape_into(raw: &str, out: &mut String) {
    let bytes = raw.as_bytes();
    let mut text = std::mem::take(out).into_bytes();
    let mut to = text.len();
    // No escape stands for more bytes than it takes; the last chunk may overhang.
    text.resize(to + bytes.len() + CHUNK, 0);
    let mut from = 0;
    while from < bytes.len() {
        let plain = copy_chunk(bytes, from, &mut text, to);
        from += plain;
        to += plain;
        if bytes.get(from) == Some(&b'\\') {
            let (taken, given) = unescape_one(&raw[from..], &mut text[to..]);
            from += taken;
            to += given;
        }
    }
    text.truncate(to);
    *out = String::from_utf8(text).expect("whole characters and escapes stand for whole characters");
}

const CHUNK: usize = 8;

/// Copies up to eight bytes that are not a backslash; how many there were.
#[inline(always)]
fn copy_chunk(from: &[u8], at: usize, to: &mut [u8], to_at: usize) -> usize {
    if let (Some(source), Some(target)) = (
        from[at..].first_chunk::<CHUNK>(),
        to[to_at..].first_chunk_mut::<CHUNK>(),
    ) {
        *target = *source;
        return crate::scan::first_backslash(u64::from_le_bytes(*source));
    }
    let rest = &from[at..];
    let plain = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
    to[to_at..to_at + plain].copy_from_slice(&rest[..plain]);
    plain
}

/// Writes what the escape at the beginning of `raw` stands for: bytes taken and bytes given.
#[inline(always)]
fn unescape_one(raw: &str, to: &mut [u8]) -> (usize, usize) {
    let plain = match raw.as_bytes().get(1) {
        Some(same @ (b'"' | b'\\' | b'/')) => *same,
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        _ => return unescape_any(raw, to),
    };
    to[0] = plain;
    (2, 1)
}

#[inline(never)]
fn unescape_any(raw: &str, to: &mut [u8]) -> (usize, usize) {
    let mut codes = CodePoints::of_raw(raw);
    let Some(code) = codes.next() else {
        return (raw.len(), 0);
    };
    let taken = raw.len() - codes.rest.len();
    let given = match char::from_u32(code) {
        Some(character) => character.encode_utf8(to).len(),
        None => {
            to[..taken].copy_from_slice(&raw.as_bytes()[..taken]);
            taken
        }
    };
    (taken, given)
}

/// Appends the bytes that a raw key stands for, lone surrogates as three bytes each: equal bytes, equal keys.
pub(crate) fn unescape_key(raw: &str, out: &mut Vec<u8>) {
    for code in CodePoints::of_raw(raw) {
        match char::from_u32(code) {
            Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.extend([
                0xe0 | (code >> 12) as u8,
                0x80 | (code >> 6 & 0x3f) as u8,
                0x80 | (code & 0x3f) as u8,
            ]),
        }
    }
}

/// Appends `text` as a JSON text with its quotes. Nothing outside ASCII is escaped.
pub fn write_json_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = crate::scan::text_special(bytes, from);
        out.extend_from_slice(&bytes[from..at]);
        let Some(special) = bytes.get(at) else { break };
        write_escape(u32::from(*special), out);
        from = at + 1;
    }
    out.push(b'"');
}

/// Appends one code point as a JSON escape: the short form where there is one.
pub(crate) fn write_escape(code: u32, out: &mut Vec<u8>) {
    use std::io::Write;
    let short = match code {
        0x22 => b"\\\"",
        0x5c => b"\\\\",
        0x08 => b"\\b",
        0x09 => b"\\t",
        0x0a => b"\\n",
        0x0c => b"\\f",
        0x0d => b"\\r",
        0x10000.. => {
            let bits = code - 0x10000;
            let _ = write!(
                out,
                "\\u{:04x}\\u{:04x}",
                0xd800 | bits >> 10,
                0xdc00 | bits & 0x3ff
            );
            return;
        }
        _ => {
            let _ = write!(out, "\\u{code:04x}");
            return;
        }
    };
    out.extend_from_slice(short);
}

/// Appends `repr(str)`: single quotes unless the text holds those and no double ones; whatever Python does not
/// call printable is escaped. `codes` may hold lone surrogates.
pub fn write_python_repr(codes: impl Iterator<Item = u32> + Clone, out: &mut String) {
    let holds = |wanted: char| codes.clone().any(|code| code == u32::from(wanted));
    let quote = if holds('\'') && !holds('"') { '"' } else { '\'' };
    out.push(quote);
    for code in codes {
        match char::from_u32(code) {
            Some('\\') => out.push_str("\\\\"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some(character) if character == quote => out.extend(['\\', character]),
            Some(character) if is_printable(character) => out.push(character),
            _ => {
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

fn is_printable(character: char) -> bool {
    use GeneralCategory as G;
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    !matches!(
        get_general_category(character),
        G::Control
            | G::Format
            | G::Surrogate
            | G::PrivateUse
            | G::Unassigned
            | G::LineSeparator
            | G::ParagraphSeparator
            | G::SpaceSeparator
    )
}
