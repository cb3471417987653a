use std::collections::{BTreeMap, BTreeSet, HashSet};

use streamalert_detect::{KillReason, RecordOutcome, RuleIndex, RuleOutcome, RuleResult, RuleSet};
use streamalert_types::Record;

use crate::frame::Plans;
use crate::marshal::{Group, GroupWriter};

/// Records that a worker reads at once. They share their keys; but what is read too early leaves the processor's cache
/// again before its rules run.
const GROUP_RECORDS_MAX: usize = 16;

/// Bytes of JSON of such a group, beyond its first record. Bounds what an unreadable record takes along.
const GROUP_BYTES_MAX: usize = 64 << 10;

/// A record and the rules to evaluate on it.
#[derive(Debug, Clone)]
pub struct PairRecord {
    /// The record.
    pub record: Record,
    /// The rules, each once. Whether they are candidates for the record's log type, or disabled, is the caller's
    /// business.
    pub rules: Box<[RuleIndex]>,
}

/// Which rules a record is for.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The candidates of its log type.
    Candidates,
    /// These.
    Rules(Box<[RuleIndex]>),
}

impl Wanted {
    pub(crate) fn of<'a>(&'a self, record: &Record, rules: &'a RuleSet) -> &'a [RuleIndex] {
        match self {
            Self::Candidates => rules.for_log_type(&record.log_type),
            Self::Rules(wanted) => wanted,
        }
    }
}

/// A batch on its way through one or more slices.
pub(crate) struct Batch {
    records: Vec<(Record, Wanted)>,
    results: Vec<Vec<RuleResult>>,
    /// Records before this one are done.
    from: usize,
    /// The records as a worker reads them, and the place of each group's first record.
    groups: Vec<(usize, Group)>,
    /// (record, rule) pairs that already have their outcome.
    settled: BTreeSet<(usize, RuleIndex)>,
    /// Worker deaths at a record that no rule answers for.
    unexplained: BTreeMap<usize, u32>,
    /// Every group holds one record, so that a death while reading names the record.
    apart: bool,
}

impl Batch {
    pub(crate) fn new(records: Vec<(Record, Wanted)>, rules: &RuleSet, writer: &mut GroupWriter) -> Self {
        Self {
            results: records.iter().map(|_| Vec::new()).collect(),
            groups: groups(&records, 0, rules, writer, GROUP_RECORDS_MAX),
            records,
            from: 0,
            settled: BTreeSet::new(),
            unexplained: BTreeMap::new(),
            apart: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.from >= self.records.len()
    }

    /// How many records are left.
    pub(crate) fn left(&self) -> usize {
        self.records.len() - self.from
    }

    /// The groups that hold what is left, and how many records at the beginning of the first one are done.
    pub(crate) fn groups_left(&self) -> (impl Iterator<Item = &Group> + Clone, usize) {
        let first = self
            .groups
            .partition_point(|(start, _)| *start <= self.from)
            .saturating_sub(1);
        let done = self.groups.get(first).map_or(0, |(start, _)| self.from - start);
        (self.groups.iter().skip(first).map(|(_, group)| group), done)
    }

    /// Which rules to run on each record of [`groups_left`](Self::groups_left), but for those in `off` and those that
    /// have their outcome.
    pub(crate) fn plans<'a>(&'a self, rules: &'a RuleSet, off: &HashSet<RuleIndex>) -> Plans<'a> {
        let (_, done) = self.groups_left();
        let mut plans = Plans::default();
        for (at, (record, wanted)) in self.records.iter().enumerate().skip(self.from - done) {
            let wanted = wanted.of(record, rules);
            let is_off = |rule: &RuleIndex| {
                at < self.from || off.contains(rule) || self.settled.contains(&(at, *rule))
            };
            if (at >= self.from && off.is_empty() && self.settled.is_empty()) || !wanted.iter().any(is_off) {
                plans.add(wanted.into());
            } else {
                plans.add(wanted.iter().copied().filter(|rule| !is_off(rule)).collect());
            }
        }
        plans
    }

    /// Takes an outcome of a record that is counted from those that are left; `None`: the record is no JSON object,
    /// whatever the rule.
    pub(crate) fn take_outcome(
        &mut self,
        record: usize,
        rule: RuleIndex,
        outcome: Option<RuleOutcome>,
        rules: &RuleSet,
    ) {
        let at = self.from + record;
        let (Some((record, wanted)), Some(results)) = (self.records.get(at), self.results.get_mut(at)) else {
            return;
        };
        match outcome {
            Some(outcome) => results.push(RuleResult { rule, outcome }),
            None => {
                let why = KillReason::Protocol("the record is not one json object".into());
                results.extend(wanted.of(record, rules).iter().map(|rule| RuleResult {
                    rule: *rule,
                    outcome: RuleOutcome::Killed(why.clone()),
                }));
            }
        }
    }

    /// Says of the next `done` records, which a worker is through with, what came of the rules that did not run.
    pub(crate) fn advance(
        &mut self,
        done: usize,
        suspended: &[RuleIndex],
        missing: &HashSet<RuleIndex>,
        rules: &RuleSet,
    ) {
        let end = (self.from + done).min(self.records.len());
        let done = self.from..end;
        self.from = end;
        let known = u32::try_from(rules.rules().len()).unwrap_or(u32::MAX);
        let done = self.records[done.clone()].iter().zip(&mut self.results[done]);
        for ((record, wanted), results) in done {
            if suspended.is_empty() && missing.is_empty() && matches!(wanted, Wanted::Candidates) {
                continue;
            }
            for rule in wanted.of(record, rules) {
                let outcome = if suspended.contains(rule) {
                    RuleOutcome::Suspended
                } else if missing.contains(rule) || rule.0 >= known {
                    RuleOutcome::Killed(KillReason::Missing)
                } else {
                    continue;
                };
                results.push(RuleResult { rule: *rule, outcome });
            }
        }
    }

    /// Settles one rule on one record, which is counted from the records that are left.
    pub(crate) fn give_up(&mut self, record: u32, rule: RuleIndex, outcome: RuleOutcome) {
        let at = self.from + record as usize;
        if at < self.records.len() && self.settled.insert((at, rule)) {
            self.results[at].push(RuleResult { rule, outcome });
        }
    }

    /// A worker died at a record, or before it, and no rule answers for it. After `deaths_max` such deaths the
    /// record is given up and not sent again. The first time only sends every record on its own from then on, since
    /// any of a group may have been the cause.
    pub(crate) fn blame(
        &mut self,
        record: u32,
        deaths_max: u32,
        reason: &KillReason,
        rules: &RuleSet,
        writer: &mut GroupWriter,
    ) {
        if !self.apart {
            self.apart = true;
            self.groups = groups(&self.records, self.from, rules, writer, 1);
            // A single record left is known to be the cause.
            if self.left() > 1 {
                return;
            }
        }
        let at = (self.from + record as usize).min(self.records.len() - 1);
        let deaths = self.unexplained.entry(at).or_default();
        *deaths += 1;
        if *deaths < deaths_max {
            return;
        }
        let (record, wanted) = &self.records[at];
        for rule in wanted.of(record, rules) {
            if self.settled.insert((at, *rule)) {
                let outcome = RuleOutcome::Killed(reason.clone());
                self.results[at].push(RuleResult { rule: *rule, outcome });
            }
        }
        if let Some((_, group)) = self.groups.iter_mut().find(|(start, _)| *start == at) {
            writer.add_nothing();
            *group = writer.finish();
        }
    }

    pub(crate) fn finish(self) -> Vec<RecordOutcome> {
        self.records
            .into_iter()
            .zip(self.results)
            .map(|((record, wanted), mut results)| {
                match &wanted {
                    Wanted::Rules(rules) if !rules.is_sorted() => {
                        let place = |result: &RuleResult| rules.iter().position(|rule| *rule == result.rule);
                        results.sort_by_key(place);
                    }
                    _ => results.sort_by_key(|result| result.rule),
                }
                // A rule that was given up and then suspended within the batch keeps the first outcome.
                results.dedup_by_key(|result| result.rule);
                RecordOutcome { record, results }
            })
            .collect()
    }
}

/// The records from `from` on, in groups of so many at most.
fn groups(
    records: &[(Record, Wanted)],
    from: usize,
    rules: &RuleSet,
    writer: &mut GroupWriter,
    records_max: usize,
) -> Vec<(usize, Group)> {
    let mut groups = Vec::with_capacity((records.len() - from).div_ceil(records_max));
    let (mut start, mut bytes) = (from, 0);
    for (at, (record, wanted)) in records.iter().enumerate().skip(from) {
        let is_full = writer.count() >= records_max || bytes + record.json.len() > GROUP_BYTES_MAX;
        if writer.count() > 0 && is_full {
            groups.push((start, writer.finish()));
            (start, bytes) = (at, 0);
        }
        bytes += record.json.len();
        if wanted.of(record, rules).is_empty() {
            writer.add_nothing();
        } else {
            writer.add(&record.json);
        }
    }
    if writer.count() > 0 {
        groups.push((start, writer.finish()));
    }
    groups
}

#[cfg(test)]
mod tests;
