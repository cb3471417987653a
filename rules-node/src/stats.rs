//! What each rule did since the start, for `rules stats` and the metrics.

use std::sync::{Arc, Mutex, PoisonError};

use streamalert_detect::{RuleIndex, RuleOutcome, RuleSet};
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

/// The counters of all rules. They stay with a rule's name when the rule set is another one.
#[derive(Debug)]
pub struct StatsBook {
    pages: Mutex<Pages>,
}

/// The rule set of the moment with its counters.
#[derive(Debug)]
struct Pages {
    rules: Arc<RuleSet>,
    stats: Vec<RuleStats>,
}

impl Pages {
    /// The counters of a rule of `rules`; `None` when the rule set of the moment has no such rule.
    fn of(&mut self, rules: &Arc<RuleSet>, rule: RuleIndex) -> Option<&mut RuleStats> {
        let rule = if Arc::ptr_eq(rules, &self.rules) {
            rule
        } else {
            self.rules.find(&rules.get(rule)?.name)?.0
        };
        self.stats.get_mut(rule.as_usize())
    }
}

impl StatsBook {
    /// All counters zero.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let stats = vec![RuleStats::default(); rules.rules().len()];
        Self {
            pages: Mutex::new(Pages { rules, stats }),
        }
    }

    /// Goes on with another rule set: rules of the same name keep their counters, those of others are forgotten.
    pub fn follow(&self, rules: &Arc<RuleSet>) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(rules, &pages.rules) {
            return;
        }
        let mut stats = vec![RuleStats::default(); rules.rules().len()];
        for (rule, stats) in rules.rules().iter().zip(&mut stats) {
            let known = pages.rules.find(&rule.name).map(|(index, _)| index);
            if let Some(known) = known.and_then(|index| pages.stats.get_mut(index.as_usize())) {
                *stats = std::mem::take(known);
            }
        }
        *pages = Pages {
            rules: rules.clone(),
            stats,
        };
    }

    /// Counts one batch that `rules` were evaluated on. Once per batch, so that the lock costs nothing that shows.
    pub fn count(
        &self,
        rules: &Arc<RuleSet>,
        log_types: &[(&str, u64)],
        alerts: &[Arc<Alert>],
        failures: Vec<Failure>,
        now: Timestamp,
    ) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        for (log_type, records) in log_types {
            for rule in rules.for_log_type(log_type) {
                if let Some(entry) = pages.of(rules, *rule) {
                    entry.records += records;
                }
            }
        }
        for alert in alerts {
            if let Some((rule, _)) = rules.find(&alert.rule_name)
                && let Some(entry) = pages.of(rules, rule)
            {
                entry.matches += 1;
            }
        }
        for failure in failures {
            if let Some(entry) = pages.of(rules, failure.rule) {
                entry.fail(failure, now);
            }
        }
    }

    /// Every rule's name and counters, in order of evaluation.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Arc<str>, RuleStats)> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages
            .rules
            .rules()
            .iter()
            .zip(&pages.stats)
            .map(|(rule, stats)| (rule.name.clone(), stats.clone()))
            .collect()
    }
}

impl RuleStats {
    fn fail(&mut self, failure: Failure, now: Timestamp) {
        let what = match failure.outcome {
            RuleOutcome::Exception(exception) => {
                self.exceptions += 1;
                format!(
                    "{}: {}\n{}",
                    exception.kind, exception.message, exception.traceback
                )
            }
            RuleOutcome::TimedOut { limit } => {
                self.kills += 1;
                format!("over its time limit of {limit:?}")
            }
            RuleOutcome::Killed(reason) => {
                self.kills += 1;
                reason.to_string()
            }
            RuleOutcome::Suspended => {
                self.suspended += 1;
                return;
            }
            RuleOutcome::Fired(_) | RuleOutcome::False | RuleOutcome::NotRun => return,
        };
        self.sample = Some(SampleFailure {
            at: now,
            what,
            record: failure.record,
        });
    }
}

#[cfg(test)]
mod tests {
    use streamalert_detect::RuleInfo;

    use super::*;

    fn rules(names: &[&str]) -> Arc<RuleSet> {
        let rules = names.iter().map(|name| RuleInfo::named(name, &["a:b"]));
        Arc::new(RuleSet::new(rules.collect()).unwrap())
    }

    fn counted(book: &StatsBook) -> Vec<(String, u64)> {
        let rows = book.snapshot().into_iter();
        rows.map(|(name, stats)| (name.to_string(), stats.records))
            .collect()
    }

    #[test]
    fn counters_stay_with_a_rules_name_when_the_rule_set_is_another() {
        let (old, new) = (rules(&["gone", "stays"]), rules(&["stays", "comes"]));
        let book = StatsBook::new(old.clone());
        book.count(&old, &[("a:b", 3)], &[], Vec::new(), Timestamp::EPOCH);
        book.follow(&new);
        assert_eq!(counted(&book), [("stays".to_owned(), 3), ("comes".to_owned(), 0)]);
        // A batch that began before ends now.
        book.count(&old, &[("a:b", 2)], &[], Vec::new(), Timestamp::EPOCH);
        assert_eq!(counted(&book), [("stays".to_owned(), 5), ("comes".to_owned(), 0)]);
    }
}
