//! Conditions on a record: when may an expression be true, false, raise, or leave? Every condition is an upper bound:
//! where it does not hold, the thing cannot happen; where it holds, it may. So anything may be replaced by
//! [`Cond::True`], which is what keeps conditions small.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::PathId;

/// A condition, without negations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cond {
    /// Never.
    False,
    /// Perhaps always.
    True,
    /// A fact about one field.
    Atom(Atom),
    /// All of these.
    And(Vec<Cond>),
    /// One of these.
    Or(Vec<Cond>),
}

/// A fact about the value of one field path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom {
    /// The field.
    pub path: PathId,
    /// What is so.
    pub fact: Fact,
}

/// What may be so about a field's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// It is missing, and every container on the way is a dictionary.
    Absent,
    /// Something on the way is no dictionary, or the value cannot be represented here.
    Odd,
    /// The container that it should be in is `None`.
    UnderNull,
    /// It is there and true: neither empty nor zero nor `None`.
    Filled,
    /// It is there and not true.
    Empty,
    /// It is there.
    Present,
    /// It is there and no text.
    NotText,
    /// It is there, and a list or dictionary.
    Container,
    /// It is there, and a list.
    List,
    /// It is there, and neither text nor list nor dictionary.
    Scalar,
    /// It is there and no number.
    NotNumber,
    /// It is this text.
    Text(Box<str>),
    /// Its lower-case form is this text.
    Lower(Box<str>),
    /// Its upper-case form is this text.
    Upper(Box<str>),
    /// It is a text that begins so.
    Prefix(Box<str>),
    /// It is a text that ends so.
    Suffix(Box<str>),
    /// It is a text that holds this.
    Contains(Box<str>),
    /// It is a text whose lower-case form holds this.
    LowerContains(Box<str>),
    /// It equals this integer (`1`, `1.0`, `True`).
    Int(i64),
    /// It is `None`.
    Null,
    /// It is a number above this (or equal to it).
    Above(Real),
    /// It is a number below this (or equal to it).
    Below(Real),
    /// It is the text of an address in one of these networks, or not plainly an address.
    Network(super::cidr::Networks),
}

/// A float with an order, to be part of a fact.
#[derive(Debug, Clone, Copy)]
pub struct Real(pub f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Real {}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl std::hash::Hash for Real {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// Alternatives beyond which a condition is given up: the index has to hold them all.
const ALTERNATIVES_MAX: usize = 4096;
/// Conjuncts beyond which further ones are left out.
const CONJUNCTS_MAX: usize = 16;
/// Parts of a condition beyond which it is taken for true.
const SIZE_MAX: usize = 8192;

impl Cond {
    /// A fact.
    #[must_use]
    pub const fn atom(path: PathId, fact: Fact) -> Self {
        Self::Atom(Atom { path, fact })
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, cond) | (cond, Self::True) => cond,
            (one, two) if one == two => one,
            (one, two) => {
                let mut parts = match one {
                    Self::And(parts) => parts,
                    one => vec![one],
                };
                match two {
                    Self::And(more) => {
                        for part in more {
                            if !parts.contains(&part) {
                                parts.push(part);
                            }
                        }
                    }
                    two if parts.contains(&two) => {}
                    two => parts.push(two),
                }
                parts.truncate(CONJUNCTS_MAX);
                Self::And(parts)
            }
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, cond) | (cond, Self::False) => cond,
            (one, two) => Self::any([one, two]),
        }
    }

    /// One of these.
    #[must_use]
    pub fn any(conds: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = BTreeSet::new();
        for cond in conds {
            match cond {
                Self::True => return Self::True,
                Self::False => {}
                Self::Or(more) => parts.extend(more),
                cond => {
                    parts.insert(cond);
                }
            }
        }
        // `a or (a and b)` is `a`: conditions of different ends of one function are mostly of this form.
        let weaker: Vec<Self> = parts
            .iter()
            .filter(|part| !matches!(part, Self::And(_)))
            .cloned()
            .collect();
        parts.retain(|part| match part {
            Self::And(conjuncts) => !conjuncts.iter().any(|conjunct| weaker.contains(conjunct)),
            _ => true,
        });
        let size: usize = parts.iter().map(Self::size).sum();
        match parts.len() {
            0 => Self::False,
            1 => parts.pop_first().unwrap_or(Self::True),
            many if many > ALTERNATIVES_MAX || size > SIZE_MAX => Self::True,
            _ => Self::Or(parts.into_iter().collect()),
        }
    }

    /// What is left of it where some facts cannot be.
    #[must_use]
    pub(super) fn without(self, impossible: &impl Fn(&Atom) -> bool) -> Self {
        match self {
            Self::Atom(atom) if impossible(&atom) => Self::False,
            Self::And(parts) => parts
                .into_iter()
                .map(|part| part.without(impossible))
                .fold(Self::True, Self::and),
            Self::Or(parts) => Self::any(parts.into_iter().map(|part| part.without(impossible))),
            other => other,
        }
    }

    /// How many parts it has.
    fn size(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => 1 + parts.iter().map(Self::size).sum::<usize>(),
            _ => 1,
        }
    }

    /// Facts of which one at least holds whenever the condition does, with their cost: how many records are likely to
    /// have one of them, in thousandths. `None`: no such set is worth an index.
    #[must_use]
    pub fn clause(&self) -> Option<(Vec<Atom>, u64)> {
        match self {
            Self::True => None,
            Self::False => Some((Vec::new(), 0)),
            Self::Atom(atom) => atom.fact.cost().map(|cost| (vec![atom.clone()], cost)),
            Self::And(parts) => parts
                .iter()
                .filter_map(Self::clause)
                .min_by_key(|(_, cost)| *cost),
            Self::Or(parts) => Self::one_of_each(parts),
        }
    }

    /// Facts that cover every alternative. Alternatives often share a part, such as the condition under which all of
    /// them are reached: each is asked a second time, when what the others need is known and costs nothing more.
    fn one_of_each(parts: &[Self]) -> Option<(Vec<Atom>, u64)> {
        let mut chosen = Vec::with_capacity(parts.len());
        let mut needed: BTreeMap<Atom, usize> = BTreeMap::new();
        for part in parts {
            let (atoms, _) = part.clause()?;
            for atom in &atoms {
                *needed.entry(atom.clone()).or_default() += 1;
            }
            chosen.push(atoms);
        }
        for (part, atoms) in parts.iter().zip(chosen) {
            let Self::And(conjuncts) = part else { continue };
            for atom in &atoms {
                needed.entry(atom.clone()).and_modify(|by| *by -= 1);
            }
            let others = |atom: &Atom| needed.get(atom).is_some_and(|by| *by > 0);
            let added = |atoms: &[Atom]| cost_of(atoms.iter().filter(|atom| !others(atom)));
            let clauses = conjuncts.iter().filter_map(Self::clause).map(|(atoms, _)| atoms);
            let least = clauses.min_by_key(|atoms| added(atoms)).unwrap_or(atoms);
            for atom in least {
                *needed.entry(atom).or_default() += 1;
            }
        }
        needed.retain(|_, by| *by > 0);
        let cost = cost_of(needed.keys());
        (cost < 1000).then(|| (needed.into_keys().collect(), cost))
    }
}

fn cost_of<'a>(atoms: impl IntoIterator<Item = &'a Atom>) -> u64 {
    atoms.into_iter().filter_map(|atom| atom.fact.cost()).sum()
}

impl Fact {
    /// How many of a thousand records are likely to have it; `None` when too many do.
    const fn cost(&self) -> Option<u64> {
        match self {
            Self::Text(_) | Self::Lower(_) | Self::Upper(_) => Some(8),
            Self::Odd => Some(1),
            Self::NotText => Some(4),
            Self::Absent => Some(20),
            Self::Network(_) => Some(30),
            Self::Prefix(_) | Self::Suffix(_) | Self::Contains(_) | Self::LowerContains(_) => Some(12),
            Self::Int(_) => Some(40),
            Self::Container | Self::List | Self::Scalar | Self::NotNumber => Some(6),
            Self::Null => Some(60),
            Self::Above(_) | Self::Below(_) => Some(120),
            Self::UnderNull => Some(20),
            Self::Filled => Some(150),
            // Rules that ask for what is not there mean most records.
            Self::Empty => Some(300),
            Self::Present => Some(200),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str) -> Cond {
        Cond::atom(0, Fact::Text(text.into()))
    }

    #[test]
    fn false_is_neutral_in_or_and_true_in_and() {
        assert_eq!(is("a").or(Cond::False), is("a"));
        assert_eq!(is("a").and(Cond::True), is("a"));
        assert_eq!(is("a").or(Cond::True), Cond::True);
        assert_eq!(is("a").and(Cond::False), Cond::False);
    }

    #[test]
    fn a_stronger_alternative_is_left_out() {
        let stronger = is("a").and(Cond::atom(1, Fact::Absent));
        assert_eq!(is("a").or(stronger), is("a"));
    }

    #[test]
    fn what_alternatives_share_is_cheaper_than_one_fact_of_each() {
        let shared = Cond::atom(0, Fact::Int(403)).or(Cond::atom(0, Fact::Odd));
        let alternatives = [Fact::Absent, Fact::Present, Fact::Filled];
        let each = alternatives.map(|fact| shared.clone().and(Cond::atom(1, fact)));
        let cond = Cond::any(each.into_iter().chain([Cond::atom(0, Fact::Odd)]));
        let (atoms, _) = cond.clause().unwrap();
        assert!(atoms.iter().all(|atom| atom.path == 0), "{atoms:?}");
    }

    #[test]
    fn the_clause_of_a_conjunction_is_its_rarest_part() {
        let cond = Cond::atom(1, Fact::Present).and(is("a").or(is("b")));
        let (atoms, _) = cond.clause().unwrap();
        assert_eq!(atoms.len(), 2);
        assert!(atoms.iter().all(|atom| atom.path == 0));
        assert!(Cond::True.clause().is_none());
    }
}
