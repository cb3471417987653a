use std::sync::Arc;

use streamalert_detect::{EvaluateOptions, RuleIndex, RuleOutcome, RuleRuntime};
use streamalert_types::Record;

use crate::failure::Failure;

/// What the rules made of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Alerts by rule, in the order of the rule set; shorter where the last rules raised none.
    pub(super) fired: Vec<u64>,
    /// Exceptions by rule.
    pub(super) raised: Vec<u64>,
    /// Pairs that timed out, were killed or are suspended.
    pub(super) unknown: u64,
}

impl Counts {
    /// Adds one pair's outcome.
    pub(super) fn add(&mut self, rule: RuleIndex, outcome: &RuleOutcome) {
        match outcome {
            RuleOutcome::Fired(_) => one_more(&mut self.fired, rule),
            RuleOutcome::Exception(_) => one_more(&mut self.raised, rule),
            outcome if outcome.is_unknown() => self.unknown += 1,
            _ => {}
        }
    }

    pub(super) fn fired(&mut self, rule: RuleIndex) {
        one_more(&mut self.fired, rule);
    }

    pub(super) fn raised(&mut self, rule: RuleIndex) {
        one_more(&mut self.raised, rule);
    }

    pub(super) fn alerts(&self) -> u64 {
        self.fired.iter().sum()
    }

    pub(super) fn exceptions(&self) -> u64 {
        self.raised.iter().sum()
    }
}

fn one_more(counts: &mut Vec<u64>, rule: RuleIndex) {
    let at = rule.as_usize();
    if counts.len() <= at {
        counts.resize(at + 1, 0);
    }
    counts[at] += 1;
}

/// What one rule took on its own.
#[derive(Debug, Clone)]
pub(super) struct RuleTime {
    pub(super) name: String,
    pub(super) pairs: u64,
    /// Nanoseconds of computing time for one pair.
    pub(super) ns: f64,
}

/// Whatever evaluates rules, on the calling thread as far as it can. Each thread has its own.
pub(super) trait Engine: Send {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// All applicable rules on all records, added to `counts`.
    fn evaluate(&mut self, records: &[Record], counts: &mut Counts) -> Result<(), Failure>;

    /// What each rule takes on its own on these records; `None` where the engine cannot tell.
    fn rule_times(&mut self, records: &[Record]) -> Result<Option<Vec<RuleTime>>, Failure> {
        let _ = records;
        Ok(None)
    }
}

/// A rule runtime as the rules node has it, asked for one batch after the other.
pub(super) struct RuntimeEngine {
    name: &'static str,
    runtime: Arc<dyn RuleRuntime>,
    handle: tokio::runtime::Handle,
}

impl RuntimeEngine {
    /// `handle` is of the tokio runtime that the rule runtime lives in; evaluation must not be asked for on one of
    /// its asynchronous threads.
    pub(super) fn new(
        name: &'static str,
        runtime: Arc<dyn RuleRuntime>,
        handle: tokio::runtime::Handle,
    ) -> Self {
        Self {
            name,
            runtime,
            handle,
        }
    }
}

impl Engine for RuntimeEngine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn evaluate(&mut self, records: &[Record], counts: &mut Counts) -> Result<(), Failure> {
        let evaluation = self
            .runtime
            .evaluate(records.to_vec(), EvaluateOptions::default());
        let outcomes = self
            .handle
            .block_on(evaluation)
            .map_err(|error| Failure::while_doing("cannot evaluate rules", error))?;
        for result in outcomes.iter().flat_map(|outcome| &outcome.results) {
            counts.add(result.rule, &result.outcome);
        }
        Ok(())
    }
}
