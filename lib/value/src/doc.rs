use std::borrow::Cow;

use crate::text::{CodePoints, unescape, unescape_into, unescape_key};
use crate::{JsonError, Value};

/// What a node of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number without fraction and exponent, of any size.
    Int,
    /// A number with fraction or exponent.
    Float,
    /// `NaN`, which Python's JSON knows.
    NaN,
    /// `Infinity`.
    Infinity,
    /// `-Infinity`.
    NegInfinity,
    /// A text.
    Text,
    /// An array.
    List,
    /// An object.
    Map,
    /// The key of the member whose value is the next node.
    Key,
}

/// One entry of the tape: 16 bytes, in document order, containers before what they hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// The text holds a backslash.
    pub(crate) escaped: bool,
    /// Span within the source. Texts and keys: without their quotes. Containers: with their brackets.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Containers: how many nodes they hold, at all depths. Keys: the hash of the unescaped key.
    pub(crate) link: u32,
}

/// Buffers for reading documents; one is used again and again, so that reading allocates nothing.
#[derive(Debug, Default)]
pub struct Doc {
    pub(crate) nodes: Vec<Node>,
    pub(crate) open: Vec<crate::read::Open>,
    pub(crate) key_hashes: Vec<u32>,
    pub(crate) key_bytes: Vec<u8>,
    /// Some object held a key twice, or there is a line break between tokens: spans of containers are not what
    /// is to be written for them.
    pub(crate) rewritten: bool,
}

impl Doc {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one JSON text as `json.loads` does. Of a key that an object holds twice the last value counts, at the
    /// place of the first. Nothing of an earlier document remains.
    ///
    /// # Errors
    /// [`JsonError`] when the text is not one JSON value.
    pub fn parse<'a>(&'a mut self, source: &'a str) -> Result<Tree<'a>, JsonError> {
        crate::read::read(self, source)?;
        Ok(self.tree(source))
    }

    /// The document read last, which must have been read from this `source`.
    #[must_use]
    pub fn tree<'a>(&'a self, source: &'a str) -> Tree<'a> {
        Tree {
            nodes: &self.nodes,
            source,
            rewritten: self.rewritten,
        }
    }

    /// Bytes that the buffers hold on to.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.key_hashes.capacity() * size_of::<u32>()
            + self.key_bytes.capacity()
    }

    /// Gives memory back when an unusually large document has blown up the buffers.
    pub fn shrink_to(&mut self, bytes_max: usize) {
        if self.capacity_bytes() > bytes_max {
            *self = Self::default();
        }
    }
}

/// A document that was read: nodes and the text that they point into.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) source: &'a str,
    rewritten: bool,
}

impl<'a> Tree<'a> {
    /// The outermost value.
    #[must_use]
    pub fn root(self) -> NodeRef<'a> {
        NodeRef { tree: self, at: 0 }
    }

    /// The node with this index, as answered by [`NodeRef::index`].
    #[must_use]
    pub fn node(self, index: u32) -> NodeRef<'a> {
        NodeRef {
            tree: self,
            at: index,
        }
    }

    /// The text that was read.
    #[must_use]
    pub fn source(self) -> &'a str {
        self.source
    }

    /// Whether the span of any value, containers included, may be copied as it stands: no line breaks between
    /// tokens and no key twice in an object.
    #[must_use]
    pub fn is_verbatim(self) -> bool {
        !self.rewritten
    }
}

/// One value of a document.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    tree: Tree<'a>,
    at: u32,
}

impl<'a> NodeRef<'a> {
    #[inline]
    fn node(self) -> Node {
        self.tree.nodes[self.at as usize]
    }

    /// What it is.
    #[inline]
    #[must_use]
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Its index within the document.
    #[must_use]
    pub fn index(self) -> u32 {
        self.at
    }

    /// The document it belongs to.
    #[must_use]
    pub fn tree(self) -> Tree<'a> {
        self.tree
    }

    /// Where its source text begins and ends, quotes and brackets included.
    #[inline]
    #[must_use]
    pub fn span(self) -> std::ops::Range<usize> {
        let node = self.node();
        let (start, end) = (node.start as usize, node.end as usize);
        if matches!(node.kind, Kind::Text | Kind::Key) {
            start - 1..end + 1
        } else {
            start..end
        }
    }

    /// Its source text, quotes and brackets included.
    #[must_use]
    pub fn raw(self) -> &'a str {
        &self.tree.source[self.span()]
    }

    /// The inside of a text or key as it is written, escapes and all; the whole of anything else.
    #[must_use]
    pub fn raw_inside(self) -> &'a str {
        let node = self.node();
        &self.tree.source[node.start as usize..node.end as usize]
    }

    /// Whether a text or key holds escapes.
    #[must_use]
    pub fn is_escaped(self) -> bool {
        self.node().escaped
    }

    /// The text, unescaped; `None` when it is no text. Lone surrogates become U+FFFD.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        match self.node() {
            Node {
                kind: Kind::Text | Kind::Key,
                escaped: false,
                ..
            } => Some(Cow::Borrowed(self.raw_inside())),
            Node {
                kind: Kind::Text | Kind::Key,
                ..
            } => Some(unescape(self.raw_inside())),
            _ => None,
        }
    }

    /// The text, unescaped to be parsed as JSON again: lone surrogates stay escapes. `None` when it is no text.
    #[must_use]
    pub fn as_json_source(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        match node.kind {
            Kind::Text if !node.escaped => Some(Cow::Borrowed(self.raw_inside())),
            Kind::Text => {
                let mut text = String::new();
                unescape_into(self.raw_inside(), &mut text);
                Some(Cow::Owned(text))
            }
            _ => None,
        }
    }

    /// Appends [`as_json_source`](Self::as_json_source); nothing when it is no text.
    pub fn write_json_source(self, out: &mut String) {
        if self.kind() == Kind::Text {
            unescape_into(self.raw_inside(), out);
        }
    }

    /// Appends the text or key, unescaped, in UTF-8; lone surrogates as three bytes each, which Python calls
    /// `surrogatepass`. Nothing when it is neither.
    pub fn write_surrogate_utf8(self, out: &mut Vec<u8>) {
        match self.node() {
            Node {
                kind: Kind::Text | Kind::Key,
                escaped: false,
                ..
            } => out.extend_from_slice(self.raw_inside().as_bytes()),
            Node {
                kind: Kind::Text | Kind::Key,
                ..
            } => unescape_key(self.raw_inside(), out),
            _ => {}
        }
    }

    /// The code points of a text, lone surrogates included; empty when it is no text.
    pub(crate) fn code_points(self) -> CodePoints<'a> {
        match self.kind() {
            Kind::Text | Kind::Key => CodePoints::of_raw(self.raw_inside()),
            _ => CodePoints::of_raw(""),
        }
    }

    /// The number as a float, correctly rounded; `None` when it is no number. Infinite when out of range.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        match self.kind() {
            Kind::Int | Kind::Float => self.raw().parse().ok(),
            Kind::NaN => Some(f64::NAN),
            Kind::Infinity => Some(f64::INFINITY),
            Kind::NegInfinity => Some(f64::NEG_INFINITY),
            _ => None,
        }
    }

    /// The integer when it fits; `None` for larger ones and anything else.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        if self.kind() == Kind::Int {
            self.raw().parse().ok()
        } else {
            None
        }
    }

    /// `bool(value)` of Python: false for null, false, zeros, and empty texts, lists and objects.
    #[inline]
    #[must_use]
    pub fn is_truthy(self) -> bool {
        let node = self.node();
        match node.kind {
            Kind::Null | Kind::False => false,
            Kind::True | Kind::NaN | Kind::Infinity | Kind::NegInfinity => true,
            Kind::Text | Kind::Key => node.end > node.start,
            Kind::List | Kind::Map => node.link > 0,
            Kind::Int => !matches!(self.raw(), "0" | "-0"),
            Kind::Float => self.as_f64() != Some(0.0),
        }
    }

    /// How many nodes it and all that it holds take.
    #[inline]
    fn extent(self) -> u32 {
        let node = self.node();
        if matches!(node.kind, Kind::List | Kind::Map) {
            node.link + 1
        } else {
            1
        }
    }

    /// The members of an object in order; none when it is no object.
    #[inline]
    #[must_use]
    pub fn members(self) -> Members<'a> {
        let held = if self.kind() == Kind::Map {
            self.node().link
        } else {
            0
        };
        Members {
            tree: self.tree,
            at: self.at + 1,
            end: self.at + 1 + held,
        }
    }

    /// The elements of a list in order; none when it is no list.
    #[inline]
    #[must_use]
    pub fn items(self) -> Items<'a> {
        let held = if self.kind() == Kind::List {
            self.node().link
        } else {
            0
        };
        Items {
            tree: self.tree,
            at: self.at + 1,
            end: self.at + 1 + held,
        }
    }

    /// The value under `key`; `None` when it is no object or lacks the key.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        self.get_hashed(crate::key_hash(key.as_bytes()), key)
    }

    /// As [`get`](Self::get), with the key's hash at hand.
    #[inline]
    #[must_use]
    pub fn get_hashed(self, hash: u32, key: &str) -> Option<Self> {
        self.members()
            .find(|(name, _)| name.hash() == hash && name.is_key(key))
            .map(|(_, value)| value)
    }

    /// The hash of a key; meaningless for anything else.
    #[inline]
    #[must_use]
    pub fn hash(self) -> u32 {
        self.node().link
    }

    /// Whether this key, or text, is `text`.
    #[inline]
    #[must_use]
    pub fn is_key(self, text: &str) -> bool {
        if self.node().escaped {
            let mut bytes = Vec::new();
            unescape_key(self.raw_inside(), &mut bytes);
            return bytes == text.as_bytes();
        }
        self.raw_inside() == text
    }

    /// The owned form.
    #[must_use]
    pub fn to_value(self) -> Value {
        crate::value::value_of(self)
    }
}

/// The members of an object: key and value.
#[derive(Clone)]
pub struct Members<'a> {
    tree: Tree<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Members<'a> {
    type Item = (NodeRef<'a>, NodeRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = NodeRef {
            tree: self.tree,
            at: self.at,
        };
        let value = NodeRef {
            tree: self.tree,
            at: self.at + 1,
        };
        self.at += 1 + value.extent();
        Some((key, value))
    }
}

/// The elements of a list.
#[derive(Clone)]
pub struct Items<'a> {
    tree: Tree<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = NodeRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let item = NodeRef {
            tree: self.tree,
            at: self.at,
        };
        self.at += item.extent();
        Some(item)
    }
}
