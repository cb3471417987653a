use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use streamalert_detect::{RecordOutcome, RuleIndex, RuleOutcome, RuleResult};
use streamalert_types::Record;

/// A batch on its way through one or more slices.
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    pub(crate) results: Vec<Vec<RuleResult>>,
    /// Records before this one are done.
    pub(crate) from: usize,
    /// (record, rule) pairs that already have their outcome.
    skips: BTreeSet<(usize, RuleIndex)>,
    /// Worker deaths at a record that no rule answers for.
    unexplained: BTreeMap<usize, u32>,
    /// Text of records that are not sent any more, since no worker survives them.
    withheld: BTreeMap<usize, Bytes>,
}

impl Batch {
    pub(crate) fn new(records: Vec<Record>) -> Self {
        Self {
            results: records.iter().map(|_| Vec::new()).collect(),
            records,
            from: 0,
            skips: BTreeSet::new(),
            unexplained: BTreeMap::new(),
            withheld: BTreeMap::new(),
        }
    }

    /// The place of a record that is counted from those that are left.
    pub(crate) fn place(&self, record: u32) -> usize {
        (self.from + record as usize).min(self.records.len() - 1)
    }

    pub(crate) fn log_type(&self, record: u32) -> Arc<str> {
        self.records[self.place(record)].log_type.clone()
    }

    pub(crate) fn count_death(&mut self, record: u32) -> u32 {
        let deaths = self.unexplained.entry(self.place(record)).or_default();
        *deaths += 1;
        *deaths
    }

    pub(crate) fn withhold(&mut self, record: u32) {
        let at = self.place(record);
        let text = std::mem::replace(&mut self.records[at].json, Bytes::from_static(b"{}"));
        self.withheld.entry(at).or_insert(text);
    }

    /// The skips relative to the records that are left.
    pub(crate) fn skips_from_here(&self) -> BTreeSet<(u32, RuleIndex)> {
        self.skips
            .range((self.from, RuleIndex(0))..)
            .filter_map(|(record, rule)| Some((u32::try_from(record - self.from).ok()?, *rule)))
            .collect()
    }

    /// Settles one rule on one record, which is counted from the records that are left.
    pub(crate) fn give_up(&mut self, record: u32, rule: RuleIndex, outcome: RuleOutcome) {
        let at = self.from + record as usize;
        if at < self.records.len() && self.skips.insert((at, rule)) {
            self.results[at].push(RuleResult { rule, outcome });
        }
    }

    pub(crate) fn advance(&mut self, done: usize) {
        self.from += done;
    }

    pub(crate) fn finish(mut self) -> Vec<RecordOutcome> {
        for (at, text) in std::mem::take(&mut self.withheld) {
            self.records[at].json = text;
        }
        self.records
            .into_iter()
            .zip(self.results)
            .map(|(record, mut results)| {
                results.sort_by_key(|result| result.rule);
                // A rule that was given up and then suspended within the batch keeps the first outcome.
                results.dedup_by_key(|result| result.rule);
                RecordOutcome { record, results }
            })
            .collect()
    }
}
