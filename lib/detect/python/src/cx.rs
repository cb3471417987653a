//! One event's evaluation: arena, limits, the record, and what is raised.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;

use bumpalo::Bump;
use streamalert_value::{Kind, NodeRef, Tree};

use crate::env::Env;
use crate::marks::{Kept, Marks, Place};
use crate::obj::{Exception, Obj};
use crate::program::{Const, ConstId, PathId, PointId, Program};
use crate::types::ExcKind;

/// A result of evaluation.
pub type R<'a, T = Obj<'a>> = Result<T, Raise<'a>>;

/// Why there is no value.
#[derive(Clone, Copy)]
pub enum Raise<'a> {
    /// A Python exception.
    Exception(&'a Exception<'a>),
    /// Not known to us: this pair goes to CPython. No `except` clause sees it.
    Fallback(Leave),
    /// A limit: the pair ends here. No `except` clause sees it.
    Limit(Limit),
}

/// Where and why a pair goes to CPython.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// A point that is known since compiling.
    Point(PointId),
    /// Something that shows only at run time.
    Here(&'static str),
}

/// Limits on one pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Steps.
    Fuel,
    /// Bytes of the event's arena, or of one text or container.
    Memory,
}

/// How much one (event, rule) pair may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Steps: statements, calls, rounds of loops, and one per 64 bytes that an operation handles. Some 10 ns each.
    pub fuel: u64,
    /// Bytes of the arena for all rules on one event.
    pub arena_bytes: usize,
    /// Nested calls; beyond it `RecursionError`, as in CPython.
    pub depth: u32,
    /// Bits of an integer; beyond it [`Limit::Memory`].
    pub int_bits: u64,
    /// Bytes of one text; beyond it [`Limit::Memory`].
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 2_000_000,
            arena_bytes: 64 << 20,
            depth: 900,
            int_bits: 1 << 17,
            text_bytes: 16 << 20,
        }
    }
}

/// What evaluation of one event works with. Not `Sync`; one per event and thread.
pub struct Cx<'a> {
    /// The rules.
    pub program: &'a Program,
    /// The record's document.
    pub tree: Tree<'a>,
    /// The event's arena.
    pub bump: &'a Bump,
    /// Limits.
    pub limits: Limits,
    /// Lookup tables, the clock, caches that outlive the event.
    pub env: &'a Env,
    /// Where field paths lead in this record, and values of shared expressions.
    pub marks: &'a Marks,
    /// Steps left for this pair.
    pub fuel: Cell<u64>,
    /// Nested calls.
    pub depth: Cell<u32>,
    /// Line of the statement being run.
    pub line: Cell<u32>,
    /// The exception being handled, for `raise` and `__context__`.
    pub handling: Cell<Option<&'a Exception<'a>>>,
    /// Forced fallback for tests: leave when this many steps are left.
    pub leave_at: Cell<Option<u64>>,
    /// Lists and dictionaries of lookup tables that were asked for, by address in the table.
    pub looked_up: RefCell<HashMap<usize, Obj<'a>>>,
    /// The class of an object was asked for that is not known here: the next message may name it, and is CPython's.
    pub nameless: Cell<bool>,
}

/// A field path's value in this record.
#[derive(Clone, Copy)]
pub enum Slot<'a> {
    /// Present.
    Present(Obj<'a>),
    /// Every container on the way is a dictionary and the key is missing in one of them.
    Absent,
    /// Something on the way is no dictionary, or the value cannot be represented here.
    Odd,
}

impl<'a> Cx<'a> {
    /// Uses `steps`.
    ///
    /// # Errors
    /// [`Limit::Fuel`] when there are not that many left; [`Limit::Memory`] when the arena is full.
    #[inline]
    pub fn use_fuel(&self, steps: u64) -> R<'a, ()> {
        let left = self.fuel.get();
        if left < steps {
            return Err(Raise::Limit(Limit::Fuel));
        }
        let now = left - steps;
        self.fuel.set(now);
        // Looked at now and then: no single step makes much without asking for it.
        if (left ^ now) >> 6 != 0 {
            self.check_rarely(now)?;
        }
        Ok(())
    }

    /// One step.
    ///
    /// # Errors
    /// As [`Cx::use_fuel`].
    #[inline]
    pub fn tick(&self) -> R<'a, ()> {
        self.use_fuel(1)
    }

    #[cold]
    fn check_rarely(&self, left: u64) -> R<'a, ()> {
        if self.bump.allocated_bytes() > self.limits.arena_bytes {
            return Err(Raise::Limit(Limit::Memory));
        }
        if self.leave_at.get().is_some_and(|at| left <= at) {
            return Err(Raise::Fallback(Leave::Here("forced")));
        }
        Ok(())
    }

    /// To be asked before `bytes` are taken from the arena, or before that many are handled in one go.
    ///
    /// # Errors
    /// [`Limit::Memory`] or [`Limit::Fuel`].
    pub fn reserve(&self, bytes: usize) -> R<'a, ()> {
        if bytes > self.limits.text_bytes
            || self.bump.allocated_bytes().saturating_add(bytes) > self.limits.arena_bytes
        {
            return Err(Raise::Limit(Limit::Memory));
        }
        self.use_fuel(bytes as u64 / 64)
    }

    /// A field path's value in this record, found once per event.
    #[inline]
    #[must_use]
    pub fn slot(&self, path: PathId) -> Slot<'a> {
        match self.place(path) {
            Place::Node(index) => self
                .object(self.tree.node(index))
                .map_or(Slot::Odd, Slot::Present),
            Place::Absent => Slot::Absent,
            Place::Odd | Place::UnderNull => Slot::Odd,
        }
    }

    /// Where a field path leads in this record, found once per event.
    #[inline]
    #[must_use]
    pub fn place(&self, path: PathId) -> Place {
        match self.marks.place(path) {
            Some(place) => place,
            None => self.find_place(path),
        }
    }

    fn find_place(&self, path: PathId) -> Place {
        // Parents come before their children, and paths are a few keys long.
        let Some(info) = self.program.paths.get(path as usize) else {
            return Place::Odd;
        };
        let container = match info.parent.map(|parent| self.place(parent)) {
            None => Ok(self.tree.root()),
            Some(Place::Node(index)) => Ok(self.tree.node(index)),
            Some(Place::Absent) => Err(Place::Absent),
            Some(Place::Odd | Place::UnderNull) => Err(Place::Odd),
        };
        let place = match container {
            Err(place) => place,
            Ok(container) => match container.kind() {
                Kind::Map => container
                    .get_hashed(info.hash, &info.key)
                    .map_or(Place::Absent, |node| Place::Node(node.index())),
                Kind::Null => Place::UnderNull,
                _ => Place::Odd,
            },
        };
        self.marks.set_place(path, place);
        place
    }

    /// A value kept for this event.
    #[inline]
    #[must_use]
    pub fn kept(&self, memo: u32) -> Option<Obj<'a>> {
        Some(match self.marks.kept(memo)? {
            Kept::None => Obj::None,
            Kept::Bool(flag) => Obj::Bool(flag),
            Kept::Int(number) => Obj::Int(number),
            Kept::Float(float) => Obj::Float(float),
            Kept::Node(index) => self.object(self.tree.node(index)).ok()?,
            Kept::Span(start, end) => Obj::Str(self.tree.source().get(start as usize..end as usize)?),
        })
    }

    /// Keeps a value for the rest of the event, if nobody can tell whether two rules were given the same object and
    /// it needs no room in the arena.
    pub fn keep(&self, memo: u32, value: Obj<'a>) {
        let kept = match value {
            Obj::None => Kept::None,
            Obj::Bool(flag) => Kept::Bool(flag),
            Obj::Int(number) => Kept::Int(number),
            Obj::Float(float) => Kept::Float(float),
            Obj::NodeDict(index) | Obj::NodeList(index) => Kept::Node(index),
            Obj::Str(text) => {
                let source = self.tree.source();
                let start = (text.as_ptr() as usize).wrapping_sub(source.as_ptr() as usize);
                match start.checked_add(text.len()) {
                    Some(end) if end <= source.len() => Kept::Span(start as u32, end as u32),
                    _ => return,
                }
            }
            _ => return,
        };
        self.marks.keep(memo, kept);
    }

    /// A text in the arena.
    ///
    /// # Errors
    /// As [`Cx::reserve`].
    pub fn text(&self, text: &str) -> R<'a, &'a str> {
        self.reserve(text.len())?;
        Ok(self.bump.alloc_str(text))
    }

    /// A `str` object.
    ///
    /// # Errors
    /// As [`Cx::reserve`].
    pub fn str(&self, text: &str) -> R<'a> {
        Ok(Obj::Str(self.text(text)?))
    }

    /// The object of a constant.
    #[inline]
    #[must_use]
    pub fn constant(&self, id: ConstId) -> Obj<'a> {
        constant(self.program, id)
    }

    /// A node of the record.
    #[inline]
    #[must_use]
    pub fn node(&self, index: u32) -> NodeRef<'a> {
        self.tree.node(index)
    }

    /// The object of a value of the record.
    ///
    /// # Errors
    /// Falls back on lone surrogates.
    #[inline]
    pub fn object(&self, node: NodeRef<'a>) -> R<'a> {
        Ok(match node.kind() {
            Kind::Text | Kind::Key if !node.is_escaped() => Obj::Str(node.raw_inside()),
            Kind::Text | Kind::Key => return self.escaped(node),
            Kind::Map => Obj::NodeDict(node.index()),
            Kind::List => Obj::NodeList(node.index()),
            Kind::Null => Obj::None,
            Kind::True => Obj::Bool(true),
            Kind::False => Obj::Bool(false),
            Kind::Int => match node.as_i64() {
                Some(number) => Obj::Int(number),
                None => return crate::ops::int_from_decimal(self, node.raw()),
            },
            Kind::Float | Kind::NaN | Kind::Infinity | Kind::NegInfinity => {
                Obj::Float(node.as_f64().unwrap_or(f64::NAN))
            }
        })
    }

    #[cold]
    fn escaped(&self, node: NodeRef<'a>) -> R<'a> {
        if has_lone_surrogate(node.raw_inside()) {
            return Err(self.leave("the record holds half a surrogate pair"));
        }
        let text = node.as_str().unwrap_or_default();
        self.str(&text)
    }

    /// Leaves for CPython.
    #[cold]
    #[must_use]
    pub fn leave(&self, reason: &'static str) -> Raise<'a> {
        Raise::Fallback(Leave::Here(reason))
    }

    /// An exception with one text argument.
    #[cold]
    #[must_use]
    pub fn raise(&self, kind: ExcKind, message: fmt::Arguments<'_>) -> Raise<'a> {
        let text: &'a str = bumpalo::format!(in self.bump, "{}", message).into_bump_str();
        self.raise_with(kind, &[Obj::Str(text)])
    }

    /// An exception with these arguments.
    #[cold]
    #[must_use]
    pub fn raise_with(&self, kind: ExcKind, args: &[Obj<'a>]) -> Raise<'a> {
        if self.nameless.take() {
            return self.leave("the class of an object that is not known");
        }
        Raise::Exception(self.exception(kind, args))
    }

    /// An exception object.
    #[must_use]
    pub fn exception(&self, kind: ExcKind, args: &[Obj<'a>]) -> &'a Exception<'a> {
        self.bump.alloc(Exception {
            kind,
            user: None,
            args: self.bump.alloc_slice_copy(args),
            cause: Cell::new(None),
            context: Cell::new(None),
            line: Cell::new(0),
            extra: &[],
        })
    }

    /// `TypeError`.
    #[cold]
    #[must_use]
    pub fn type_error(&self, message: fmt::Arguments<'_>) -> Raise<'a> {
        self.raise(ExcKind::TypeError, message)
    }

    /// `ValueError`.
    #[cold]
    #[must_use]
    pub fn value_error(&self, message: fmt::Arguments<'_>) -> Raise<'a> {
        self.raise(ExcKind::ValueError, message)
    }

    /// `KeyError` of a key.
    #[cold]
    #[must_use]
    pub fn key_error(&self, key: Obj<'a>) -> Raise<'a> {
        self.raise_with(ExcKind::KeyError, &[key])
    }
}

/// The object of a constant.
#[inline]
#[must_use]
pub fn constant(program: &Program, id: ConstId) -> Obj<'_> {
    match &program.consts[id as usize] {
        Const::None => Obj::None,
        Const::Ellipsis => Obj::Ellipsis,
        Const::NotImplemented => Obj::NotImplemented,
        Const::Bool(flag) => Obj::Bool(*flag),
        Const::Int(number) => Obj::Int(*number),
        Const::Big(big) => Obj::Big(crate::obj::Big(big)),
        Const::Float(float) => Obj::Float(*float),
        Const::Str(text) => Obj::Str(text),
        Const::Bytes(bytes) => Obj::Bytes(bytes),
        Const::Tuple(seq) => Obj::ConstTuple(seq),
        Const::List(seq) => Obj::ConstList(seq),
        Const::Dict(dict) => Obj::ConstDict(dict),
        Const::Set(set) => Obj::ConstSet(set),
        Const::FrozenSet(set) => Obj::ConstFrozenSet(set),
        Const::Regex(regex) => Obj::Regex(regex),
        Const::Function(function) => Obj::Function(function),
        Const::Method(..) | Const::Singleton(_) | Const::Made(_) | Const::Unsupported(_) => Obj::Const(id),
        Const::Partial(partial) => Obj::ConstPartial(partial),
        Const::Builtin(function) => Obj::Builtin(function),
        Const::Type(class) => Obj::Type(*class),
        Const::NativeClass(class) => Obj::NativeClass(class),
        Const::Class(class) => Obj::Class(*class),
        Const::Module(name) => Obj::Module(name),
    }
}

/// Whether JSON text holds an escape of half a surrogate pair.
pub(crate) fn has_lone_surrogate(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        if bytes.get(at) != Some(&b'\\') || bytes.get(at + 1) != Some(&b'u') {
            return None;
        }
        let hex = bytes.get(at + 2..at + 6)?;
        u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => return true,
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    false
}
