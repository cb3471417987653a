//! Iteration.

use std::cell::RefCell;

use streamalert_value::{Items, Members};

use crate::cx::{Cx, R};
use crate::eval::Generator;
use crate::obj::{Dict, List, Obj, Set, ViewKind};
use crate::program::{ConstDict, ConstId, ConstSet};

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
    /// A dictionary, place among its entries, `changes` at the start.
    Dict(&'a Dict<'a>, usize, u32, ViewKind),
    /// A set, place among its entries, `changes` at the start.
    Set(&'a Set<'a>, usize, u32),
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
/// `TypeError` for what cannot be iterated.
pub fn iter<'a>(cx: &Cx<'a>, _value: Obj<'a>) -> R<'a, IterState<'a>> {
    Err(cx.leave("not built"))
}

impl<'a> IterState<'a> {
    /// The next element. Costs one step of fuel, so that no iteration is endless.
    ///
    /// # Errors
    /// What Python raises.
    pub fn next(&mut self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        Err(cx.leave("not built"))
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

/// All elements.
///
/// # Errors
/// As iterating does.
pub fn collect<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, bumpalo::collections::Vec<'a, Obj<'a>>> {
    let mut state = iter(cx, value)?;
    let mut items = bumpalo::collections::Vec::new_in(cx.bump);
    while let Some(item) = state.next(cx)? {
        items.push(item);
    }
    Ok(items)
}
