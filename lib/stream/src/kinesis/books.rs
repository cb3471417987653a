//! The books of one source: what is open, what may be read, how far each shard is acknowledged, what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use streamalert_store::LeaseChurn;
use streamalert_types::Sequence;
use tokio::sync::Notify;

use super::place::{Gap, Place};
use crate::{
    AckTarget, AckToken, Acked, Generation, PartitionName, PositionTracker, SourceLimits, SourceProgress,
    Ticket, Watermark,
};

/// How the reading of a stream goes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KinesisStatus {
    /// Shards that this node reads.
    pub shards: usize,
    /// How far the shard that is furthest behind is behind its newest record; what is read and not acknowledged
    /// counts as read.
    pub behind: Duration,
    /// The same for each shard that this node reads, by its id.
    pub shards_behind: BTreeMap<Arc<str>, Duration>,
    /// How often shards came to this node and went.
    pub leases: LeaseChurn,
    /// Answers by which Kinesis asked for fewer reads.
    pub throttled: u64,
    /// Iterators that expired before they were used, as they do when a slow consumer holds up the reading.
    pub iterators_expired: u64,
    /// Other calls that failed. Each was made again.
    pub failed: u64,
    /// How often the retention of the stream took records before they were read.
    pub gaps: u64,
    /// Over all of these, the hours from which records may be gone.
    pub gap_hours: f64,
}

/// Shared by the reader, its tasks and the tokens, which may outlive them.
pub(super) struct Books {
    name: Arc<str>,
    limits: SourceLimits,
    state: Mutex<State>,
    changed: Notify,
    /// Held by whoever is the next to get room, so that none waits for ever while others come and go.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    tracker: PositionTracker,
    /// Bytes that are read or about to be, and not handed out.
    reserved_bytes: usize,
    /// Readings that are handed over: nothing more of them is handed out.
    draining: BTreeSet<Generation>,
    behind: BTreeMap<Generation, (Arc<str>, Duration)>,
    payloads_read: u64,
    bytes_read: u64,
    status: KinesisStatus,
}

impl AckTarget for Books {
    fn ack(&self, ticket: Ticket) {
        if self.state().tracker.ack(ticket) != Acked::Stale {
            self.changed.notify_waiters();
        }
    }
}

impl Books {
    pub(super) fn new(name: Arc<str>, limits: SourceLimits) -> Arc<Self> {
        Arc::new(Self {
            name,
            limits,
            state: Mutex::default(),
            changed: Notify::new(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn limits(&self) -> &SourceLimits {
        &self.limits
    }

    /// Begins to read a shard.
    pub(super) fn open(&self, shard: &Arc<str>, from: &Place) -> Generation {
        let name = PartitionName {
            source: self.name.clone(),
            partition: shard.clone(),
        };
        let mut state = self.state();
        let generation = state.tracker.open(name, token(from));
        state.behind.insert(generation, (shard.clone(), Duration::ZERO));
        generation
    }

    /// Ends a reading: whatever is acknowledged on it from now on counts for nothing.
    pub(super) fn close(&self, generation: Generation) {
        let mut state = self.state();
        state.tracker.close(generation);
        state.draining.remove(&generation);
        state.behind.remove(&generation);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Nothing more of this reading is to be handed out.
    pub(super) fn drain(&self, generation: Generation) {
        self.state().draining.insert(generation);
        self.changed.notify_waiters();
    }

    /// Whether everything that was handed out of a reading is acknowledged.
    pub(super) fn is_drained(&self, generation: Generation) -> bool {
        self.state().tracker.is_settled(generation)
    }

    /// How many bytes one read of a shard may bring, so that all shards together keep within the limit.
    pub(super) fn share(&self, bytes_max: usize) -> usize {
        let shards = self.state().behind.len().max(1);
        (self.limits.bytes_open_max / (2 * shards)).clamp(1, bytes_max.max(1))
    }

    /// Waits until `bytes` more may be read. A read larger than the limit is let through when nothing else is open.
    pub(super) async fn reserve(self: &Arc<Self>, bytes: usize) -> Room {
        let _turn = self.turn.lock().await;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Enabled before looking, so that a change between looking and waiting wakes us.
            changed.as_mut().enable();
            if let Some(room) = self.try_reserve(bytes) {
                return room;
            }
            changed.await;
        }
    }

    fn try_reserve(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        let mut state = self.state();
        let taken = state.reserved_bytes + state.tracker.bytes_open();
        if taken > 0 && taken.saturating_add(bytes) > self.limits.bytes_open_max {
            return None;
        }
        state.reserved_bytes += bytes;
        Some(Room {
            books: self.clone(),
            bytes,
        })
    }

    /// Waits until another payload may be open, and registers it. `None` when its reading is over.
    pub(super) async fn register(
        self: &Arc<Self>,
        generation: Generation,
        after: &Place,
        (weight_bytes, body_bytes): (usize, usize),
    ) -> Option<AckToken> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if state.draining.contains(&generation) {
                    return None;
                }
                let open = state.tracker.payloads_open();
                let bytes = state.tracker.bytes_open().saturating_add(weight_bytes);
                let fits = open < self.limits.payloads_open_max && bytes <= self.limits.bytes_open_max;
                if fits || open == 0 {
                    let ticket = state.tracker.register(generation, token(after), weight_bytes)?;
                    state.payloads_read += 1;
                    state.bytes_read += body_bytes as u64;
                    return Some(AckToken::new(self.clone(), ticket));
                }
            }
            changed.await;
        }
    }

    /// Everything up to `place` is handed out; with `ended` that is all of the shard. Counts for nothing while the
    /// reading is handed over: what came before it may have been thrown away.
    pub(super) fn advance(&self, generation: Generation, place: &Place, ended: bool) {
        let mut state = self.state();
        if state.draining.contains(&generation) {
            return;
        }
        match ended {
            true => drop(state.tracker.end(generation, token(place))),
            false => state.tracker.advance(generation, token(place)),
        }
    }

    /// How far each reading is acknowledged, where that is not noted yet.
    pub(super) fn due(&self) -> Vec<(Generation, Watermark)> {
        let due = self.state().tracker.due();
        let due = due
            .into_iter()
            .map(|(generation, _, watermark)| (generation, watermark));
        due.collect()
    }

    /// A watermark is noted.
    pub(super) fn written(&self, generation: Generation, watermark: &Watermark) {
        self.state().tracker.written(generation, watermark);
    }

    pub(super) fn note_behind(&self, generation: Generation, behind: Duration) {
        if let Some((_, known)) = self.state().behind.get_mut(&generation) {
            *known = behind;
        }
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut KinesisStatus)) {
        count(&mut self.state().status);
    }

    pub(super) fn note_gap(&self, gap: Gap) {
        self.count(|status| {
            status.gaps += 1;
            status.gap_hours += gap.hours();
        });
    }

    pub(super) fn status(&self) -> KinesisStatus {
        let state = self.state();
        let behind = || state.behind.values();
        KinesisStatus {
            shards: state.behind.len(),
            behind: behind().map(|(_, behind)| *behind).max().unwrap_or_default(),
            shards_behind: behind().cloned().collect(),
            ..state.status.clone()
        }
    }

    pub(super) fn progress(&self) -> SourceProgress {
        let state = self.state();
        SourceProgress {
            payloads_read: state.payloads_read,
            payloads_open: state.tracker.payloads_open() as u64,
            bytes_read: state.bytes_read,
            bytes_total: None,
        }
    }
}

fn token(place: &Place) -> Sequence {
    Sequence::Token(place.to_string().into())
}

/// Room for what is read and not handed out. Given back when it is dropped.
pub(super) struct Room {
    books: Arc<Books>,
    bytes: usize,
}

impl Room {
    /// What was read takes `bytes`. More than was asked for is taken all the same: it is here already.
    pub(super) fn set(&mut self, bytes: usize) {
        let mut state = self.books.state();
        state.reserved_bytes = state.reserved_bytes - self.bytes + bytes;
        drop(state);
        self.bytes = bytes;
        self.books.changed.notify_waiters();
    }

    /// Of it, `bytes` are handed out and counted as open.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.set(self.bytes.saturating_sub(bytes));
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_thrown_away_at_a_hand_over_is_not_passed_over() {
        let books = Books::new("kinesis:logs".into(), SourceLimits::default());
        let place = |text: &str| Place::parse(text).unwrap();
        for ended in [false, true] {
            let reading = books.open(&"s1".into(), &place("1"));
            books.drain(reading);
            let refused = books.register(reading, &place("2"), (10, 1)).await;
            assert!(refused.is_none());
            books.advance(reading, &place("3"), ended);
            assert_eq!(books.due(), []);
        }
    }
}
