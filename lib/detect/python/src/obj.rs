//! Python objects while an event is evaluated. All are `Copy`: what they point to lives in the event's arena, in the
//! event's text or in the program, and goes with it; nothing is counted and nothing is freed one by one.

mod table;

use std::cell::{Cell, RefCell};

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use hashbrown::HashTable;

use crate::cx::{Cx, R};
use crate::ir::Code;
use crate::iter::Iter;
use crate::program::{ConstDict, ConstFunction, ConstId, ConstPartial, ConstSeq, ConstSet};
use crate::registry::{BuiltinFn, MethodFn, Native, NativeClass};
use crate::types::{ExcKind, Type};

/// A Python object. Lists, dictionaries, sets and tuples come in up to three forms: within the record (`Node…`),
/// known since loading (`Const…`), and made by the rule. The first two are frozen: an operation that would change
/// one answers [`crate::cx::Raise::Fallback`].
#[derive(Clone, Copy)]
pub enum Obj<'a> {
    /// A variable without value; never seen by a rule.
    Unbound,
    /// `None`
    None,
    /// `...`
    Ellipsis,
    /// `NotImplemented`
    NotImplemented,
    /// `bool`
    Bool(bool),
    /// `int` of 64 bits.
    Int(i64),
    /// A larger `int`, see [`Big`]; never one that fits [`Obj::Int`].
    Big(Big<'a>),
    /// `float`
    Float(f64),
    /// `str`; without lone surrogates: who meets one falls back.
    Str(&'a str),
    /// `bytes`
    Bytes(&'a [u8]),
    /// A list of the record: index of its node.
    NodeList(u32),
    /// A dictionary of the record; the record itself is index 0.
    NodeDict(u32),
    /// A frozen list.
    ConstList(&'a ConstSeq),
    /// A frozen tuple.
    ConstTuple(&'a ConstSeq),
    /// A frozen dictionary.
    ConstDict(&'a ConstDict),
    /// A frozen `set`.
    ConstSet(&'a ConstSet),
    /// A `frozenset` known since loading.
    ConstFrozenSet(&'a ConstSet),
    /// `tuple`
    Tuple(&'a [Obj<'a>]),
    /// `list`
    List(&'a List<'a>),
    /// `dict`, and its subclasses of `collections`.
    Dict(&'a Dict<'a>),
    /// `set` or `frozenset`.
    Set(&'a Set<'a>),
    /// `range`
    Range(&'a Range),
    /// `slice`
    Slice(&'a [Obj<'a>; 3]),
    /// `d.keys()`, `d.values()`, `d.items()`.
    View(&'a View<'a>),
    /// An iterator or generator.
    Iter(&'a Iter<'a>),
    /// A function of the user's, known since loading.
    Function(&'a ConstFunction),
    /// A function made at run time.
    Closure(&'a Closure<'a>),
    /// A method of a user's class, bound: function, receiver.
    Method(&'a (Obj<'a>, Obj<'a>)),
    /// A method of a built-in value, bound and not yet called.
    BuiltinMethod(&'a BuiltinMethod<'a>),
    /// A `functools.partial` known since loading.
    ConstPartial(&'a ConstPartial),
    /// A function of ours.
    Builtin(&'static BuiltinFn),
    /// A built-in class, an exception class.
    Type(Type),
    /// A class of one of our modules.
    NativeClass(&'static NativeClass),
    /// A class of the user's: index into `Program::classes`.
    Class(u32),
    /// A constant of another kind: a bound method, a module's singleton, or something not known to us, which
    /// whoever touches it falls back on.
    Const(ConstId),
    /// A module.
    Module(&'a str),
    /// An exception.
    Exception(&'a Exception<'a>),
    /// A compiled regular expression known since loading.
    Regex(&'a crate::modules::re::Compiled),
    /// An object of one of our modules: a date, a match, an address.
    Native(&'a (dyn Native<'a> + 'a)),
}

/// An integer beyond 64 bits: first 1 when it is negative, else 0; then its magnitude in base 2³², least significant
/// digit first, without leading zeros. In the arena or the program, so that it frees no heap memory.
#[derive(Debug, Clone, Copy)]
pub struct Big<'a>(pub &'a [u32]);

/// A `list` made by the rule.
pub struct List<'a> {
    /// The elements. Never borrowed while anything that may run Python code runs.
    pub items: RefCell<BumpVec<'a, Obj<'a>>>,
    /// It belongs to a lookup table: who changes it falls back.
    pub is_shared: bool,
}

/// A `dict` made by the rule.
pub struct Dict<'a> {
    /// The entries.
    pub inner: RefCell<Table<'a>>,
    /// Which class of dictionary.
    pub kind: DictKind<'a>,
    /// It belongs to a lookup table: who changes it falls back.
    pub is_shared: bool,
}

/// Classes of dictionaries.
#[derive(Clone, Copy)]
pub enum DictKind<'a> {
    /// `dict`
    Plain,
    /// `collections.defaultdict` with its factory (`None` for none).
    Default(Obj<'a>),
    /// `collections.OrderedDict`
    Ordered,
    /// `collections.Counter`
    Counter,
}

/// A `set` or `frozenset` made by the rule; values of its entries are `None`.
pub struct Set<'a> {
    /// The entries.
    pub inner: RefCell<Table<'a>>,
    /// A `frozenset`.
    pub frozen: bool,
}

/// An insertion-ordered hash table. Deleted entries stay as tombstones (`key` is [`Obj::Unbound`]) until it is
/// rebuilt. Up to [`Table::LINEAR_MAX`] entries are searched one by one.
pub struct Table<'a> {
    /// Hash, key, value.
    pub entries: BumpVec<'a, (u64, Obj<'a>, Obj<'a>)>,
    /// How many are not deleted.
    pub live: usize,
    /// Indices of entries by hash, once there are many.
    pub index: Option<HashTable<u32, &'a Bump>>,
    /// Counts changes of size: an iterator that sees another number than at its start raises `RuntimeError`.
    pub changes: u32,
}

/// `range(start, stop, step)` within 64 bits.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// First.
    pub start: i64,
    /// End, exclusive.
    pub stop: i64,
    /// Never 0.
    pub step: i64,
}

/// A view of a dictionary.
pub struct View<'a> {
    /// Any form of dictionary.
    pub dict: Obj<'a>,
    /// What it shows.
    pub kind: ViewKind,
}

/// Kinds of views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewKind {
    /// `keys()`
    Keys,
    /// `values()`
    Values,
    /// `items()`
    Items,
}

/// A variable shared by functions.
pub type CellRef<'a> = &'a Cell<Obj<'a>>;

/// A function made at run time.
pub struct Closure<'a> {
    /// Its code.
    pub code: &'a Code,
    /// Defaults of the last positional parameters.
    pub defaults: &'a [Obj<'a>],
    /// Defaults of keyword-only parameters.
    pub kwdefaults: &'a [(&'a str, Obj<'a>)],
    /// Free variables.
    pub cells: &'a [CellRef<'a>],
}

/// A method of a built-in value, bound.
pub struct BuiltinMethod<'a> {
    /// The value.
    pub receiver: Obj<'a>,
    /// The method's name.
    pub name: &'a str,
    /// What to call.
    pub call: MethodFn,
}

/// An exception.
pub struct Exception<'a> {
    /// Its class, or the built-in class that its user class derives from.
    pub kind: ExcKind,
    /// Its class when the user wrote it: index into `Program::classes`.
    pub user: Option<u32>,
    /// `args`.
    pub args: &'a [Obj<'a>],
    /// `__cause__`.
    pub cause: Cell<Option<&'a Exception<'a>>>,
    /// `__context__`.
    pub context: Cell<Option<&'a Exception<'a>>>,
    /// Line where it was raised, 0 = not yet.
    pub line: Cell<u32>,
    /// Attributes beyond `args`, such as `JSONDecodeError.pos`.
    pub extra: &'a [(&'static str, Obj<'a>)],
}

impl<'a> List<'a> {
    /// A new list.
    #[must_use]
    pub fn object(cx: &Cx<'a>, items: BumpVec<'a, Obj<'a>>) -> Obj<'a> {
        Obj::List(cx.bump.alloc(Self {
            items: RefCell::new(items),
            is_shared: false,
        }))
    }

    /// To be asked before a list is changed.
    ///
    /// # Errors
    /// Falls back on a lookup table's.
    #[inline]
    pub fn check_change(&self, cx: &Cx<'a>) -> R<'a, ()> {
        if self.is_shared {
            return Err(cx.leave("changes a lookup table"));
        }
        Ok(())
    }
}

impl<'a> Big<'a> {
    /// Whether it is below 0.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0.first().is_some_and(|sign| *sign != 0)
    }

    /// Its magnitude in base 2³², least significant digit first.
    #[must_use]
    pub fn magnitude(self) -> &'a [u32] {
        self.0.get(1..).unwrap_or_default()
    }
}

impl Range {
    /// How many numbers it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        let (low, high) = if self.step > 0 {
            (self.start, self.stop)
        } else {
            (self.stop, self.start)
        };
        if low >= high {
            return 0;
        }
        let span = high.wrapping_sub(low) as u64;
        (span - 1) / self.step.unsigned_abs() + 1
    }

    /// The number at a place; meaningless at and beyond [`Range::count`].
    #[must_use]
    pub fn at(&self, place: u64) -> i64 {
        self.start.wrapping_add((place as i64).wrapping_mul(self.step))
    }

    /// The place of a number.
    #[must_use]
    pub fn place_of(&self, number: i64) -> Option<u64> {
        let inside = if self.step > 0 {
            self.start <= number && number < self.stop
        } else {
            self.stop < number && number <= self.start
        };
        let away = if self.step > 0 {
            number.wrapping_sub(self.start)
        } else {
            self.start.wrapping_sub(number)
        } as u64;
        let step = self.step.unsigned_abs();
        (inside && away.is_multiple_of(step)).then(|| away / step)
    }
}
