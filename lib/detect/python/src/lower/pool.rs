//! What functions share: constants, fallback points, field paths.

use std::collections::HashMap;

use hashbrown::HashTable;
use num_bigint::BigInt;
use num_traits::ToPrimitive;

use crate::ops::{hash_const, key};
use crate::program::{Const, ConstDict, ConstId, ConstSeq, ConstSet, Path, PathId, Point, PointId};

/// Deeper tuples are not hashed.
const HASH_DEPTH_MAX: u32 = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) consts: Vec<Const>,
    literals: HashMap<Literal, ConstId>,
    pub(super) points: Vec<Point>,
    point_ids: HashMap<(u32, u32, String), PointId>,
    pub(super) paths: Vec<Path>,
    path_ids: HashMap<(Option<PathId>, Box<str>), PathId>,
    hashes: HashMap<ConstId, Option<u64>>,
}

/// What makes literals the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Literal {
    None,
    Ellipsis,
    Bool(bool),
    Int(i64),
    Big(Vec<u32>),
    Float(u64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    Tuple(Vec<ConstId>),
    List(Vec<ConstId>),
    Set(Vec<ConstId>),
    FrozenSet(Vec<ConstId>),
    Named(String, String),
}

impl Pool {
    fn intern(&mut self, literal: Literal, make: impl FnOnce(ConstId) -> Const) -> ConstId {
        let next = self.consts.len() as ConstId;
        let id = *self.literals.entry(literal).or_insert(next);
        if id == next {
            self.consts.push(make(id));
        }
        id
    }

    /// A constant of its own.
    pub(super) fn push(&mut self, make: impl FnOnce(ConstId) -> Const) -> ConstId {
        let id = self.consts.len() as ConstId;
        self.consts.push(make(id));
        id
    }

    pub(super) fn none(&mut self) -> ConstId {
        self.intern(Literal::None, |_| Const::None)
    }

    pub(super) fn ellipsis(&mut self) -> ConstId {
        self.intern(Literal::Ellipsis, |_| Const::Ellipsis)
    }

    pub(super) fn bool(&mut self, value: bool) -> ConstId {
        self.intern(Literal::Bool(value), |_| Const::Bool(value))
    }

    pub(super) fn int(&mut self, value: i64) -> ConstId {
        self.intern(Literal::Int(value), |_| Const::Int(value))
    }

    pub(super) fn integer(&mut self, value: &BigInt) -> ConstId {
        match integer(value) {
            Const::Int(value) => self.int(value),
            Const::Big(digits) => self.intern(Literal::Big(digits.to_vec()), |_| Const::Big(digits)),
            _ => self.none(),
        }
    }

    pub(super) fn float(&mut self, value: f64) -> ConstId {
        self.intern(Literal::Float(value.to_bits()), |_| Const::Float(value))
    }

    pub(super) fn str(&mut self, value: &str) -> ConstId {
        self.intern(Literal::Str(value.into()), |_| Const::Str(value.into()))
    }

    pub(super) fn bytes(&mut self, value: Vec<u8>) -> ConstId {
        let value = value.into_boxed_slice();
        self.intern(Literal::Bytes(value.clone()), |_| Const::Bytes(value))
    }

    pub(super) fn tuple(&mut self, items: Vec<ConstId>) -> ConstId {
        self.intern(Literal::Tuple(items.clone()), |id| {
            Const::Tuple(ConstSeq {
                id,
                items: items.into(),
            })
        })
    }

    /// A module's attribute or a built-in, once per name.
    pub(super) fn named(&mut self, module: &str, name: &str, value: Const) -> ConstId {
        self.intern(Literal::Named(module.to_owned(), name.to_owned()), |_| value)
    }

    /// A frozen list of literals.
    pub(super) fn list(&mut self, items: Vec<ConstId>) -> ConstId {
        self.intern(Literal::List(items.clone()), |id| {
            Const::List(ConstSeq {
                id,
                items: items.into(),
            })
        })
    }

    /// A frozen `set` of literals; `None` when one is unhashable.
    pub(super) fn set(&mut self, items: Vec<ConstId>) -> Option<ConstId> {
        let set = self.set_of(0, &items)?;
        Some(self.intern(Literal::Set(items), |id| Const::Set(ConstSet { id, ..set })))
    }

    /// Whether a constant is a text.
    pub(super) fn is_text(&self, id: ConstId) -> bool {
        matches!(self.consts.get(id as usize), Some(Const::Str(_)))
    }

    /// `frozenset` of literals; `None` when one is unhashable.
    pub(super) fn frozen_set(&mut self, items: Vec<ConstId>) -> Option<ConstId> {
        let set = self.set_of(0, &items)?;
        Some(self.intern(Literal::FrozenSet(items), |id| {
            Const::FrozenSet(ConstSet { id, ..set })
        }))
    }

    /// A set; `None` when an element is unhashable.
    pub(super) fn set_of(&mut self, id: ConstId, items: &[ConstId]) -> Option<ConstSet> {
        let mut entries: Vec<(u64, ConstId)> = Vec::with_capacity(items.len());
        let mut table: HashTable<u32> = HashTable::with_capacity(items.len());
        for item in items {
            let hash = self.hash(*item)?;
            let known = table.find(hash, |at| {
                entries
                    .get(*at as usize)
                    .is_some_and(|entry| entry.0 == hash && self.same(entry.1, *item))
            });
            if known.is_none() {
                let at = entries.len() as u32;
                entries.push((hash, *item));
                table.insert_unique(hash, at, |at| {
                    entries.get(*at as usize).map_or(0, |entry| entry.0)
                });
            }
        }
        Some(ConstSet {
            id,
            entries: entries.into(),
            table,
        })
    }

    /// A dictionary; `None` when a key is unhashable.
    pub(super) fn dict_of(&mut self, id: ConstId, items: &[(ConstId, ConstId)]) -> Option<ConstDict> {
        let mut entries: Vec<(u64, ConstId, ConstId)> = Vec::with_capacity(items.len());
        let mut table: HashTable<u32> = HashTable::with_capacity(items.len());
        for (key, value) in items {
            let hash = self.hash(*key)?;
            let known = table.find(hash, |at| {
                entries
                    .get(*at as usize)
                    .is_some_and(|entry| entry.0 == hash && self.same(entry.1, *key))
            });
            match known.copied() {
                Some(at) => {
                    if let Some(entry) = entries.get_mut(at as usize) {
                        entry.2 = *value;
                    }
                }
                None => {
                    let at = entries.len() as u32;
                    entries.push((hash, *key, *value));
                    table.insert_unique(hash, at, |at| {
                        entries.get(*at as usize).map_or(0, |entry| entry.0)
                    });
                }
            }
        }
        Some(ConstDict {
            id,
            entries: entries.into(),
            table,
        })
    }

    pub(super) fn empty_dict(&mut self) -> ConstId {
        self.push(|id| {
            Const::Dict(ConstDict {
                id,
                entries: Box::default(),
                table: HashTable::new(),
            })
        })
    }

    pub(super) fn empty_list(&mut self) -> ConstId {
        self.push(|id| {
            Const::List(ConstSeq {
                id,
                items: Box::default(),
            })
        })
    }

    /// The hash of a constant, as `ops::hash` computes it; `None` when it is unhashable or not known.
    pub(super) fn hash(&mut self, id: ConstId) -> Option<u64> {
        self.hash_within(id, 0)
    }

    fn hash_within(&mut self, id: ConstId, depth: u32) -> Option<u64> {
        if depth > HASH_DEPTH_MAX {
            return None;
        }
        if let Some(known) = self.hashes.get(&id) {
            return *known;
        }
        let nested: Vec<ConstId> = match self.consts.get(id as usize)? {
            Const::Tuple(seq) => seq.items.to_vec(),
            Const::FrozenSet(set) => set.entries.iter().map(|entry| entry.1).collect(),
            _ => return hash_const(&self.consts, id),
        };
        let hashes: Option<Vec<u64>> = nested
            .into_iter()
            .map(|item| self.hash_within(item, depth + 1))
            .collect();
        let hash = hashes.map(|hashes| match self.consts.get(id as usize) {
            Some(Const::Tuple(_)) => key::hash_tuple(hashes),
            _ => key::hash_frozenset(hashes),
        });
        self.hashes.insert(id, hash);
        hash
    }

    /// Equality of hashable constants of equal hash.
    fn same(&self, a: ConstId, b: ConstId) -> bool {
        if a == b {
            return true;
        }
        let (Some(left), Some(right)) = (self.consts.get(a as usize), self.consts.get(b as usize)) else {
            return false;
        };
        match (left, right) {
            (Const::None, Const::None) | (Const::Ellipsis, Const::Ellipsis) => true,
            (Const::Str(a), Const::Str(b)) => a == b,
            (Const::Bytes(a), Const::Bytes(b)) => a == b,
            (Const::Big(a), Const::Big(b)) => a == b,
            (Const::Tuple(a), Const::Tuple(b)) => {
                a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(|(a, b)| self.same(*a, *b))
            }
            (Const::FrozenSet(a), Const::FrozenSet(b)) => {
                a.entries.len() == b.entries.len()
                    && a.entries
                        .iter()
                        .all(|(_, x)| b.entries.iter().any(|(_, y)| self.same(*x, *y)))
            }
            _ => match (number(left), number(right)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }

    /// A fallback point.
    pub(super) fn point(
        &mut self,
        source: u32,
        line: u32,
        reason: impl Into<String>,
        advice: &str,
    ) -> PointId {
        let reason = reason.into();
        let next = self.points.len() as PointId;
        let id = *self
            .point_ids
            .entry((source, line, reason.clone()))
            .or_insert(next);
        if id == next {
            self.points.push(Point {
                source,
                line,
                reason: reason.into(),
                advice: advice.into(),
            });
        }
        id
    }

    /// A field path.
    pub(super) fn path(&mut self, parent: Option<PathId>, name: &str) -> PathId {
        let next = self.paths.len() as PathId;
        let id = *self.path_ids.entry((parent, name.into())).or_insert(next);
        if id == next {
            self.paths.push(Path::new(parent, name));
        }
        id
    }

    /// How many keys a path has.
    pub(super) fn path_depth(&self, path: PathId) -> usize {
        let mut depth = 1;
        let mut at = path;
        while let Some(parent) = self.paths.get(at as usize).and_then(|path| path.parent) {
            depth += 1;
            at = parent;
        }
        depth
    }
}

/// Numbers that can be equal across classes. An `int` beyond 2^53 is compared exactly.
#[derive(PartialEq)]
enum Number {
    Int(i64),
    Float(f64),
}

fn number(value: &Const) -> Option<Number> {
    Some(match value {
        Const::Bool(value) => Number::Int(i64::from(*value)),
        Const::Int(value) => Number::Int(*value),
        Const::Float(value) => {
            let whole = *value as i64;
            if value.trunc() == *value && value.abs() < 9.2e18 && whole as f64 == *value {
                Number::Int(whole)
            } else {
                Number::Float(*value)
            }
        }
        _ => return None,
    })
}

/// The constant of an integer.
pub(super) fn integer(value: &BigInt) -> Const {
    match value.to_i64() {
        Some(value) => Const::Int(value),
        None => {
            let (sign, digits) = value.to_u32_digits();
            let mut laid_out = vec![u32::from(sign == num_bigint::Sign::Minus)];
            laid_out.extend(digits);
            Const::Big(laid_out.into())
        }
    }
}
