//! Records as CPython's `marshal` module reads them: several times faster than its `json`, and one pass for a whole
//! group of records, in which a key is one object however often it occurs.
//!
//! The format is version 4 of CPython's `Python/marshal.c`, the same from CPython 3.4 to 3.13. Used of it: `N` `T` `F`;
//! `i` (32-bit integer), `l` (integer as base 2^15 digits), `g` (float as eight bytes), `z` and `a` (ASCII text with a
//! length of one and of four bytes), `u` (UTF-8 with surrogates), `[` (count, items), `{` (key, value, …, `0`), and for
//! keys the flag 0x80, which numbers an object, with `r`, which refers to it. All numbers are little endian.

use std::mem::take;

use streamalert_value::{Doc, Items, Kind, Members, NodeRef};

const FLAG_REF: u8 = 0x80;

/// `json.loads` refuses integers of more digits, since it would take quadratic time to read them.
const INT_DIGITS_MAX: usize = 4300;

/// Longer records are not sent: a worker could not hold them, and lengths in the format are signed 32-bit.
const RECORD_BYTES_MAX: usize = 256 << 20;

/// Memory for reading that is kept from one group to the next.
const DOC_BYTES_MAX: usize = 4 << 20;

/// Places for keys that occurred in the group, a power of two. A key that finds its place taken takes it over, so that
/// endless different keys cost neither time nor memory.
const KEYS_MAX: usize = 1024;

/// A group of records that a worker reads with one `marshal.loads`: a list of dictionaries, and `None` where a record is
/// not one JSON object.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) count: usize,
    pub(crate) data: Vec<u8>,
}

/// Where a key was written first.
#[derive(Clone, Copy, Default)]
struct KeyPlace {
    /// Which group it was in; from 1.
    group: u32,
    hash: u32,
    start: u32,
    len: u32,
    number: u32,
}

/// Writes groups.
pub(crate) struct GroupWriter {
    doc: Doc,
    keys: Vec<KeyPlace>,
    group: u32,
    /// Keys that were numbered in this group.
    numbered: u32,
    count: usize,
    out: Vec<u8>,
    escaped: Vec<u8>,
}

/// A container that is being written.
enum Open<'a> {
    Map(Members<'a>),
    List(Items<'a>),
}

impl GroupWriter {
    pub(crate) fn new() -> Self {
        let mut writer = Self {
            doc: Doc::new(),
            keys: vec![KeyPlace::default(); KEYS_MAX],
            group: 0,
            numbered: 0,
            count: 0,
            out: Vec::new(),
            escaped: Vec::new(),
        };
        writer.begin();
        writer
    }

    fn begin(&mut self) {
        self.group += 1;
        self.numbered = 0;
        self.count = 0;
        // The count follows when it is known.
        self.out.extend_from_slice(b"[\0\0\0\0");
    }

    /// Records in the group that is being written.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Adds a record that is not sent.
    pub(crate) fn add_nothing(&mut self) {
        self.count += 1;
        self.out.push(b'N');
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, json: &[u8]) {
        let (start, numbered) = (self.out.len(), self.numbered);
        if self.try_add(json).is_some() {
            self.count += 1;
        } else {
            self.out.truncate(start);
            // Numbers given meanwhile are given again, and what was written under them is gone.
            if self.numbered != numbered {
                self.numbered = numbered;
                for place in &mut self.keys {
                    if place.number >= numbered {
                        place.group = 0;
                    }
                }
            }
            self.add_nothing();
        }
    }

    /// The group, complete.
    pub(crate) fn finish(&mut self) -> Group {
        let mut data = take(&mut self.out);
        let count = u32::try_from(self.count).expect("a slice has fewer records than that");
        data[1..5].copy_from_slice(&count.to_le_bytes());
        let group = Group {
            count: self.count,
            data,
        };
        self.doc.shrink_to(DOC_BYTES_MAX);
        self.begin();
        group
    }

    fn try_add(&mut self, json: &[u8]) -> Option<()> {
        if json.len() > RECORD_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(json).ok()?;
        let mut doc = take(&mut self.doc);
        let written = doc
            .parse(text)
            .ok()
            .filter(|tree| tree.root().kind() == Kind::Map)
            .and_then(|tree| self.tree(tree.root()));
        self.doc = doc;
        written
    }

    /// Writes a value and all that it holds, without recursion.
    fn tree(&mut self, root: NodeRef<'_>) -> Option<()> {
        let mut open = Vec::with_capacity(8);
        open.extend(self.value(root)?);
        while let Some(innermost) = open.last_mut() {
            let value = match innermost {
                Open::Map(members) => match members.next() {
                    Some((key, value)) => {
                        self.key(key);
                        value
                    }
                    None => {
                        self.out.push(b'0');
                        open.pop();
                        continue;
                    }
                },
                Open::List(items) => {
                    let Some(item) = items.next() else {
                        open.pop();
                        continue;
                    };
                    item
                }
            };
            open.extend(self.value(value)?);
        }
        Some(())
    }

    /// Writes a value, or the beginning of a container; `None` when Python would refuse it.
    fn value<'a>(&mut self, node: NodeRef<'a>) -> Option<Option<Open<'a>>> {
        let out = &mut self.out;
        match node.kind() {
            Kind::Null => out.push(b'N'),
            Kind::True => out.push(b'T'),
            Kind::False => out.push(b'F'),
            Kind::Int => integer(node, out)?,
            Kind::Float | Kind::NaN | Kind::Infinity | Kind::NegInfinity => {
                out.push(b'g');
                out.extend_from_slice(&node.as_f64()?.to_le_bytes());
            }
            Kind::Text | Kind::Key => self.text(node),
            Kind::List => {
                out.push(b'[');
                let count = node.items().count();
                out.extend_from_slice(&u32::try_from(count).ok()?.to_le_bytes());
                return Some(Some(Open::List(node.items())));
            }
            Kind::Map => {
                out.push(b'{');
                return Some(Some(Open::Map(node.members())));
            }
        }
        Some(None)
    }

    fn text(&mut self, node: NodeRef<'_>) {
        if node.is_escaped() {
            self.escaped.clear();
            node.write_surrogate_utf8(&mut self.escaped);
            text(&self.escaped, 0, &mut self.out);
        } else {
            text(node.raw_inside().as_bytes(), 0, &mut self.out);
        }
    }

    /// Writes a key, or a reference to where the group has it already.
    fn key(&mut self, node: NodeRef<'_>) {
        let escaped = node.is_escaped();
        if escaped {
            self.escaped.clear();
            node.write_surrogate_utf8(&mut self.escaped);
        }
        let key = if escaped {
            &self.escaped
        } else {
            node.raw_inside().as_bytes()
        };
        let hash = node.hash();
        let place = &mut self.keys[hash as usize % KEYS_MAX];
        if place.group == self.group && place.hash == hash {
            let start = place.start as usize;
            if self.out.get(start..start + place.len as usize) == Some(key) {
                self.out.push(b'r');
                self.out.extend_from_slice(&place.number.to_le_bytes());
                return;
            }
        }
        text(key, FLAG_REF, &mut self.out);
        let number = self.numbered;
        self.numbered += 1;
        if let (Ok(start), Ok(len)) = (
            u32::try_from(self.out.len() - key.len()),
            u32::try_from(key.len()),
        ) {
            *place = KeyPlace {
                group: self.group,
                hash,
                start,
                len,
                number,
            };
        }
    }
}

/// Writes UTF-8, in which surrogates may stand.
fn text(bytes: &[u8], flag: u8, out: &mut Vec<u8>) {
    let ascii = bytes.is_ascii();
    match u8::try_from(bytes.len()) {
        Ok(length) if ascii => out.extend([b'z' | flag, length]),
        _ => {
            out.push(if ascii { b'a' } else { b'u' } | flag);
            let length = u32::try_from(bytes.len()).expect("a record is shorter than RECORD_BYTES_MAX");
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

fn integer(node: NodeRef<'_>, out: &mut Vec<u8>) -> Option<()> {
    let small = node.as_i64();
    if let Some(small) = small.and_then(|small| i32::try_from(small).ok()) {
        out.push(b'i');
        out.extend_from_slice(&small.to_le_bytes());
        return Some(());
    }
    let raw = node.raw();
    let (negative, digits) = match raw.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, raw),
    };
    if digits.len() > INT_DIGITS_MAX {
        return None;
    }
    let limbs = limbs(digits);
    let mut count = limbs.len() * 2;
    // The first digit must not be zero.
    if limbs.last().is_some_and(|top| top >> 15 == 0) {
        count -= 1;
    }
    let signed = i32::try_from(count).ok()?;
    out.push(b'l');
    out.extend_from_slice(&(if negative { -signed } else { signed }).to_le_bytes());
    let halves = limbs.iter().flat_map(|limb| [limb & 0x7fff, limb >> 15]);
    for half in halves.take(count) {
        out.extend_from_slice(&(half as u16).to_le_bytes());
    }
    Some(())
}

/// The number that these decimal digits are, in base 2^30, lowest first and without zeros at the top.
fn limbs(digits: &str) -> Vec<u32> {
    let mut limbs: Vec<u32> = Vec::new();
    let mut rest = digits.as_bytes();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at((rest.len() - 1) % 9 + 1);
        rest = after;
        let mut carry = chunk
            .iter()
            .fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
        for limb in &mut limbs {
            let product = u64::from(*limb) * 1_000_000_000 + carry;
            *limb = (product & 0x3fff_ffff) as u32;
            carry = product >> 30;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    limbs
}

#[cfg(test)]
mod tests;
