//! The wall clocks of the nodes: the simulation's time, each with its own error.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use streamalert_types::{Clock, Timestamp};

/// When every simulation begins, in microseconds since the epoch: any date will do.
const BEGINNING_MICROS: i64 = 1_800_000_000_000_000;

/// The wall clock of one node. Clones are the same clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeClock {
    error_micros: Arc<AtomicI64>,
}

impl NodeClock {
    /// Sets how far the clock is ahead of the true time, in microseconds.
    pub(crate) fn set_error(&self, micros: i64) {
        self.error_micros.store(micros, Ordering::SeqCst);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let error = self.error_micros.load(Ordering::SeqCst);
        Timestamp::from_micros(BEGINNING_MICROS + error).plus(elapsed())
    }
}

/// The true time: since the beginning of the simulation. To be called on a node.
pub(crate) fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
