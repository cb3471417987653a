//! The parsed pattern, before flags are applied: `(?i)` in the middle acts on what stands before it
//! (until Python 3.10), so flags are known only after the last character.

use crate::flags::Flags;

/// `\d`, `\s`, `\w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Digit,
    Space,
    Word,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClassItem {
    /// Both ends included. May hold surrogates, which no text here has.
    Range(u32, u32),
    Category {
        category: Category,
        negated: bool,
    },
}

/// A position that is tested, without width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `^`
    Caret,
    /// `$`
    Dollar,
    /// `\A`
    Start,
    /// `\Z`
    End,
    /// `\b`
    Boundary,
    /// `\B`
    NonBoundary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Literal(u32),
    Class {
        negated: bool,
        items: Vec<ClassItem>,
    },
    Any,
    Place(Place),
    Repeat {
        min: u32,
        max: Option<u32>,
        greed: Greed,
        body: Box<Node>,
    },
    Group {
        index: Option<u32>,
        add: Flags,
        del: Flags,
        body: Box<Node>,
    },
    Atomic(Box<Node>),
    Look {
        ahead: bool,
        negated: bool,
        body: Box<Node>,
    },
    Backref(u32),
    Conditional {
        group: u32,
        yes: Box<Node>,
        no: Option<Box<Node>>,
    },
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
}

/// The fewest and the most characters that a match can have. Saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Width {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Width {
    pub(crate) const ZERO: Width = Width { min: 0, max: 0 };
    pub(crate) const ONE: Width = Width { min: 1, max: 1 };

    fn then(self, other: Width) -> Width {
        Width {
            min: self.min.saturating_add(other.min),
            max: self.max.saturating_add(other.max),
        }
    }

    fn or(self, other: Width) -> Width {
        Width {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    fn times(self, min: u32, max: Option<u32>) -> Width {
        let most = match max {
            Some(max) => self.max.saturating_mul(u64::from(max)),
            None if self.max == 0 => 0,
            None => u64::MAX,
        };
        Width {
            min: self.min.saturating_mul(u64::from(min)),
            max: most,
        }
    }
}

impl Node {
    /// The width, given those of the closed groups by number.
    pub(crate) fn width(&self, groups: &[Option<Width>]) -> Width {
        match self {
            Node::Literal(_) | Node::Class { .. } | Node::Any => Width::ONE,
            Node::Place(_) | Node::Look { .. } => Width::ZERO,
            Node::Repeat { min, max, body, .. } => body.width(groups).times(*min, *max),
            Node::Group { body, .. } | Node::Atomic(body) => body.width(groups),
            Node::Backref(group) => groups.get(*group as usize).copied().flatten().unwrap_or(Width {
                min: 0,
                max: u64::MAX,
            }),
            Node::Conditional { yes, no, .. } => {
                let no = no.as_ref().map_or(Width::ZERO, |no| no.width(groups));
                let yes = yes.width(groups);
                Width {
                    min: yes.min.min(no.min),
                    max: yes.max.max(no.max),
                }
            }
            Node::Concat(parts) => parts
                .iter()
                .fold(Width::ZERO, |width, part| width.then(part.width(groups))),
            Node::Alternate(branches) => {
                let mut widths = branches.iter().map(|branch| branch.width(groups));
                let first = widths.next().unwrap_or(Width::ZERO);
                widths.fold(first, Width::or)
            }
        }
    }
}
