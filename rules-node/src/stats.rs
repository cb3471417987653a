//! What each rule did since the start, for `rules stats` and the metrics.

use std::sync::{Arc, Mutex, PoisonError};

use streamalert_detect::{RuleOutcome, RuleSet};
use streamalert_types::{Alert, Record, Timestamp};

use crate::outcomes::Failure;

/// The counters of one rule.
#[derive(Debug, Clone, Default)]
pub struct RuleStats {
    /// Records of a log type it applies to.
    pub records: u64,
    /// Times it fired.
    pub matches: u64,
    /// Times it raised.
    pub exceptions: u64,
    /// Times it was killed for its time, its memory, or by its own hand.
    pub kills: u64,
    /// Records it was not evaluated on while suspended.
    pub suspended: u64,
    /// The latest failure.
    pub sample: Option<SampleFailure>,
}

/// A failure with the record it happened on.
#[derive(Debug, Clone)]
pub struct SampleFailure {
    /// When.
    pub at: Timestamp,
    /// What: the exception with its traceback, or how the rule was killed.
    pub what: String,
    /// The record.
    pub record: Record,
}

/// The counters of all rules of one rule set.
#[derive(Debug)]
pub struct StatsBook {
    rules: Arc<RuleSet>,
    stats: Mutex<Vec<RuleStats>>,
}

impl StatsBook {
    /// All counters zero.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let stats = vec![RuleStats::default(); rules.rules().len()];
        Self {
            rules,
            stats: Mutex::new(stats),
        }
    }

    /// Counts one batch. Once per batch, so that the lock costs nothing that shows.
    pub fn count(
        &self,
        log_types: &[(&str, u64)],
        alerts: &[Arc<Alert>],
        failures: Vec<Failure>,
        now: Timestamp,
    ) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        for (log_type, records) in log_types {
            for rule in self.rules.for_log_type(log_type) {
                stats[rule.as_usize()].records += records;
            }
        }
        for alert in alerts {
            if let Some((rule, _)) = self.rules.find(&alert.rule_name) {
                stats[rule.as_usize()].matches += 1;
            }
        }
        for Failure {
            rule,
            outcome,
            record,
        } in failures
        {
            let entry = &mut stats[rule.as_usize()];
            let what = match outcome {
                RuleOutcome::Exception(exception) => {
                    entry.exceptions += 1;
                    format!(
                        "{}: {}\n{}",
                        exception.kind, exception.message, exception.traceback
                    )
                }
                RuleOutcome::TimedOut { limit } => {
                    entry.kills += 1;
                    format!("over its time limit of {limit:?}")
                }
                RuleOutcome::Killed(reason) => {
                    entry.kills += 1;
                    reason.to_string()
                }
                RuleOutcome::Suspended => {
                    entry.suspended += 1;
                    continue;
                }
                RuleOutcome::Fired(_) | RuleOutcome::False | RuleOutcome::NotRun => continue,
            };
            entry.sample = Some(SampleFailure {
                at: now,
                what,
                record,
            });
        }
    }

    /// Every rule's name and counters, in order of evaluation.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Arc<str>, RuleStats)> {
        let stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        self.rules
            .rules()
            .iter()
            .zip(stats.iter())
            .map(|(rule, stats)| (rule.name.clone(), stats.clone()))
            .collect()
    }
}
