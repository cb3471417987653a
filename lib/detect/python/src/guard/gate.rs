//! What StreamAlert's engine asks before it runs a rule: required sub-keys and datatypes.

use std::collections::BTreeSet;

use streamalert_detect::{NORMALIZATION_KEY, RuleInfo};

use super::cond::{Cond, Fact};
use super::paths::Paths;

/// A rule's condition, on records that the rule is run on at all.
pub(super) fn gated(condition: Cond, paths: &mut Paths, info: &RuleInfo) -> Cond {
    // Fields that are there, with dictionaries on the way to them, wherever the rule is run.
    let mut known = BTreeSet::new();
    let mut gates = Vec::new();
    for (key, subs) in &info.req_subkeys {
        let Some(parent) = paths.child(None, key) else {
            continue;
        };
        known.insert(parent);
        for path in subs.iter().filter_map(|sub| paths.child(Some(parent), sub)) {
            known.insert(path);
            gates.push(Cond::atom(path, Fact::Present));
        }
    }
    // `Odd` stays: it also stands for a value that cannot be represented here.
    let condition = condition
        .without(&|atom| known.contains(&atom.path) && matches!(atom.fact, Fact::Absent | Fact::UnderNull));
    let condition = gates.into_iter().fold(condition, Cond::and);
    match (&info.logs, paths.child(None, NORMALIZATION_KEY)) {
        (None, Some(parent)) if !info.datatypes.is_empty() => {
            let kinds = info.datatypes.iter();
            let there = kinds.map(|kind| match paths.child(Some(parent), kind) {
                Some(path) => Cond::atom(path, Fact::Present),
                None => Cond::True,
            });
            condition.and(Cond::any(there))
        }
        _ => condition,
    }
}
