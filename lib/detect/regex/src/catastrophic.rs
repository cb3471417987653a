//! Patterns that make CPython's engine take exponential time: a loop that can read the same text in several
//! ways, in front of something that can fail. A heuristic for a linter; it errs on both sides.

use crate::ast::Greed;
use crate::charset::{CharSet, LAST};
use crate::ir::Ir;

/// Why a pattern is dangerous in a backtracking engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Catastrophic {
    /// What is wrong, for a reader who wrote the pattern.
    pub reason: &'static str,
}

/// Fewer turns than this cannot take long.
const TURNS_MIN: u32 = 16;

const NESTED: &str = "a repetition within a repetition reads the same text in many ways, like (a+)+";
const BRANCHES: &str = "branches within a repetition read the same text, like (a|aa)+";

/// The first danger of a pattern.
pub(crate) fn find(ir: &Ir) -> Option<Catastrophic> {
    walk(ir, false).map(|reason| Catastrophic { reason })
}

/// `fails` says whether something behind this node can fail, so that its ways are tried in turn.
fn walk(ir: &Ir, fails: bool) -> Option<&'static str> {
    match ir {
        Ir::Concat(parts) => {
            let mut fails = fails;
            for part in parts.iter().rev() {
                if let Some(reason) = walk(part, fails) {
                    return Some(reason);
                }
                fails |= can_fail(part);
            }
            None
        }
        Ir::Repeat { max, body, greed, .. } => {
            let looped = max.is_none_or(|max| max >= TURNS_MIN) && *greed != Greed::Possessive;
            if looped && fails {
                return ambiguous(body).or_else(|| walk(body, true));
            }
            walk(body, fails || (looped && can_fail(body)))
        }
        // Nobody backtracks into these, but within them.
        Ir::Atomic(body) | Ir::Look { body, .. } => walk(body, false),
        _ => ir.children().into_iter().find_map(|child| walk(child, fails)),
    }
}

fn can_fail(ir: &Ir) -> bool {
    match ir {
        Ir::Set(_) | Ir::At(_) | Ir::Look { .. } | Ir::Backref { .. } | Ir::Conditional { .. } => true,
        Ir::Repeat { min, body, .. } => *min > 0 && can_fail(body),
        Ir::Capture { body, .. } | Ir::Atomic(body) => can_fail(body),
        Ir::Concat(parts) => parts.iter().any(can_fail),
        Ir::Alternate(branches) => branches.iter().all(can_fail),
    }
}

/// Whether two turns of a loop over `body` can read what one turn can.
fn ambiguous(body: &Ir) -> Option<&'static str> {
    let first = first(body);
    if ends_in_repeat_of(body, &first) {
        return Some(NESTED);
    }
    branches_overlap(body).then_some(BRANCHES)
}

/// True when the body can end in a repetition of something that it can also begin with.
fn ends_in_repeat_of(ir: &Ir, start: &CharSet) -> bool {
    match ir {
        Ir::Repeat {
            min,
            max,
            greed,
            body,
        } => {
            let varies = max.is_none_or(|max| max > *min && max > 1) && *greed != Greed::Possessive;
            (varies && first(body).overlaps(start)) || ends_in_repeat_of(body, start)
        }
        Ir::Capture { body, .. } => ends_in_repeat_of(body, start),
        Ir::Alternate(branches) => branches.iter().any(|branch| ends_in_repeat_of(branch, start)),
        // What follows the repetition must be able to vanish, or to be read by the repetition itself.
        Ir::Concat(parts) => parts.iter().enumerate().any(|(at, part)| {
            let repeated = first(part);
            let absorbed = |rest: &Ir| rest.is_nullable() || first(rest).overlaps(&repeated);
            ends_in_repeat_of(part, start) && parts.iter().skip(at + 1).all(absorbed)
        }),
        _ => false,
    }
}

/// True when one branch is a single character and another consists of such characters only.
fn branches_overlap(ir: &Ir) -> bool {
    let branches = match ir {
        Ir::Capture { body, .. } => return branches_overlap(body),
        Ir::Alternate(branches) => branches,
        _ => return false,
    };
    let sets = |ir: &Ir| -> Option<Vec<CharSet>> {
        let set = |ir: &Ir| {
            if let Ir::Set(set) = ir {
                Some((**set).clone())
            } else {
                None
            }
        };
        match ir {
            Ir::Concat(parts) if !parts.is_empty() => parts.iter().map(set).collect(),
            other => set(other).map(|set| vec![set]),
        }
    };
    let branches: Vec<Vec<CharSet>> = branches.iter().filter_map(sets).collect();
    branches.iter().enumerate().any(|(at, one)| match one.as_slice() {
        [single] => {
            let read_twice = |other: &Vec<CharSet>| other.iter().all(|set| set.overlaps(single));
            branches
                .iter()
                .enumerate()
                .any(|(place, other)| place != at && read_twice(other))
        }
        _ => false,
    })
}

/// The characters that a match can begin with.
fn first(ir: &Ir) -> CharSet {
    let mut ranges = Vec::new();
    add_first(ir, &mut ranges);
    CharSet::new(ranges)
}

fn add_first(ir: &Ir, ranges: &mut Vec<(u32, u32)>) {
    match ir {
        Ir::Set(set) => ranges.extend_from_slice(set.ranges()),
        Ir::Backref { .. } => ranges.push((0, LAST)),
        Ir::At(_) | Ir::Look { .. } => {}
        Ir::Concat(parts) => {
            for part in parts {
                add_first(part, ranges);
                if !part.is_nullable() {
                    break;
                }
            }
        }
        _ => ir
            .children()
            .into_iter()
            .for_each(|child| add_first(child, ranges)),
    }
}
