use indexmap::IndexMap;

/// An insertion-ordered dictionary with text keys, like a `dict` made by `json.loads`.
pub type Map = IndexMap<String, Value>;

/// One owned JSON value as CPython's `json` module would see it.
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
