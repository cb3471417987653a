//! What a run came to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use streamalert_types::AlertId;
use tokio::time::Instant;

use crate::outputs::{Arrivals, HEALTHY, SICK};

/// A part of a run, by when an alert was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Before,
    /// Outputs are sick, if they are in this run.
    Down,
    /// What waited is delivered, while more comes.
    After,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Figures {
    /// When each alert was raised.
    pub(crate) raised: BTreeMap<AlertId, (Phase, Instant)>,
    pub(crate) arrivals: Arrivals,
    /// Deliveries that came again after one whose answer was lost.
    pub(crate) repeated: usize,
    /// Deliveries held in memory at most, by output.
    pub(crate) held_max: BTreeMap<&'static str, u64>,
    /// Weight of each alert.
    pub(crate) alert_bytes: usize,
    /// Alerts raised that an output did not have, at most.
    pub(crate) missing_max: BTreeMap<&'static str, u64>,
    /// Outputs that the dispatcher took for down.
    pub(crate) was_down: BTreeSet<&'static str>,
    pub(crate) dead_letters: u64,
}

impl Figures {
    /// Each output answered each alert once; only those whose answer was lost came before that, under the same key.
    pub(crate) fn everything_arrived_once(&self) {
        let mut arrivals = self.arrivals.clone();
        for id in self.raised.keys() {
            for output in HEALTHY.iter().chain(&SICK) {
                let key = format!("{id}/{output}");
                let came = arrivals.remove(&key).unwrap_or_default();
                let answered = came.iter().filter(|came| came.answered).count();
                assert_eq!(answered, 1, "{key}: {came:?}");
                assert!(came.len() == 1 || SICK.contains(output), "{key}: {came:?}");
                assert!(came.last().unwrap().answered, "{key}: {came:?}");
            }
        }
        assert!(arrivals.is_empty(), "nobody raised these: {arrivals:?}");
    }

    /// From an alert to its arrival, at this quantile.
    pub(crate) fn latency(&self, output: &str, phase: Phase, quantile: f64) -> Duration {
        let mut all: Vec<Duration> = self
            .raised
            .iter()
            .filter(|(_, (of, _))| *of == phase)
            .map(|(id, (_, raised))| self.arrivals[&format!("{id}/{output}")][0].at - *raised)
            .collect();
        all.sort_unstable();
        all[((all.len() - 1) as f64 * quantile) as usize]
    }
}
