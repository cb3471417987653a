//! Which exceptions an expression may raise, and which of them an `except` clause catches.

use super::cond::Cond;
use crate::types::ExcKind;

/// When which exception may be raised. Upper bounds, as in [`super::expr::Abs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raises {
    /// `KeyError` itself, no class derived from it.
    pub(super) key: Cond,
    /// `TypeError` itself.
    pub(super) kind: Cond,
    /// Anything.
    pub(super) other: Cond,
}

/// Whether a clause catches an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Catch {
    No,
    Perhaps,
    Surely,
}

/// What an `except` clause catches of the three.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caught {
    key: Catch,
    kind: Catch,
    other: Catch,
}

impl From<Cond> for Raises {
    fn from(other: Cond) -> Self {
        Self { other, ..Self::NEVER }
    }
}

impl Raises {
    pub(super) const NEVER: Self = Self {
        key: Cond::False,
        kind: Cond::False,
        other: Cond::False,
    };

    /// When anything is raised at all.
    pub(super) fn anything(self) -> Cond {
        Cond::any([self.key, self.kind, self.other])
    }

    /// Either.
    pub(super) fn or(self, more: impl Into<Self>) -> Self {
        let more = more.into();
        Self {
            key: self.key.or(more.key),
            kind: self.kind.or(more.kind),
            other: self.other.or(more.other),
        }
    }

    /// Only when this holds, too.
    pub(super) fn when(self, when: &Cond) -> Self {
        Self {
            key: when.clone().and(self.key),
            kind: when.clone().and(self.kind),
            other: when.clone().and(self.other),
        }
    }

    /// One of these.
    pub(super) fn any(all: Vec<Self>) -> Self {
        let (mut key, mut kind, mut other) = (Vec::new(), Vec::new(), Vec::new());
        for raises in all {
            key.push(raises.key);
            kind.push(raises.kind);
            other.push(raises.other);
        }
        Self {
            key: Cond::any(key),
            kind: Cond::any(kind),
            other: Cond::any(other),
        }
    }

    /// When a clause is reached, and what goes on to the next one.
    pub(super) fn handled(self, caught: Caught) -> (Cond, Self) {
        let mut reached = Vec::new();
        let mut one = |when: Cond, catch: Catch| {
            if catch != Catch::No {
                reached.push(when.clone());
            }
            match catch {
                Catch::Surely => Cond::False,
                _ => when,
            }
        };
        let rest = Self {
            key: one(self.key, caught.key),
            kind: one(self.kind, caught.kind),
            other: one(self.other, caught.other),
        };
        (Cond::any(reached), rest)
    }
}

impl Caught {
    /// A clause without classes.
    pub(super) const ALL: Self = Self {
        key: Catch::Surely,
        kind: Catch::Surely,
        other: Catch::Surely,
    };

    /// A clause of which nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        key: Catch::Perhaps,
        kind: Catch::Perhaps,
        other: Catch::Perhaps,
    };

    /// A clause of built-in classes. What is raised by a `raise` statement counts as leaving, too, so that `Exception`
    /// is taken for catching all that expressions raise.
    pub(super) fn of(classes: &[ExcKind]) -> Self {
        let one = |kind: ExcKind| match classes.iter().any(|class| kind.is_subclass(*class)) {
            true => Catch::Surely,
            false => Catch::No,
        };
        Self {
            key: one(ExcKind::KeyError),
            kind: one(ExcKind::TypeError),
            other: match one(ExcKind::Exception) {
                Catch::No => Catch::Perhaps,
                surely => surely,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cond::Fact;
    use super::*;

    fn raises() -> Raises {
        Raises {
            key: Cond::atom(0, Fact::Absent),
            kind: Cond::atom(1, Fact::Odd),
            other: Cond::atom(2, Fact::NotText),
        }
    }

    #[test]
    fn a_clause_catches_its_class_and_those_derived_from_it() {
        let (reached, rest) = raises().handled(Caught::of(&[ExcKind::LookupError]));
        assert_eq!(
            reached,
            Cond::any([Cond::atom(0, Fact::Absent), Cond::atom(2, Fact::NotText)])
        );
        assert_eq!((rest.key, rest.kind), (Cond::False, Cond::atom(1, Fact::Odd)));
        assert_eq!(rest.other, Cond::atom(2, Fact::NotText), "it may be another one");
    }

    #[test]
    fn a_clause_for_another_class_catches_nothing_for_sure() {
        let (reached, rest) = raises().handled(Caught::of(&[ExcKind::ValueError]));
        assert_eq!(reached, Cond::atom(2, Fact::NotText));
        assert_eq!(rest, raises());
    }

    #[test]
    fn a_clause_for_all_leaves_nothing() {
        for caught in [
            Caught::ALL,
            Caught::of(&[ExcKind::ValueError, ExcKind::Exception]),
        ] {
            let (reached, rest) = raises().handled(caught);
            assert_eq!(reached, raises().anything());
            assert_eq!(rest, Raises::NEVER);
        }
    }
}
