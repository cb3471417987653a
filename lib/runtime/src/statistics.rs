//! What each rule did, and how long it took.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use streamalert_detect::{RuleIndex, RuleSet};
use streamalert_native::engine::Counters;

/// Timed pairs of a rule before its time means something.
const TIMED_LEAST: u64 = 100;

/// A rule this many times slower than the median is named in the log, once.
const SLOW_FACTOR: f64 = 100.0;

/// A rule whose pairs take less than this on average is not slow, whatever the others take.
const SLOW_NANOS_LEAST: f64 = 20_000.0;

/// Where and why a pair went to CPython.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// The file; that of the rule when it is not known which helper's it is.
    pub file: String,
    /// The line, from 1; 0 = unknown.
    pub line: u32,
    /// What is there.
    pub reason: String,
}

impl std::fmt::Display for Departed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// What one rule did since the start, reloads included. Its time is that of its code of the moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleStatistics {
    /// Pairs evaluated natively. Records that the dispatch index kept away are not among them.
    pub evaluations: u64,
    /// Times it fired natively.
    pub matches: u64,
    /// Times it raised natively.
    pub exceptions: u64,
    /// Pairs that CPython evaluated.
    pub fallbacks: u64,
    /// Steps used by native evaluation.
    pub steps: u64,
    /// Mean nanoseconds of a native pair, from a sample of events; `None` before there is one.
    pub mean_nanos: Option<f64>,
    /// Native pairs that were timed: those of a sample of events, since its code was loaded.
    pub timed: u64,
    /// Nanoseconds that those took.
    pub timed_nanos: u64,
    /// The latest reason for a fallback.
    pub last_departure: Option<Departed>,
}

/// A rule that takes a hundred times as long as the median.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowRule {
    /// Its name.
    pub rule: Arc<str>,
    /// Mean nanoseconds of one of its pairs.
    pub mean_nanos: f64,
    /// The median of the means of all rules.
    pub median_nanos: f64,
}

#[derive(Debug, Default)]
struct Cell {
    evaluations: AtomicU64,
    matches: AtomicU64,
    exceptions: AtomicU64,
    fallbacks: AtomicU64,
    steps: AtomicU64,
    timed: AtomicU64,
    nanos: AtomicU64,
    named_slow: AtomicBool,
    departed: Mutex<Option<Departed>>,
}

/// Counters of all rules of one rule set.
#[derive(Debug)]
pub struct Statistics {
    rules: Arc<RuleSet>,
    /// Shared with the rule sets before and after this one.
    cells: Vec<Arc<Cell>>,
}

impl Statistics {
    pub(crate) fn new(rules: Arc<RuleSet>) -> Self {
        let cells = rules.rules().iter().map(|_| Arc::default()).collect();
        Self { rules, cells }
    }

    /// Goes on counting where the rule set before this one is; rules of one name are the same rule.
    pub(crate) fn take_over(&mut self, before: &Self) {
        for (rule, cell) in self.rules.rules().iter().zip(&mut self.cells) {
            let Some((index, old)) = before.rules.find(&rule.name) else {
                continue;
            };
            let Some(known) = before.cells.get(index.as_usize()) else {
                continue;
            };
            if old.code_hash != rule.code_hash {
                known.forget_code();
            }
            *cell = known.clone();
        }
    }

    fn cell(&self, rule: RuleIndex) -> Option<&Cell> {
        self.cells.get(rule.as_usize()).map(|cell| &**cell)
    }

    pub(crate) fn matched(&self, rule: RuleIndex) {
        if let Some(cell) = self.cell(rule) {
            cell.matches.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn raised(&self, rule: RuleIndex) {
        if let Some(cell) = self.cell(rule) {
            cell.exceptions.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn fell_back(&self, rule: RuleIndex, departed: impl FnOnce() -> Departed) {
        let Some(cell) = self.cell(rule) else {
            return;
        };
        let before = cell.fallbacks.fetch_add(1, Ordering::Relaxed);
        // Now and then, so that a rule that always falls back does not make a text for every pair.
        if before.is_power_of_two() || before == 0 {
            let departed = departed();
            *cell.departed.lock().unwrap_or_else(PoisonError::into_inner) = Some(departed);
        }
    }

    /// Adds what a thread counted, and names rules that are far slower than the others.
    pub(crate) fn add(&self, counters: Vec<Counters>) {
        let mut timed = false;
        for (cell, counter) in self.cells.iter().zip(counters) {
            if counter.evaluations == 0 {
                continue;
            }
            cell.evaluations.fetch_add(counter.evaluations, Ordering::Relaxed);
            cell.steps.fetch_add(counter.steps, Ordering::Relaxed);
            if counter.timed > 0 {
                timed = true;
                cell.timed.fetch_add(counter.timed, Ordering::Relaxed);
                cell.nanos.fetch_add(counter.nanos, Ordering::Relaxed);
            }
        }
        if timed {
            self.name_slow();
        }
    }

    /// The median of the rules' mean times, nanoseconds.
    fn median(&self) -> Option<f64> {
        let mut means: Vec<f64> = self.cells.iter().filter_map(|cell| cell.mean()).collect();
        means.sort_unstable_by(f64::total_cmp);
        means.get(means.len() / 2).copied()
    }

    fn name_slow(&self) {
        let Some(median) = self.median() else {
            return;
        };
        let bound = (median * SLOW_FACTOR).max(SLOW_NANOS_LEAST);
        for (rule, cell) in self.rules.rules().iter().zip(&self.cells) {
            let Some(mean) = cell.mean().filter(|mean| *mean > bound) else {
                continue;
            };
            if !cell.named_slow.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    rule = %rule.name,
                    mean_nanos = mean as u64,
                    median_nanos = median as u64,
                    "rule is more than a hundred times slower than the median"
                );
            }
        }
    }

    /// The rules that were named in the log for being slow, since their code was loaded, with the times of now.
    #[must_use]
    pub fn slow(&self) -> Vec<SlowRule> {
        let rules = self.rules.rules().iter().zip(&self.cells);
        let mut named = rules
            .filter(|(_, cell)| cell.named_slow.load(Ordering::Relaxed))
            .peekable();
        if named.peek().is_none() {
            return Vec::new();
        }
        let median_nanos = self.median().unwrap_or_default();
        let slow = named.map(|(rule, cell)| SlowRule {
            rule: rule.name.clone(),
            mean_nanos: cell.mean().unwrap_or_default(),
            median_nanos,
        });
        slow.collect()
    }

    /// Every rule's name and figures, in the order of the rules.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Arc<str>, RuleStatistics)> {
        let rules = self.rules.rules().iter().zip(&self.cells);
        rules
            .map(|(rule, cell)| (rule.name.clone(), cell.figures()))
            .collect()
    }
}

impl Cell {
    fn figures(&self) -> RuleStatistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let departed = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
        RuleStatistics {
            evaluations: get(&self.evaluations),
            matches: get(&self.matches),
            exceptions: get(&self.exceptions),
            fallbacks: get(&self.fallbacks),
            steps: get(&self.steps),
            mean_nanos: self.mean(),
            timed: get(&self.timed),
            timed_nanos: get(&self.nanos),
            last_departure: departed.clone(),
        }
    }

    /// What is about the rule's code and not about the rule.
    fn forget_code(&self) {
        self.timed.store(0, Ordering::Relaxed);
        self.nanos.store(0, Ordering::Relaxed);
        self.named_slow.store(false, Ordering::Relaxed);
        *self.departed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn mean(&self) -> Option<f64> {
        let timed = self.timed.load(Ordering::Relaxed);
        (timed >= TIMED_LEAST).then(|| self.nanos.load(Ordering::Relaxed) as f64 / timed as f64)
    }
}

#[cfg(test)]
mod tests {
    use streamalert_detect::RuleInfo;

    use super::*;

    fn statistics(code_hash: &str) -> Statistics {
        let rule = |name| RuleInfo {
            code_hash: code_hash.into(),
            ..RuleInfo::named(name, &["a:b"])
        };
        let rules = ["one", "two", "spins"].map(rule).into();
        Statistics::new(Arc::new(RuleSet::new(rules).unwrap()))
    }

    /// A hundred timed pairs of each rule, with these means.
    fn timed(means: [u64; 3]) -> Vec<Counters> {
        let counters = means.map(|nanos| Counters {
            evaluations: 100,
            timed: 100,
            nanos: nanos * 100,
            ..Counters::default()
        });
        counters.into()
    }

    #[test]
    fn a_rule_a_hundred_times_slower_than_the_median_is_slow_until_its_code_changes() {
        let before = statistics("1");
        before.add(timed([1_000, 2_000, 3_000_000]));
        let slow = SlowRule {
            rule: "spins".into(),
            mean_nanos: 3_000_000.0,
            median_nanos: 2_000.0,
        };
        assert_eq!(before.slow(), [slow]);
        let (mut same, mut mended) = (statistics("1"), statistics("2"));
        same.take_over(&before);
        assert_eq!(same.slow().len(), 1);
        mended.take_over(&before);
        assert_eq!(mended.slow(), []);
    }

    #[test]
    fn a_rule_is_not_slow_because_the_others_do_next_to_nothing() {
        let statistics = statistics("1");
        statistics.add(timed([10, 10, 5_000]));
        assert_eq!(statistics.slow(), []);
    }
}
