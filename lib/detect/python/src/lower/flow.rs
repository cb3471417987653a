//! Which constant containers a value can be, and which it can hold.

use std::collections::BTreeSet;

use super::reach::children;
use crate::program::{Const, ConstId};

/// Methods that change their receiver.
pub(super) const MUTATING: &[&str] = &[
    "append",
    "extend",
    "insert",
    "remove",
    "pop",
    "popitem",
    "clear",
    "update",
    "setdefault",
    "add",
    "discard",
    "sort",
    "reverse",
    "difference_update",
    "intersection_update",
    "symmetric_difference_update",
    "__setitem__",
    "__delitem__",
    "__ior__",
    "__iadd__",
    "appendleft",
    "extendleft",
    "popleft",
    "rotate",
    "move_to_end",
    "subtract",
];

/// Functions that we do not know and that are known not to change what they are given.
pub(super) const FORGIVING: &[&str] = &[
    "the built-in print",
    "the built-in hash",
    "logging",
    "LOGGER",
    "logger",
    "log.",
];

/// A value, as far as constant containers are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// It can be one of these.
    pub(super) is: BTreeSet<ConstId>,
    /// It can be something new that holds these, at any depth.
    pub(super) holds: BTreeSet<ConstId>,
}

impl Value {
    pub(super) fn is_empty(&self) -> bool {
        self.is.is_empty() && self.holds.is_empty()
    }

    /// Adds another; true when that was new.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let before = self.is.len() + self.holds.len();
        self.is.extend(&other.is);
        self.holds.extend(&other.holds);
        self.is.len() + self.holds.len() > before
    }

    /// Both kinds together.
    pub(super) fn all(&self) -> BTreeSet<ConstId> {
        self.is.union(&self.holds).copied().collect()
    }
}

/// Constant containers and what is within them.
#[derive(Debug)]
pub(super) struct Flow {
    /// For each constant that can change, or holds one that can: those right within it.
    inner: Vec<Option<Box<[ConstId]>>>,
}

impl Flow {
    pub(super) fn new(consts: &[Const]) -> Self {
        let mut holders: Vec<Vec<ConstId>> = vec![Vec::new(); consts.len()];
        for (id, value) in consts.iter().enumerate() {
            for child in children(value) {
                if let Some(known) = holders.get_mut(child as usize) {
                    known.push(id as ConstId);
                }
            }
        }
        // What can change, and outwards from there all that hold it.
        let mut matters = vec![false; consts.len()];
        let mut todo: Vec<ConstId> = (0..)
            .zip(consts)
            .filter(|(_, value)| matches!(value, Const::List(_) | Const::Dict(_) | Const::Set(_)))
            .map(|(id, _)| id)
            .collect();
        while let Some(id) = todo.pop() {
            if let Some(known) = matters.get_mut(id as usize)
                && !std::mem::replace(known, true)
            {
                todo.extend(holders.get(id as usize).into_iter().flatten());
            }
        }
        let is = |id: ConstId| matters.get(id as usize).copied().unwrap_or_default();
        let inner = (0..)
            .zip(consts)
            .map(|(id, value)| {
                is(id).then(|| children(value).into_iter().filter(|child| is(*child)).collect())
            })
            .collect();
        Self { inner }
    }

    /// Whatever can change.
    pub(super) fn everything(&self) -> Value {
        let all = (0..)
            .zip(&self.inner)
            .filter(|(_, inner)| inner.is_some())
            .map(|(id, _)| id);
        Value {
            is: all.collect(),
            holds: BTreeSet::new(),
        }
    }

    /// Nothing can change.
    pub(super) fn is_empty(&self) -> bool {
        self.inner.iter().all(Option::is_none)
    }

    /// The value of a constant.
    pub(super) fn constant(&self, id: ConstId) -> Value {
        let mut value = Value::default();
        if matches!(self.inner.get(id as usize), Some(Some(_))) {
            value.is.insert(id);
        }
        value
    }

    /// What an element of a value can be.
    pub(super) fn index(&self, value: &Value) -> Value {
        let mut is = value.holds.clone();
        for id in &value.is {
            if let Some(Some(inner)) = self.inner.get(*id as usize) {
                is.extend(inner.iter().copied());
            }
        }
        Value {
            is,
            holds: value.holds.clone(),
        }
    }

    /// A value and all that can be within it.
    pub(super) fn descend(&self, value: &Value) -> Value {
        let mut found = value.all();
        let mut todo: Vec<ConstId> = found.iter().copied().collect();
        while let Some(id) = todo.pop() {
            if let Some(Some(inner)) = self.inner.get(id as usize) {
                todo.extend(inner.iter().copied().filter(|child| found.insert(*child)));
            }
        }
        Value {
            is: found.clone(),
            holds: found,
        }
    }
}
