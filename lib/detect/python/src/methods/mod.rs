//! Methods of built-in types.

pub mod arity;
pub mod bytes;
pub mod counter;
pub mod dict;
pub mod list;
pub mod number;
mod ordered;
pub(crate) mod range;
pub mod set;
pub mod sort;
pub mod str;
pub mod tuple;

use std::fmt;

use crate::obj::Obj;
use crate::registry::MethodFn;

/// Built-in types with methods, as an index into [`MethodSite::table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodKind {
    /// `str`
    Str,
    /// `bytes`
    Bytes,
    /// `int`, `bool`
    Int,
    /// `float`
    Float,
    /// `list`
    List,
    /// `tuple`
    Tuple,
    /// `dict` and its subclasses; the method looks at the kind.
    Dict,
    /// `set`, `frozenset`
    Set,
}

const KINDS: usize = 8;

/// A method name at one place of a rule, looked up for every built-in type when compiling.
pub struct MethodSite {
    /// The name.
    pub name: Box<str>,
    /// Its code by [`MethodKind`]; `None` where the type has no such method.
    pub table: [Option<MethodFn>; KINDS],
}

impl fmt::Debug for MethodSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{}", self.name)
    }
}

impl MethodSite {
    /// Looks `name` up.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            table: [
                lookup(MethodKind::Str, name),
                lookup(MethodKind::Bytes, name),
                lookup(MethodKind::Int, name),
                lookup(MethodKind::Float, name),
                lookup(MethodKind::List, name),
                lookup(MethodKind::Tuple, name),
                lookup(MethodKind::Dict, name),
                lookup(MethodKind::Set, name),
            ],
        }
    }
}

/// The method of a type.
#[must_use]
pub fn lookup(kind: MethodKind, name: &str) -> Option<MethodFn> {
    match kind {
        MethodKind::Str => str::lookup(name),
        MethodKind::Bytes => bytes::lookup(name),
        MethodKind::Int => number::int(name),
        MethodKind::Float => number::float(name),
        MethodKind::List => list::lookup(name),
        MethodKind::Tuple => tuple::lookup(name),
        MethodKind::Dict => dict::lookup(name),
        MethodKind::Set => set::lookup(name),
    }
}

/// The kind of a value; `None` when its methods are found otherwise.
#[inline]
#[must_use]
pub fn kind(value: Obj<'_>) -> Option<MethodKind> {
    Some(match value {
        Obj::Str(_) => MethodKind::Str,
        Obj::Bytes(_) => MethodKind::Bytes,
        Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) => MethodKind::Int,
        Obj::Float(_) => MethodKind::Float,
        Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) => MethodKind::List,
        Obj::Tuple(_) | Obj::ConstTuple(_) => MethodKind::Tuple,
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => MethodKind::Dict,
        Obj::Set(_) | Obj::ConstSet(_) | Obj::ConstFrozenSet(_) => MethodKind::Set,
        _ => return None,
    })
}
