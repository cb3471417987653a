//! What the reading of a queue has done so far.

use std::sync::{Mutex, PoisonError};

use streamalert_aws::{Fault, FaultKind};

/// Counts of one queue since it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// Requests for messages that were answered.
    pub receives: u64,
    /// Messages that came, those included that came again while they were here.
    pub received: u64,
    /// Messages that were deleted.
    pub deleted: u64,
    /// Times that a message was held longer.
    pub extended: u64,
    /// Times that a message could not be held longer: it comes again, perhaps to another reader.
    pub extensions_refused: u64,
    /// Messages that were given back, to come again later.
    pub given_back: u64,
    /// Messages that came so often that they were made dead letters.
    pub poisoned: u64,
    /// Answers by which SQS asked for fewer calls.
    pub throttled: u64,
    /// Other calls that failed. Each was made again.
    pub failed: u64,
}

/// Counts while the queue is read.
#[derive(Debug, Default)]
pub(crate) struct QueueTally(Mutex<QueueCounts>);

impl QueueTally {
    pub(crate) fn count(&self, count: impl FnOnce(&mut QueueCounts)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn failed(&self, fault: &Fault) {
        self.count(|counts| match fault.kind {
            FaultKind::Throttled => counts.throttled += 1,
            _ => counts.failed += 1,
        });
    }

    pub(crate) fn counts(&self) -> QueueCounts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
