//! The JSON reader: one pass, no recursion, no allocation but for the growth of the buffers.

use crate::doc::{Doc, Kind, Node};
use crate::scan::text_special;
use crate::text::unescape_key;
use crate::{JsonError, JsonErrorKind, key_hash};

/// Containers may be nested this deep. CPython gives up at its recursion limit, 1,000 less the frames of the
/// caller; rules in Python must be able to read again what we let through, so we stop a little before.
pub const DEPTH_MAX: usize = 960;

/// Longest document, in bytes: spans are 32-bit.
pub const DOCUMENT_BYTES_MAX: usize = u32::MAX as usize;

/// From this many keys on an object's keys are sorted to find one that occurs twice, instead of compared in turn.
const KEYS_COMPARED_MAX: usize = 64;

/// A container that is not closed yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    node: u32,
    /// Where its keys begin in the list of key hashes.
    keys: u32,
    is_map: bool,
}

pub(crate) fn read(doc: &mut Doc, source: &str) -> Result<(), JsonError> {
    doc.nodes.clear();
    doc.open.clear();
    doc.key_hashes.clear();
    doc.rewritten = false;
    if source.len() > DOCUMENT_BYTES_MAX {
        return Err(JsonError {
            kind: JsonErrorKind::TooLong,
            offset: 0,
        });
    }
    let mut reader = Reader {
        doc,
        source,
        bytes: source.as_bytes(),
        at: 0,
        repeated: false,
        broken: false,
    };
    reader.run()?;
    let (repeated, broken) = (reader.repeated, reader.broken);
    doc.rewritten = repeated || broken;
    if repeated {
        keep_last_of_repeated_keys(doc, source);
    }
    Ok(())
}

struct Reader<'a> {
    doc: &'a mut Doc,
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Some object seems to hold a key twice.
    repeated: bool,
    /// There is a line break between tokens.
    broken: bool,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), JsonError> {
        if self.bytes.starts_with("\u{feff}".as_bytes()) {
            return Err(self.error(JsonErrorKind::ByteOrderMark));
        }
        loop {
            if self.value()? {
                continue;
            }
            loop {
                let Some(open) = self.doc.open.last().copied() else {
                    return self.end();
                };
                match self.token() {
                    b',' => {
                        self.at += 1;
                        if open.is_map {
                            self.key(open)?;
                        }
                        break;
                    }
                    b'}' if open.is_map => self.close(open),
                    b']' if !open.is_map => self.close(open),
                    _ => return Err(self.error(JsonErrorKind::ExpectedComma)),
                }
            }
        }
    }

    /// Reads a value, or opens a container that is not empty; true when a container was opened.
    #[inline(always)]
    fn value(&mut self) -> Result<bool, JsonError> {
        match self.token() {
            b'"' => {
                let (start, end, escaped) = self.text()?;
                self.push(Kind::Text, start, end, escaped, 0);
            }
            b'{' => {
                let open = self.open(true)?;
                if self.token() == b'}' {
                    self.close(open);
                    return Ok(false);
                }
                self.key(open)?;
                return Ok(true);
            }
            b'[' => {
                let open = self.open(false)?;
                if self.token() == b']' {
                    self.close(open);
                    return Ok(false);
                }
                return Ok(true);
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true", Kind::True)?,
            b'f' => self.word("false", Kind::False)?,
            b'n' => self.word("null", Kind::Null)?,
            b'N' => self.word("NaN", Kind::NaN)?,
            b'I' => self.word("Infinity", Kind::Infinity)?,
            _ => return Err(self.error(JsonErrorKind::ExpectedValue)),
        }
        Ok(false)
    }

    fn end(&mut self) -> Result<(), JsonError> {
        self.token();
        if self.at < self.bytes.len() {
            Err(self.error(JsonErrorKind::TrailingText))
        } else {
            Ok(())
        }
    }

    /// The next byte that is not white space, without taking it; zero at the end, which no token begins with.
    #[inline(always)]
    fn token(&mut self) -> u8 {
        loop {
            let byte = self.bytes.get(self.at).copied().unwrap_or(0);
            if byte > b' ' {
                return byte;
            }
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.broken = true,
                _ => return byte,
            }
            self.at += 1;
        }
    }

    #[inline(always)]
    fn key(&mut self, open: Open) -> Result<(), JsonError> {
        if self.token() != b'"' {
            return Err(self.error(JsonErrorKind::ExpectedKey));
        }
        let (start, end, escaped) = self.text()?;
        let hash = if escaped {
            self.doc.key_bytes.clear();
            unescape_key(&self.source[start..end], &mut self.doc.key_bytes);
            key_hash(&self.doc.key_bytes)
        } else {
            key_hash(&self.bytes[start..end])
        };
        let earlier = &self.doc.key_hashes[open.keys as usize..];
        if earlier.len() <= KEYS_COMPARED_MAX {
            self.repeated |= earlier
                .iter()
                .fold(false, |found, other| found | (*other == hash));
        }
        self.doc.key_hashes.push(hash);
        self.push(Kind::Key, start, end, escaped, hash);
        if self.token() != b':' {
            return Err(self.error(JsonErrorKind::ExpectedColon));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a text from its opening quote: the span within the quotes, and whether it holds escapes.
    #[inline(always)]
    fn text(&mut self) -> Result<(usize, usize, bool), JsonError> {
        let start = self.at + 1;
        let end = text_special(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok((start, end, false));
        }
        self.text_with_escapes(start, end)
    }

    #[inline(never)]
    fn text_with_escapes(&mut self, start: usize, mut at: usize) -> Result<(usize, usize, bool), JsonError> {
        let mut escaped = false;
        loop {
            let error = |kind| Err(JsonError { kind, offset: at });
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok((start, at, escaped));
                }
                Some(b'\\') => {}
                Some(_) => return error(JsonErrorKind::ControlCharacter),
                None => {
                    return Err(JsonError {
                        kind: JsonErrorKind::UnterminatedText,
                        offset: start - 1,
                    });
                }
            }
            escaped = true;
            at += match self.bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                Some(b'u') => match self.bytes.get(at + 2..at + 6) {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => 6,
                    _ => return error(JsonErrorKind::BadEscape),
                },
                _ => return error(JsonErrorKind::BadEscape),
            };
            at = text_special(self.bytes, at);
        }
    }

    #[inline]
    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
            if self.bytes.get(self.at) == Some(&b'I') {
                self.word("Infinity", Kind::NegInfinity)?;
                if let Some(node) = self.doc.nodes.last_mut() {
                    node.start = start as u32;
                }
                return Ok(());
            }
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.error(JsonErrorKind::ExpectedValue)),
        }
        let mut kind = Kind::Int;
        if self.bytes.get(self.at) == Some(&b'.') && self.digit_at(self.at + 1) {
            kind = Kind::Float;
            self.at += 1;
            self.digits();
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            let signed = matches!(self.bytes.get(self.at + 1), Some(b'+' | b'-'));
            let first = self.at + 1 + usize::from(signed);
            if self.digit_at(first) {
                kind = Kind::Float;
                self.at = first;
                self.digits();
            }
        }
        self.push(kind, start, self.at, false, 0);
        Ok(())
    }

    #[inline]
    fn digit_at(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_digit)
    }

    #[inline]
    fn digits(&mut self) {
        while self.digit_at(self.at) {
            self.at += 1;
        }
    }

    #[inline]
    fn word(&mut self, word: &str, kind: Kind) -> Result<(), JsonError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error(JsonErrorKind::ExpectedValue));
        }
        self.push(kind, self.at, self.at + word.len(), false, 0);
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn open(&mut self, is_map: bool) -> Result<Open, JsonError> {
        if self.doc.open.len() >= DEPTH_MAX {
            return Err(self.error(JsonErrorKind::TooDeep));
        }
        let open = Open {
            node: self.doc.nodes.len() as u32,
            keys: self.doc.key_hashes.len() as u32,
            is_map,
        };
        self.push(
            if is_map { Kind::Map } else { Kind::List },
            self.at,
            self.at,
            false,
            0,
        );
        self.doc.open.push(open);
        self.at += 1;
        Ok(open)
    }

    #[inline]
    fn close(&mut self, open: Open) {
        self.at += 1;
        self.doc.open.pop();
        let held = self.doc.nodes.len() as u32 - open.node - 1;
        let node = &mut self.doc.nodes[open.node as usize];
        node.end = self.at as u32;
        node.link = held;
        let keys = &mut self.doc.key_hashes[open.keys as usize..];
        if keys.len() > KEYS_COMPARED_MAX {
            keys.sort_unstable();
            self.repeated |= keys.windows(2).any(|pair| pair[0] == pair[1]);
        }
        self.doc.key_hashes.truncate(open.keys as usize);
    }

    #[inline(always)]
    fn push(&mut self, kind: Kind, start: usize, end: usize, escaped: bool, link: u32) {
        self.doc.nodes.push(Node {
            kind,
            escaped,
            start: start as u32,
            end: end as u32,
            link,
        });
    }

    #[cold]
    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError {
            kind,
            offset: self.at,
        }
    }
}

/// Rebuilds the tape so that every object holds each key once: the last value, at the place of the first.
#[cold]
fn keep_last_of_repeated_keys(doc: &mut Doc, source: &str) {
    let nodes = std::mem::take(&mut doc.nodes);
    let mut kept = Vec::with_capacity(nodes.len());
    copy_node(&nodes, 0, source, &mut kept);
    doc.nodes = kept;
}

/// Copies one value; recursion is bounded by [`DEPTH_MAX`].
fn copy_node(nodes: &[Node], at: usize, source: &str, kept: &mut Vec<Node>) {
    let node = nodes[at];
    let place = kept.len();
    kept.push(node);
    let end = at + 1 + node.link as usize;
    match node.kind {
        Kind::List => {
            let mut item = at + 1;
            while item < end {
                copy_node(nodes, item, source, kept);
                item += extent(nodes, item);
            }
        }
        Kind::Map => {
            for (key, value) in distinct_members(nodes, at + 1, end, source) {
                kept.push(nodes[key]);
                copy_node(nodes, value, source, kept);
            }
        }
        _ => return,
    }
    kept[place].link = (kept.len() - place - 1) as u32;
}

fn distinct_members(nodes: &[Node], mut at: usize, end: usize, source: &str) -> Vec<(usize, usize)> {
    let mut members: Vec<(usize, usize)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    while at < end {
        let mut name = Vec::new();
        unescape_key(
            &source[nodes[at].start as usize..nodes[at].end as usize],
            &mut name,
        );
        let place = *places.entry(name).or_insert(members.len());
        match members.get_mut(place) {
            Some(member) => member.1 = at + 1,
            None => members.push((at, at + 1)),
        }
        at += 1 + extent(nodes, at + 1);
    }
    members
}

fn extent(nodes: &[Node], at: usize) -> usize {
    let node = nodes[at];
    if matches!(node.kind, Kind::List | Kind::Map) {
        1 + node.link as usize
    } else {
        1
    }
}
