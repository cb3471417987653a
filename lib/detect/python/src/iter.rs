//! Iteration.

use std::cell::RefCell;

use bumpalo::collections::Vec as BumpVec;
use streamalert_value::{Items, Members};

use crate::cx::{Cx, R, Raise};
use crate::eval::Generator;
use crate::obj::{Dict, DictKind, List, Obj, Set, Table, ViewKind};
use crate::ops;
use crate::program::{ConstDict, ConstId, ConstSet};
use crate::types::{ExcKind, Type};

/// An iterator object.
pub struct Iter<'a> {
    /// Where it is.
    pub state: RefCell<IterState<'a>>,
    /// Its class: `list_iterator`, `zip`, `generator` …
    pub class: &'static str,
}

/// Where an iteration is. `for` loops hold one without making an object.
pub enum IterState<'a> {
    /// At its end, for ever.
    Done,
    /// Elements from this place on.
    Slice(&'a [Obj<'a>], usize),
    /// The same backwards: how many are left.
    SliceReversed(&'a [Obj<'a>], usize),
    /// A list that may change meanwhile.
    List(&'a List<'a>, usize),
    /// A list of the record.
    NodeList(Items<'a>),
    /// A dictionary of the record.
    NodeDict(Members<'a>, ViewKind),
    /// Constants.
    Consts(&'a [ConstId], usize),
    /// A frozen dictionary.
    ConstDict(&'a ConstDict, usize, ViewKind),
    /// A frozen set.
    ConstSet(&'a ConstSet, usize),
    /// A dictionary, place among its entries, its state at the start.
    Dict(&'a Dict<'a>, usize, Stamp, ViewKind),
    /// The same backwards: places before this one are left.
    DictReversed(&'a Dict<'a>, usize, Stamp, ViewKind),
    /// A set, place among its entries, its state at the start.
    Set(&'a Set<'a>, usize, Stamp),
    /// A list backwards: how many are left.
    ListReversed(&'a List<'a>, usize),
    /// Characters of a text, by byte offset.
    Chars(&'a str, usize),
    /// Bytes.
    Bytes(&'a [u8], usize),
    /// Next, how many are left, step.
    Range(i64, u64, i64),
    /// A generator.
    Generator(&'a Generator<'a>),
    /// Another iterator object.
    Object(&'a Iter<'a>),
    /// An iterator with code of its own: `zip`, `map`, `itertools.chain` …
    Dyn(&'a dyn NextObj<'a>),
}

/// What a table was when its iteration began.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    changes: u32,
    live: usize,
}

impl Stamp {
    fn of(table: &Table<'_>) -> Self {
        Self {
            changes: table.changes,
            live: table.live,
        }
    }

    /// CPython raises when the size differs. When only the order of changes differs, what comes next depends on the
    /// layout of its tables.
    fn check<'a>(self, cx: &Cx<'a>, table: &Table<'a>, what: &str) -> R<'a, ()> {
        if self.changes == table.changes {
            return Ok(());
        }
        if self.live == table.live {
            return Err(cx.leave("a container changed while it was gone through"));
        }
        Err(cx.raise(
            ExcKind::RuntimeError,
            format_args!("{what} changed size during iteration"),
        ))
    }
}

/// An iterator with code of its own. It lives in the arena: it must own no heap memory.
pub trait NextObj<'a> {
    /// The next element.
    ///
    /// # Errors
    /// What Python raises.
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>>;
}

/// `iter(value)`, without making an object.
///
/// # Errors
/// `TypeError` for what cannot be iterated; falls back on a set whose order CPython's hashes decide.
#[inline]
pub fn iter<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, IterState<'a>> {
    match value {
        Obj::NodeList(node) => Ok(IterState::NodeList(cx.node(node).items())),
        Obj::List(list) => Ok(IterState::List(list, 0)),
        Obj::ConstList(seq) | Obj::ConstTuple(seq) => Ok(IterState::Consts(&seq.items, 0)),
        _ => other(cx, value),
    }
}

#[inline(never)]
fn other<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, IterState<'a>> {
    Ok(match value {
        Obj::Set(set) => {
            if has_order_of_its_own(set) {
                return Err(cx.leave("the order of a set of numbers"));
            }
            IterState::Set(set, 0, Stamp::of(&set.inner.borrow()))
        }
        Obj::ConstSet(set) | Obj::ConstFrozenSet(set) => IterState::ConstSet(set, 0),
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => members(cx, value, ViewKind::Keys),
        Obj::View(view) => members(cx, view.dict, view.kind),
        Obj::Str(text) => IterState::Chars(text, 0),
        Obj::Bytes(bytes) => IterState::Bytes(bytes, 0),
        Obj::Range(range) => IterState::Range(range.start, range.count(), range.step),
        Obj::Iter(iter) => IterState::Object(iter),
        Obj::NodeList(_) | Obj::List(_) | Obj::ConstList(_) | Obj::Tuple(_) | Obj::ConstTuple(_) => {
            IterState::sequence(cx, value)
        }
        Obj::Native(native) => match (native.iter(cx), native.as_tuple()) {
            (Some(state), _) => return state,
            (None, Some(items)) => IterState::Slice(items, 0),
            (None, None) => return Err(not_iterable(cx, value)),
        },
        Obj::Const(_) => return iter(cx, ops::resolve(cx, value)?),
        Obj::Class(_) => return Err(cx.leave("a class gone through")),
        _ => return Err(not_iterable(cx, value)),
    })
}

/// Elements of a dictionary in order.
#[must_use]
pub fn members<'a>(cx: &Cx<'a>, dict: Obj<'a>, kind: ViewKind) -> IterState<'a> {
    match dict {
        Obj::NodeDict(node) => IterState::NodeDict(cx.node(node).members(), kind),
        Obj::ConstDict(dict) => IterState::ConstDict(dict, 0, kind),
        Obj::Dict(dict) => IterState::Dict(dict, 0, Stamp::of(&dict.inner.borrow()), kind),
        _ => IterState::Done,
    }
}

#[cold]
fn not_iterable<'a>(cx: &Cx<'a>, value: Obj<'a>) -> Raise<'a> {
    let name = ops::type_name(cx, value);
    cx.type_error(format_args!("'{name}' object is not iterable"))
}

/// Whether CPython's order of a set is known to its users: two elements or more, of which one has a hash that is the
/// same in every process, and with it a place of its own: `0` always comes before the texts that are added to it.
/// Texts are hashed with a seed of the process; any order of them is a possible one.
fn has_order_of_its_own(set: &Set<'_>) -> bool {
    let table = set.inner.borrow();
    table.live > 1
        && table.live_entries().any(|(_, key, _)| match key {
            Obj::Str(text) => text.is_empty(),
            Obj::Bytes(bytes) => bytes.is_empty(),
            _ => true,
        })
}

/// `iter(value)` as an object.
///
/// # Errors
/// As [`iter`].
pub fn object<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    let value = ops::resolve(cx, value)?;
    if let Obj::Iter(_) = value {
        return Ok(value);
    }
    let state = iter(cx, value)?;
    let class = match ops::type_of(value) {
        Type::List => "list_iterator",
        Type::Tuple => "tuple_iterator",
        Type::Str if cx.program.version.minor >= 11 && matches!(value, Obj::Str(text) if text.is_ascii()) => {
            "str_ascii_iterator"
        }
        Type::Str => "str_iterator",
        Type::Bytes => "bytes_iterator",
        Type::Set | Type::FrozenSet => "set_iterator",
        Type::Range => "range_iterator",
        Type::OrderedDict | Type::View("odict_keys" | "odict_values" | "odict_items") => "odict_iterator",
        Type::View("dict_values") => "dict_valueiterator",
        Type::View("dict_items") => "dict_itemiterator",
        Type::Dict | Type::DefaultDict | Type::Counter | Type::View(_) => "dict_keyiterator",
        _ => "iterator",
    };
    Ok(state.object(cx, class))
}

/// `reversed(value)` as an object.
///
/// # Errors
/// `TypeError` for what cannot be gone through backwards.
pub fn reversed<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    let value = ops::resolve(cx, value)?;
    let (state, class) = match value {
        Obj::List(list) => (
            IterState::ListReversed(list, list.items.borrow().len()),
            "list_reverseiterator",
        ),
        Obj::NodeList(_) | Obj::ConstList(_) => (backwards(cx, value)?, "list_reverseiterator"),
        Obj::Tuple(_) | Obj::ConstTuple(_) | Obj::Str(_) | Obj::Bytes(_) => {
            (backwards(cx, value)?, "reversed")
        }
        Obj::Range(range) => {
            let count = range.count();
            let last = range.at(count.wrapping_sub(1));
            let Some(step) = range.step.checked_neg() else {
                return Err(cx.leave("a range backwards"));
            };
            (IterState::Range(last, count, step), "range_iterator")
        }
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => dict_reversed(cx, value, ViewKind::Keys)?,
        Obj::View(view) => dict_reversed(cx, view.dict, view.kind)?,
        Obj::Native(native) => match native.as_tuple() {
            Some(items) => (IterState::SliceReversed(items, items.len()), "reversed"),
            None => return Err(cx.leave("an object backwards")),
        },
        Obj::Class(_) => return Err(cx.leave("a class backwards")),
        _ => {
            let name = ops::type_name(cx, value);
            return Err(cx.type_error(format_args!("'{name}' object is not reversible")));
        }
    };
    Ok(state.object(cx, class))
}

fn backwards<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, IterState<'a>> {
    let items = collect(cx, value)?.into_bump_slice();
    Ok(IterState::SliceReversed(items, items.len()))
}

fn dict_reversed<'a>(cx: &Cx<'a>, dict: Obj<'a>, kind: ViewKind) -> R<'a, (IterState<'a>, &'static str)> {
    let class = match kind {
        ViewKind::Keys => "dict_reversekeyiterator",
        ViewKind::Values => "dict_reversevalueiterator",
        ViewKind::Items => "dict_reverseitemiterator",
    };
    if let Obj::Dict(dict) = dict {
        let table = dict.inner.borrow();
        let state = IterState::DictReversed(dict, table.entries.len(), Stamp::of(&table), kind);
        return Ok((state, class));
    }
    let mut forwards = members(cx, dict, kind);
    let mut items = BumpVec::new_in(cx.bump);
    while let Some(item) = forwards.next(cx)? {
        items.push(item);
    }
    let items = items.into_bump_slice();
    Ok((IterState::SliceReversed(items, items.len()), class))
}

fn shown<'a>(cx: &Cx<'a>, kind: ViewKind, key: Obj<'a>, value: Obj<'a>) -> Obj<'a> {
    match kind {
        ViewKind::Keys => key,
        ViewKind::Values => value,
        ViewKind::Items => Obj::Tuple(cx.bump.alloc([key, value])),
    }
}

impl<'a> IterState<'a> {
    /// The elements of a list or tuple of any form; none of anything else.
    #[inline]
    #[must_use]
    pub fn sequence(cx: &Cx<'a>, value: Obj<'a>) -> Self {
        match value {
            Obj::NodeList(node) => Self::NodeList(cx.node(node).items()),
            Obj::List(list) => Self::List(list, 0),
            Obj::ConstList(seq) | Obj::ConstTuple(seq) => Self::Consts(&seq.items, 0),
            Obj::Tuple(items) => Self::Slice(items, 0),
            _ => Self::Done,
        }
    }

    /// The next element. Costs one step of fuel, so that no iteration is endless.
    ///
    /// # Errors
    /// What Python raises.
    #[inline]
    pub fn next(&mut self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        cx.tick()?;
        match self {
            Self::NodeList(items) => match items.next() {
                Some(item) => cx.object(item).map(Some),
                None => Ok(None),
            },
            Self::Consts(ids, place) => Ok(ids.get(*place).map(|id| {
                *place += 1;
                cx.constant(*id)
            })),
            Self::Slice(items, place) => Ok(items.get(*place).map(|item| {
                *place += 1;
                *item
            })),
            _ => self.next_of_others(cx),
        }
    }

    #[inline(never)]
    fn next_of_others(&mut self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let found = match self {
            Self::Done | Self::NodeList(_) | Self::Consts(..) | Self::Slice(..) => None,
            Self::SliceReversed(items, left) => left.checked_sub(1).and_then(|at| {
                *left = at;
                items.get(at).copied()
            }),
            Self::List(list, place) => {
                let found = list.items.borrow().get(*place).copied();
                *place += 1;
                found
            }
            Self::ListReversed(list, left) => left.checked_sub(1).and_then(|at| {
                *left = at;
                list.items.borrow().get(at).copied()
            }),
            Self::NodeDict(members, kind) => match members.next() {
                Some((key, value)) => Some(match kind {
                    ViewKind::Keys => cx.object(key)?,
                    ViewKind::Values => cx.object(value)?,
                    ViewKind::Items => shown(cx, *kind, cx.object(key)?, cx.object(value)?),
                }),
                None => None,
            },
            Self::ConstDict(dict, place, kind) => dict.entries.get(*place).map(|(_, key, value)| {
                *place += 1;
                shown(cx, *kind, cx.constant(*key), cx.constant(*value))
            }),
            Self::ConstSet(set, place) => set.entries.get(*place).map(|(_, item)| {
                *place += 1;
                cx.constant(*item)
            }),
            Self::Dict(dict, place, stamp, kind) => {
                let table = dict.inner.borrow();
                stamp.check(cx, &table, dict_name(dict))?;
                table.next_from(*place).map(|(at, key, value)| {
                    *place = at + 1;
                    shown(cx, *kind, key, value)
                })
            }
            Self::DictReversed(dict, left, stamp, kind) => {
                let table = dict.inner.borrow();
                stamp.check(cx, &table, dict_name(dict))?;
                let found = (0..*left)
                    .rev()
                    .find_map(|at| table.entry(at).map(|entry| (at, entry)));
                found.map(|(at, (_, key, value))| {
                    *left = at;
                    shown(cx, *kind, key, value)
                })
            }
            Self::Set(set, place, stamp) => {
                let table = set.inner.borrow();
                stamp.check(cx, &table, "Set")?;
                table.next_from(*place).map(|(at, item, _)| {
                    *place = at + 1;
                    item
                })
            }
            Self::Chars(text, at) => text
                .get(*at..)
                .and_then(|rest| rest.chars().next())
                .map(|character| {
                    let start = *at;
                    *at += character.len_utf8();
                    Obj::Str(&text[start..*at])
                }),
            Self::Bytes(bytes, place) => bytes.get(*place).map(|byte| {
                *place += 1;
                Obj::Int(i64::from(*byte))
            }),
            Self::Range(next, left, step) => left.checked_sub(1).map(|now_left| {
                let number = *next;
                *left = now_left;
                *next = number.wrapping_add(*step);
                Obj::Int(number)
            }),
            Self::Generator(generator) => return generator.next(cx),
            Self::Object(iter) => return iter.next(cx),
            Self::Dyn(code) => return code.next(cx),
        };
        if found.is_none() {
            *self = Self::Done;
        }
        Ok(found)
    }

    /// An iterator object.
    #[must_use]
    pub fn object(self, cx: &Cx<'a>, class: &'static str) -> Obj<'a> {
        Obj::Iter(cx.bump.alloc(Iter {
            state: RefCell::new(self),
            class,
        }))
    }
}

fn dict_name(dict: &Dict<'_>) -> &'static str {
    match dict.kind {
        DictKind::Ordered => "OrderedDict",
        _ => "dictionary",
    }
}

impl<'a> Iter<'a> {
    /// The next element.
    ///
    /// # Errors
    /// What Python raises.
    pub fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        // What runs code must not run while the state is borrowed.
        enum Code<'a> {
            Generator(&'a Generator<'a>),
            Object(&'a Iter<'a>),
            Dyn(&'a dyn NextObj<'a>),
            None,
        }
        let code = match &*self.state.borrow() {
            IterState::Generator(generator) => Code::Generator(generator),
            IterState::Object(inner) => Code::Object(inner),
            IterState::Dyn(code) => Code::Dyn(*code),
            _ => Code::None,
        };
        match code {
            Code::Generator(generator) => generator.next(cx),
            Code::Object(inner) => {
                cx.tick()?;
                inner.next(cx)
            }
            Code::Dyn(code) => {
                cx.tick()?;
                code.next(cx)
            }
            Code::None => self.state.borrow_mut().next(cx),
        }
    }
}

/// All elements.
///
/// # Errors
/// As iterating does.
pub fn collect<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, BumpVec<'a, Obj<'a>>> {
    let mut state = iter(cx, value)?;
    let mut items = BumpVec::new_in(cx.bump);
    while let Some(item) = state.next(cx)? {
        items.push(item);
    }
    Ok(items)
}

/// All elements, for those whose result does not depend on the order of a set's: `sorted` without key, `sum` of
/// integers, `min`, `max`, `set`.
///
/// # Errors
/// As iterating does.
pub fn collect_in_any_order<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, BumpVec<'a, Obj<'a>>> {
    let Obj::Set(set) = value else {
        return collect(cx, value);
    };
    let table = set.inner.borrow();
    cx.use_fuel(table.live as u64)?;
    Ok(BumpVec::from_iter_in(
        table.live_entries().map(|(_, item, _)| item),
        cx.bump,
    ))
}
