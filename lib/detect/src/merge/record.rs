//! What records have in common and how each differs, on parsed documents: no value is copied, parts of the
//! records' own text are written.

use streamalert_value::{Kind, NodeRef, key_hash};

/// Keys that are left out at every level of dictionaries, but not inside lists.
#[derive(Debug)]
pub(super) struct Ignored<'k>(Vec<(u32, &'k str)>);

impl<'k> Ignored<'k> {
    pub(super) fn new(keys: &'k [String]) -> Self {
        Self(
            keys.iter()
                .map(|key| (key_hash(key.as_bytes()), key.as_str()))
                .collect(),
        )
    }

    fn members<'a>(&self, node: NodeRef<'a>) -> impl Iterator<Item = (NodeRef<'a>, NodeRef<'a>)> {
        node.members().filter(|(key, _)| {
            !self
                .0
                .iter()
                .any(|(hash, name)| key.hash() == *hash && key.is_key(name))
        })
    }
}

/// A value that records have in common.
pub(super) enum Common<'a> {
    /// All of it.
    Whole(NodeRef<'a>),
    /// These members of dictionaries that differ otherwise.
    Part(Vec<(NodeRef<'a>, Self)>),
}

/// A [`Common`] without owning it.
#[derive(Clone, Copy)]
enum Shared<'a, 'c> {
    Whole(NodeRef<'a>),
    Part(&'c [(NodeRef<'a>, Common<'a>)]),
}

/// The greatest common subset of dictionaries, in the key order and with the values of the first: what is equal
/// in all of them, and of dictionaries that differ the part that does not, unless empty. StreamAlert's
/// `_compute_common`.
pub(super) fn common_of<'a>(records: &[NodeRef<'a>], ignored: &Ignored<'_>) -> Common<'a> {
    let Some((first, others)) = records.split_first() else {
        return Common::Part(Vec::new());
    };
    let mut common = Vec::new();
    for (key, value) in ignored.members(*first) {
        let Some(name) = key.as_str() else { continue };
        let member = |record: &NodeRef<'a>| record.get_hashed(key.hash(), &name);
        let is_equal = |other: NodeRef<'a>| equal(other, value, ignored);
        if others.iter().all(|record| member(record).is_some_and(is_equal)) {
            common.push((key, Common::Whole(value)));
        } else if value.kind() == Kind::Map {
            let dictionary = |record| member(record).filter(|other| other.kind() == Kind::Map);
            let nested: Option<Vec<NodeRef<'a>>> = records.iter().map(dictionary).collect();
            match nested.map(|nested| common_of(&nested, ignored)) {
                Some(Common::Part(part)) if part.is_empty() => {}
                Some(part) => common.push((key, part)),
                None => {}
            }
        }
    }
    Common::Part(common)
}

impl<'a> Common<'a> {
    /// Writes it as JSON.
    pub(super) fn write(&self, ignored: &Ignored<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Whole(node) => write_cleaned(*node, ignored, out),
            Self::Part(part) => {
                let mut members = Members::begin(out);
                for (key, value) in part {
                    members.key(*key);
                    value.write(ignored, members.out);
                }
                members.end();
            }
        }
    }

    /// Writes what of `record` is not in it. A dictionary that is partly common shows the other part, unless
    /// empty. StreamAlert's `_compute_diff`.
    pub(super) fn write_difference(&self, record: NodeRef<'a>, ignored: &Ignored<'_>, out: &mut Vec<u8>) {
        if let Self::Whole(node) = self
            && node.raw() == record.raw()
            && !record.raw().contains("NaN")
        {
            // Nothing but NaN differs from itself.
            return out.extend_from_slice(b"{}");
        }
        self.shared().write_difference(record, ignored, out);
    }

    fn shared(&self) -> Shared<'a, '_> {
        match self {
            Self::Whole(node) => Shared::Whole(*node),
            Self::Part(part) => Shared::Part(part),
        }
    }
}

impl<'a> Shared<'a, '_> {
    fn get(self, key: NodeRef<'a>) -> Option<Self> {
        let name = key.as_str()?;
        match self {
            Self::Whole(node) => node.get_hashed(key.hash(), &name).map(Self::Whole),
            Self::Part(part) => {
                let is_it = |other: &NodeRef<'a>| other.hash() == key.hash() && other.is_key(&name);
                part.iter()
                    .find(|(other, _)| is_it(other))
                    .map(|(_, common)| common.shared())
            }
        }
    }

    /// Answers whether there was any difference.
    fn write_difference(self, record: NodeRef<'a>, ignored: &Ignored<'_>, out: &mut Vec<u8>) -> bool {
        let mut members = Members::begin(out);
        for (key, value) in ignored.members(record) {
            match self.get(key) {
                Some(Self::Whole(node)) if equal(value, node, ignored) => {}
                Some(shared) if value.kind() == Kind::Map && shared.is_dictionary() => {
                    let (before, first) = (members.out.len(), members.first);
                    members.key(key);
                    if !shared.write_difference(value, ignored, members.out) {
                        members.out.truncate(before);
                        members.first = first;
                    }
                }
                _ => {
                    members.key(key);
                    write_cleaned(value, ignored, members.out);
                }
            }
        }
        members.end()
    }

    fn is_dictionary(self) -> bool {
        match self {
            Self::Whole(node) => node.kind() == Kind::Map,
            Self::Part(_) => true,
        }
    }
}

/// Writes a value without the ignored keys. StreamAlert's `_clean_record`.
pub(super) fn write_cleaned(node: NodeRef<'_>, ignored: &Ignored<'_>, out: &mut Vec<u8>) {
    if node.kind() != Kind::Map {
        return node.write_json(out);
    }
    let mut members = Members::begin(out);
    for (key, value) in ignored.members(node) {
        members.key(key);
        write_cleaned(value, ignored, members.out);
    }
    members.end();
}

/// The members of an object being written.
struct Members<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Members<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn key(&mut self, key: NodeRef<'_>) {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(key.raw().as_bytes());
        self.out.push(b':');
    }

    /// Answers whether there were any.
    fn end(self) -> bool {
        self.out.push(b'}');
        !self.first
    }
}

/// Python's `==` on two values that `json.loads` made, the ignored keys left out. NaN differs from itself, but
/// not inside a list or dictionary: CPython's `json` hands out one NaN object, and containers compare their items
/// by identity first.
fn equal(a: NodeRef<'_>, b: NodeRef<'_>, ignored: &Ignored<'_>) -> bool {
    a.kind() != Kind::NaN && same(a, b, Some(ignored))
}

fn same(a: NodeRef<'_>, b: NodeRef<'_>, ignored: Option<&Ignored<'_>>) -> bool {
    if a.raw() == b.raw() {
        return true;
    }
    match (a.kind(), b.kind()) {
        (Kind::Text, Kind::Text) => (a.is_escaped() || b.is_escaped()) && a.as_str() == b.as_str(),
        (Kind::List, Kind::List) => {
            let (mut one, mut other) = (a.items(), b.items());
            loop {
                match (one.next(), other.next()) {
                    (Some(a), Some(b)) if same(a, b, None) => {}
                    (None, None) => return true,
                    _ => return false,
                }
            }
        }
        (Kind::Map, Kind::Map) => {
            let none = Ignored(Vec::new());
            let left_out = ignored.unwrap_or(&none);
            let mut count = 0;
            let all = left_out.members(a).all(|(key, value)| {
                count += 1;
                let name = key.as_str().unwrap_or_default();
                b.get_hashed(key.hash(), &name)
                    .is_some_and(|other| same(value, other, ignored))
            });
            all && left_out.members(b).count() == count
        }
        (Kind::Null | Kind::Text | Kind::List | Kind::Map, _)
        | (_, Kind::Null | Kind::Text | Kind::List | Kind::Map) => false,
        // Numbers and booleans: 1 == 1.0 == True.
        _ => a.to_value().python_eq(&b.to_value()),
    }
}
