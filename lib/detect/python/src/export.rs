//! What the loader found in the user's files: the linked objects that the rules consist of, as a graph. Two loaders
//! write it, one that runs CPython and one that runs the files' module level here; the format is specified with the
//! former (`streamalert-python`, module `export`).

use std::collections::BTreeMap;

use serde::Deserialize;

/// The place of an object in [`Export::objects`].
pub type ObjectId = u32;

/// Everything that the rules of a project consist of.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Export {
    /// Format version; this crate reads 1.
    pub version: u32,
    /// The Python whose behaviour is meant: major, minor, patch.
    pub python: (u8, u8, u8),
    /// The files that functions are in.
    pub sources: Vec<Source>,
    /// All objects; they refer to each other by index and may form cycles.
    pub objects: Vec<Object>,
    /// The rules, in order of definition.
    pub rules: Vec<ExportedRule>,
}

/// One Python file.
#[derive(Debug, Clone, Deserialize)]
pub struct Source {
    /// Path, relative to the rule repository where it lies inside.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// One rule: which objects it consists of. Its options are in `RuleInfo`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ExportedRule {
    /// Its name.
    pub name: String,
    /// The decorated function.
    pub func: ObjectId,
    /// Matcher callables.
    #[serde(default)]
    pub matchers: Vec<ObjectId>,
    /// Callables that add outputs per record.
    #[serde(default)]
    pub dynamic_outputs: Vec<ObjectId>,
    /// The initial context; `None` when the rule takes none.
    #[serde(default)]
    pub context: Option<ObjectId>,
}

/// One Python object.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Object {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool {
        /// Which.
        v: bool,
    },
    /// An `int`, as decimal text.
    Int {
        /// The digits, with a sign when negative.
        v: String,
    },
    /// A `float`, as its `repr`.
    Float {
        /// `nan`, `inf`, `-inf` or digits.
        v: String,
    },
    /// A `str`.
    Str {
        /// Its text.
        v: String,
    },
    /// `bytes`.
    Bytes {
        /// Base64.
        v: String,
    },
    /// A `list`.
    List {
        /// The elements.
        v: Vec<ObjectId>,
    },
    /// A `tuple`.
    Tuple {
        /// The elements.
        v: Vec<ObjectId>,
    },
    /// A `set`, in order of iteration.
    Set {
        /// The elements.
        v: Vec<ObjectId>,
    },
    /// A `frozenset`, in order of iteration.
    Frozenset {
        /// The elements.
        v: Vec<ObjectId>,
    },
    /// A `dict`.
    Dict {
        /// Keys and values.
        v: Vec<(ObjectId, ObjectId)>,
    },
    /// A compiled regular expression.
    Regex {
        /// A `str` object.
        pattern: ObjectId,
        /// `re` flags.
        flags: u32,
    },
    /// A module.
    Module {
        /// Its full name.
        name: String,
        /// For a module of the user's: those attributes that some function mentions.
        #[serde(default)]
        attrs: BTreeMap<String, ObjectId>,
    },
    /// A function, class or instance that the standard library or our `streamalert` package knows by this name.
    Builtin {
        /// Module.
        module: String,
        /// Qualified name within it.
        name: String,
    },
    /// A function with source.
    Function {
        /// Index into [`Export::sources`].
        source: u32,
        /// `co_firstlineno`: the first decorator's line when decorated.
        line: u32,
        /// `__name__`; `<lambda>` for a lambda.
        name: String,
        /// `__qualname__`.
        #[serde(default)]
        qualname: String,
        /// The name in the source, when `__name__` was changed.
        #[serde(default)]
        code_name: String,
        /// Of several functions of this line and name: which, from 0 …
        #[serde(default)]
        nth: u32,
        /// … and how many there are; 0 when there is only this.
        #[serde(default)]
        of: u32,
        /// Values of the last positional parameters.
        #[serde(default)]
        defaults: Vec<ObjectId>,
        /// Values of keyword-only parameters.
        #[serde(default)]
        kwdefaults: BTreeMap<String, ObjectId>,
        /// Values of free variables.
        #[serde(default)]
        closure: BTreeMap<String, ObjectId>,
        /// Values of the global names that it mentions.
        #[serde(default)]
        globals: BTreeMap<String, ObjectId>,
    },
    /// A class that the user wrote.
    Class {
        /// `__name__`.
        name: String,
        /// `__qualname__`.
        #[serde(default)]
        qualname: String,
        /// Index into [`Export::sources`].
        #[serde(default)]
        source: u32,
        /// The first decorator's line when decorated; 0 when not known.
        #[serde(default)]
        line: u32,
        /// Bases.
        #[serde(default)]
        bases: Vec<ObjectId>,
        /// What is in the class, by name.
        #[serde(default)]
        attrs: BTreeMap<String, ObjectId>,
    },
    /// A static method within a class.
    Staticmethod {
        /// The function.
        func: ObjectId,
    },
    /// A class method within a class.
    Classmethod {
        /// The function.
        func: ObjectId,
    },
    /// A bound method.
    Method {
        /// The function.
        func: ObjectId,
        /// What it is bound to.
        #[serde(rename = "self")]
        receiver: ObjectId,
    },
    /// `functools.partial`.
    Partial {
        /// What it calls.
        func: ObjectId,
        /// First arguments.
        #[serde(default)]
        args: Vec<ObjectId>,
        /// Keyword arguments.
        #[serde(default)]
        kwargs: BTreeMap<String, ObjectId>,
    },
    /// A member of an `enum.Enum` class.
    EnumMember {
        /// `name`.
        name: String,
        /// `value`.
        value: ObjectId,
        /// The class.
        class: ObjectId,
    },
    /// Anything else: whoever touches it falls back.
    Unsupported {
        /// Why, in a few words.
        reason: String,
        /// Calling this builtin makes an equal object.
        #[serde(default)]
        call: Option<ObjectId>,
        /// With these arguments.
        #[serde(default)]
        args: Vec<ObjectId>,
        /// It remembers the answers of this function (`functools.lru_cache`).
        #[serde(default)]
        func: Option<ObjectId>,
        /// It is a property, computed by this function.
        #[serde(default)]
        getter: Option<ObjectId>,
    },
}
