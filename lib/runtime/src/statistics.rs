//! What each rule did, and how long it took.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use streamalert_detect::{RuleIndex, RuleSet};
use streamalert_native::engine::{Counters, Departure};

/// Timed pairs of a rule before its time means something.
const TIMED_LEAST: u64 = 100;

/// A rule this many times slower than the median is named in the log, once.
const SLOW_FACTOR: f64 = 100.0;

/// A rule whose pairs take less than this on average is not slow, whatever the others take.
const SLOW_NANOS_LEAST: f64 = 20_000.0;

/// What one rule did since its rule set was loaded.
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
    /// The latest reason for a fallback.
    pub last_departure: Option<Departure>,
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
}

/// Counters of all rules of one rule set.
#[derive(Debug)]
pub struct Statistics {
    rules: Arc<RuleSet>,
    cells: Vec<Cell>,
    departures: Mutex<Vec<Option<Departure>>>,
}

impl Statistics {
    pub(crate) fn new(rules: Arc<RuleSet>) -> Self {
        let count = rules.rules().len();
        Self {
            rules,
            cells: (0..count).map(|_| Cell::default()).collect(),
            departures: Mutex::new(vec![None; count]),
        }
    }

    fn cell(&self, rule: RuleIndex) -> Option<&Cell> {
        self.cells.get(rule.as_usize())
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

    pub(crate) fn fell_back(&self, rule: RuleIndex, departure: Departure) {
        let Some(cell) = self.cell(rule) else {
            return;
        };
        let before = cell.fallbacks.fetch_add(1, Ordering::Relaxed);
        // Now and then, so that a rule that always falls back does not lock for every pair.
        if before.is_power_of_two() || before == 0 {
            let mut departures = self.departures.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = departures.get_mut(rule.as_usize()) {
                *known = Some(departure);
            }
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

    fn name_slow(&self) {
        let mut means: Vec<f64> = self.cells.iter().filter_map(Cell::mean).collect();
        means.sort_unstable_by(f64::total_cmp);
        let Some(median) = means.get(means.len() / 2).copied() else {
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

    /// Every rule's name and figures, in the order of the rules.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Arc<str>, RuleStatistics)> {
        let departures = self.departures.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = self.rules.rules().iter().zip(&self.cells).zip(departures.iter());
        rules
            .map(|((rule, cell), departure)| {
                let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
                let figures = RuleStatistics {
                    evaluations: get(&cell.evaluations),
                    matches: get(&cell.matches),
                    exceptions: get(&cell.exceptions),
                    fallbacks: get(&cell.fallbacks),
                    steps: get(&cell.steps),
                    mean_nanos: cell.mean(),
                    last_departure: *departure,
                };
                (rule.name.clone(), figures)
            })
            .collect()
    }
}

impl Cell {
    fn mean(&self) -> Option<f64> {
        let timed = self.timed.load(Ordering::Relaxed);
        (timed >= TIMED_LEAST).then(|| self.nanos.load(Ordering::Relaxed) as f64 / timed as f64)
    }
}
