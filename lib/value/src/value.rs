use indexmap::IndexMap;

use crate::number::integer_value;
use crate::{Doc, JsonError, JsonStyle, Kind, NodeRef, decode_json_bytes};

/// An insertion-ordered dictionary with text keys, like a `dict` made by `json.loads`.
pub type Map = IndexMap<String, Value>;

/// One owned JSON value as CPython's `json` module would see it.
///
/// There is no `PartialEq` on purpose: Python's equality ([`Value::python_eq`]) and equality of type and value
/// ([`Value::same`]) differ, and which one is meant must show.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// `None`.
    #[default]
    Null,
    /// `True` or `False`.
    Bool(bool),
    /// An `int` that fits 64 bits.
    Int(i64),
    /// An `int` outside the 64-bit range, as canonical decimal text (optional `-`, no leading zeros).
    BigInt(Box<str>),
    /// A `float`, NaN and infinities included.
    Float(f64),
    /// A `str`. A lone surrogate, which Rust text cannot hold, is replaced by U+FFFD.
    Str(String),
    /// A `list`.
    List(Vec<Value>),
    /// A `dict`.
    Map(Map),
}

impl Value {
    /// Reads one JSON text as `json.loads(bytes)` does: encodings, NaN, duplicate keys and all.
    ///
    /// # Errors
    /// [`JsonError`] when the bytes are not one JSON value.
    pub fn parse_json(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = decode_json_bytes(bytes)?;
        Ok(Doc::new().parse(&text)?.root().to_value())
    }

    /// Compact JSON, keys in order, nothing outside ASCII escaped; NaN and infinities as Python writes them.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8(out).expect("the writer emits whole characters only")
    }

    /// Appends [`to_json`](Self::to_json).
    pub fn write_json(&self, out: &mut Vec<u8>) {
        JsonStyle::COMPACT.write(self, out);
    }

    /// The text of a `str`.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The dictionary of a `dict`.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self {
            Some(map)
        } else {
            None
        }
    }

    /// The dictionary of a `dict`, to be changed.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        if let Self::Map(map) = self {
            Some(map)
        } else {
            None
        }
    }

    /// The elements of a `list`.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// An `int` that fits; not a `bool`.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Int(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// A `bool`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self {
            Some(*flag)
        } else {
            None
        }
    }

    /// A `float`, or an `int` as one; not a `bool`.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(float) => Some(*float),
            Self::Int(number) => Some(*number as f64),
            Self::BigInt(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// Whether it is `None`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value under `key`; `None` when it is no `dict` or lacks the key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The name of its Python type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::BigInt(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Map(_) => "dict",
        }
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

/// The owned form of a node. Recursion is bounded by [`crate::DEPTH_MAX`].
pub(crate) fn value_of(node: NodeRef<'_>) -> Value {
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::True => Value::Bool(true),
        Kind::False => Value::Bool(false),
        Kind::Int if node.raw() == "-0" => Value::Int(0),
        Kind::Int => integer_value(node.raw()),
        Kind::Float | Kind::NaN | Kind::Infinity | Kind::NegInfinity => {
            Value::Float(node.as_f64().unwrap_or(f64::NAN))
        }
        Kind::Text | Kind::Key => Value::Str(node.as_str().unwrap_or_default().into_owned()),
        Kind::List => Value::List(node.items().map(value_of).collect()),
        Kind::Map => Value::Map(node.members().map(member_of).collect()),
    }
}

fn member_of((key, value): (NodeRef<'_>, NodeRef<'_>)) -> (String, Value) {
    (key.as_str().unwrap_or_default().into_owned(), value_of(value))
}
