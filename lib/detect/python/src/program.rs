//! Rules after linking: immutable, shared by all threads.

use std::collections::{HashMap, HashSet};

use hashbrown::HashTable;
use streamalert_value::key_hash;

use crate::ir::Code;
use crate::registry::{BuiltinFn, NativeClass};
use crate::types::Type;

/// The place of a constant in [`Program::consts`]. Equal ids are the same object to Python's `is`.
pub type ConstId = u32;
/// The place of a function's code in [`Program::codes`].
pub type CodeId = u32;
/// The place of a field path in [`Program::paths`].
pub type PathId = u32;
/// The place of a fallback point in [`Program::points`].
pub type PointId = u32;

/// The Python whose behaviour is meant: 3.`minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PyVersion {
    /// 8 to 13.
    pub minor: u8,
    /// Patch level; decides for `ipaddress`.
    pub patch: u8,
}

/// All rules of a project, compiled.
#[derive(Debug)]
pub struct Program {
    /// The Python meant.
    pub version: PyVersion,
    /// File names of sources.
    pub files: Vec<Box<str>>,
    /// Constants: objects of the export (same index), then literals.
    pub consts: Vec<Const>,
    /// Code of functions.
    pub codes: Vec<Code>,
    /// User classes.
    pub classes: Vec<Class>,
    /// Every field path that some rule looks at.
    pub paths: Vec<Path>,
    /// How many memo slots an event has.
    pub memos: u32,
    /// Places where a rule may leave the native engine.
    pub points: Vec<Point>,
    /// Constant lists, tuples and sets of networks, by number, in order.
    pub networks: Vec<(ConstId, crate::modules::streamalert::NetworkSet)>,
    /// The rules, in the order of the export.
    pub rules: Vec<RuleCode>,
}

/// One rule's entry points.
#[derive(Debug)]
pub struct RuleCode {
    /// Its name.
    pub name: Box<str>,
    /// A callable constant.
    pub func: ConstId,
    /// Callable constants.
    pub matchers: Box<[ConstId]>,
    /// Callable constants.
    pub dynamic_outputs: Box<[ConstId]>,
    /// The initial context.
    pub context: Option<ConstId>,
    /// Why nothing of this rule runs here: every pair goes to CPython.
    pub refused: Option<PointId>,
    /// Fallback points that the rule may reach, matchers and helpers included.
    pub points: Box<[PointId]>,
}

/// A field of the record: keys from the outside in, all `str`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// The path without the last key; `None` for a field of the record itself.
    pub parent: Option<PathId>,
    /// The last key.
    pub key: Box<str>,
    /// `key_hash` of it.
    pub hash: u32,
}

impl Path {
    /// With the hash computed.
    #[must_use]
    pub fn new(parent: Option<PathId>, key: &str) -> Self {
        Self {
            parent,
            key: key.into(),
            hash: key_hash(key.as_bytes()),
        }
    }
}

/// A place where a rule may leave the native engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Index of the file.
    pub source: u32,
    /// Line, from 1.
    pub line: u32,
    /// What is there, such as `socket.gethostname is not known to the native engine`.
    pub reason: Box<str>,
    /// How to write it instead; may be empty.
    pub advice: Box<str>,
}

/// A value known since linking. Containers are frozen: whoever changes one falls back.
#[derive(Debug)]
pub enum Const {
    /// `None`
    None,
    /// `...`
    Ellipsis,
    /// `NotImplemented`
    NotImplemented,
    /// `True`, `False`
    Bool(bool),
    /// An `int` of 64 bits.
    Int(i64),
    /// A larger `int`, laid out as [`crate::obj::Big`].
    Big(Box<[u32]>),
    /// `float`
    Float(f64),
    /// `str`
    Str(Box<str>),
    /// `bytes`
    Bytes(Box<[u8]>),
    /// `tuple`
    Tuple(ConstSeq),
    /// `list`
    List(ConstSeq),
    /// `dict`
    Dict(ConstDict),
    /// `set`
    Set(ConstSet),
    /// `frozenset`
    FrozenSet(ConstSet),
    /// A compiled regular expression.
    Regex(Box<crate::modules::re::Compiled>),
    /// A function of the user's.
    Function(ConstFunction),
    /// A bound method: function, receiver.
    Method(ConstId, ConstId),
    /// A `functools.partial`.
    Partial(Box<ConstPartial>),
    /// A function of ours.
    Builtin(&'static BuiltinFn),
    /// A built-in type or exception class, or a user's exception class.
    Type(Type),
    /// A class of one of our modules.
    NativeClass(&'static NativeClass),
    /// A class of the user's; its attributes are resolved by linking.
    Class(u32),
    /// A module of ours, by name.
    Module(Box<str>),
    /// A constant of a module that is an object of its own kind.
    Singleton(&'static (dyn crate::registry::Singleton + Sync)),
    /// A value that cannot change, made each time it is asked for by calling a class of ours: an address, a time.
    Made(Box<ConstPartial>),
    /// Not known to us.
    Unsupported(PointId),
}

/// A frozen list or tuple.
#[derive(Debug)]
pub struct ConstSeq {
    /// Its own id, for `is`.
    pub id: ConstId,
    /// The elements.
    pub items: Box<[ConstId]>,
}

/// A frozen dictionary.
#[derive(Debug)]
pub struct ConstDict {
    /// Its own id, for `is`.
    pub id: ConstId,
    /// Hash of key, key, value, in order.
    pub entries: Box<[(u64, ConstId, ConstId)]>,
    /// Indices of entries by hash.
    pub table: HashTable<u32>,
}

/// A frozen set.
#[derive(Debug)]
pub struct ConstSet {
    /// Its own id, for `is`.
    pub id: ConstId,
    /// Hash of element, element, in order of iteration.
    pub entries: Box<[(u64, ConstId)]>,
    /// Indices of entries by hash.
    pub table: HashTable<u32>,
}

/// A function of the user's that exists since loading.
#[derive(Debug)]
pub struct ConstFunction {
    /// Its own id, for `is`.
    pub id: ConstId,
    /// Its code.
    pub code: CodeId,
    /// Defaults of the last positional parameters.
    pub defaults: Box<[ConstId]>,
    /// Defaults of keyword-only parameters.
    pub kwdefaults: Box<[(Box<str>, ConstId)]>,
    /// Values of its free variables, in the order of `Code::free`.
    pub closure: Box<[ConstId]>,
}

/// See [`Const::Partial`].
#[derive(Debug)]
pub struct ConstPartial {
    /// What it calls.
    pub func: ConstId,
    /// First arguments.
    pub args: Box<[ConstId]>,
    /// Keyword arguments.
    pub kwargs: Box<[(Box<str>, ConstId)]>,
}

/// A class of the user's.
#[derive(Debug)]
pub struct Class {
    /// `__name__`.
    pub name: Box<str>,
    /// For an exception class without code of its own: the built-in class it derives from.
    pub exception: Option<crate::types::ExcKind>,
    /// User classes it derives from, nearest first.
    pub bases: Box<[u32]>,
    /// Attributes, inherited ones included: static methods are functions, class methods are bound.
    pub attrs: HashMap<Box<str>, ConstId>,
    /// What its instances have; `None` when those are not known here.
    pub instances: Option<Instances>,
}

/// What instances of a class have beside its attributes.
#[derive(Debug, Default)]
pub struct Instances {
    /// Attributes that are static methods, which are not bound.
    pub statics: HashSet<Box<str>>,
    /// Functions that compute attributes.
    pub properties: HashMap<Box<str>, ConstId>,
}
