//! How far each partition is acknowledged: the pure core of every source.
//!
//! Payloads are registered in the order in which they are read and acknowledged in any order. The watermark of
//! a partition is the place after the longest run of acknowledged payloads from its beginning; that, and never
//! more, is what a checkpoint may say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use streamalert_types::Sequence;

/// A partition of a source, as checkpoints name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionName {
    /// The source, as `service:resource`.
    pub source: Arc<str>,
    /// The partition.
    pub partition: Arc<str>,
}

/// One reading of a partition. Opening the partition again makes a new one, and whatever is acknowledged on
/// the old one then counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

/// Names one registered payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    generation: Generation,
    index: u64,
}

impl Ticket {
    /// A ticket for an [`crate::AckTarget`] that keeps its own books.
    #[must_use]
    pub const fn numbered(index: u64) -> Self {
        Self {
            generation: Generation(0),
            index,
        }
    }

    /// The payload's number within its reading of the partition, from 0.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// The reading that it belongs to.
    pub(crate) const fn generation(self) -> Generation {
        self.generation
    }
}

/// How far a partition is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// Everything before this is acknowledged.
    pub sequence: Sequence,
    /// The partition has ended and all of it is acknowledged.
    pub finished: bool,
}

/// What an acknowledgement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acked {
    /// The watermark moved.
    Moved,
    /// An earlier payload of the partition is still open.
    Waiting,
    /// It was acknowledged before, or its generation is over: nothing changed.
    Stale,
}

/// The positions of all payloads that are read and not acknowledged, by partition.
#[derive(Debug, Default)]
pub struct PositionTracker {
    readings: BTreeMap<Generation, Reading>,
    by_name: BTreeMap<PartitionName, Generation>,
    /// Readings whose watermark is ahead of what was written.
    unwritten: BTreeSet<Generation>,
    generations: u64,
    payloads_open: usize,
    bytes_open: usize,
}

#[derive(Debug)]
struct Reading {
    name: PartitionName,
    /// Index of the first payload in `open`.
    first: u64,
    open: VecDeque<Slot>,
    watermark: Watermark,
    ended: bool,
}

#[derive(Debug)]
struct Slot {
    after: Sequence,
    weight_bytes: usize,
    acked: bool,
}

impl PositionTracker {
    /// A tracker without partitions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts to read a partition at `from`. An earlier reading of the same partition is over.
    pub fn open(&mut self, name: PartitionName, from: Sequence) -> Generation {
        if let Some(old) = self.by_name.get(&name).copied() {
            self.close(old);
        }
        self.generations += 1;
        let generation = Generation(self.generations);
        self.by_name.insert(name.clone(), generation);
        let watermark = Watermark {
            sequence: from,
            finished: false,
        };
        let reading = Reading {
            name,
            first: 0,
            open: VecDeque::new(),
            watermark,
            ended: false,
        };
        self.readings.insert(generation, reading);
        generation
    }

    /// Takes note of the next payload, which ends before `after`. `None` when the generation is over.
    pub fn register(
        &mut self,
        generation: Generation,
        after: Sequence,
        weight_bytes: usize,
    ) -> Option<Ticket> {
        let reading = self.readings.get_mut(&generation)?;
        let index = reading.first + reading.open.len() as u64;
        reading.open.push_back(Slot {
            after,
            weight_bytes,
            acked: false,
        });
        self.payloads_open += 1;
        self.bytes_open += weight_bytes;
        Some(Ticket { generation, index })
    }

    /// Takes note that a payload is acknowledged.
    pub fn ack(&mut self, ticket: Ticket) -> Acked {
        let Some(reading) = self.readings.get_mut(&ticket.generation) else {
            return Acked::Stale;
        };
        let slot = ticket
            .index
            .checked_sub(reading.first)
            .and_then(|at| reading.open.get_mut(usize::try_from(at).ok()?))
            .filter(|slot| !slot.acked);
        let Some(slot) = slot else { return Acked::Stale };
        slot.acked = true;
        self.payloads_open -= 1;
        self.bytes_open -= slot.weight_bytes;
        let mut moved = false;
        while let Some(slot) = reading.open.pop_front_if(|slot| slot.acked) {
            reading.first += 1;
            reading.watermark.sequence = slot.after;
            moved = true;
        }
        if !moved {
            return Acked::Waiting;
        }
        reading.watermark.finished = reading.ended && reading.open.is_empty();
        self.unwritten.insert(ticket.generation);
        Acked::Moved
    }

    /// There is nothing more to be registered before `after`, although no payload ends there.
    pub fn advance(&mut self, generation: Generation, after: Sequence) {
        let Some(reading) = self.readings.get_mut(&generation) else {
            return;
        };
        match reading.open.back_mut() {
            Some(last) => last.after = after,
            None if reading.watermark.sequence != after => {
                reading.watermark.sequence = after;
                self.unwritten.insert(generation);
            }
            None => {}
        }
    }

    /// Whether nothing of a reading is open; a reading that is over has nothing.
    #[must_use]
    pub fn is_settled(&self, generation: Generation) -> bool {
        let reading = self.readings.get(&generation);
        reading.is_none_or(|reading| reading.open.is_empty())
    }

    /// The partition has no more payloads; it ends before `after`. Answers whether all of it is acknowledged.
    pub fn end(&mut self, generation: Generation, after: Sequence) -> bool {
        let Some(reading) = self.readings.get_mut(&generation) else {
            return false;
        };
        reading.ended = true;
        match reading.open.back_mut() {
            Some(last) => last.after = after,
            None => {
                reading.watermark = Watermark {
                    sequence: after,
                    finished: true,
                };
                self.unwritten.insert(generation);
            }
        }
        reading.watermark.finished
    }

    /// A partition that had ended goes on after all. False when all of it was acknowledged and written, so that
    /// the reading is forgotten and a new one may be opened where it ended.
    pub fn resume(&mut self, generation: Generation) -> bool {
        let Some(reading) = self.readings.get_mut(&generation) else {
            return false;
        };
        reading.ended = false;
        if std::mem::replace(&mut reading.watermark.finished, false) {
            self.unwritten.insert(generation);
        }
        true
    }

    /// Makes the reading's watermark due to be written although nothing was acknowledged, so that the place at
    /// which a partition was first seen becomes durable.
    pub fn touch(&mut self, generation: Generation) {
        if self.readings.contains_key(&generation) {
            self.unwritten.insert(generation);
        }
    }

    /// Stops a reading: what is open on it will be read again by someone else.
    pub fn close(&mut self, generation: Generation) {
        let Some(reading) = self.readings.remove(&generation) else {
            return;
        };
        let open = reading.open.iter().filter(|slot| !slot.acked);
        let (count, bytes) = open.fold((0, 0), |(count, bytes), slot| {
            (count + 1, bytes + slot.weight_bytes)
        });
        self.payloads_open -= count;
        self.bytes_open -= bytes;
        self.unwritten.remove(&generation);
        if self.by_name.get(&reading.name) == Some(&generation) {
            self.by_name.remove(&reading.name);
        }
    }

    /// Whether a reading has ended and all of it is acknowledged.
    pub(crate) fn is_finished(&self, generation: Generation) -> bool {
        let reading = self.readings.get(&generation);
        reading.is_some_and(|reading| reading.watermark.finished)
    }

    /// Watermarks that are ahead of what was written.
    #[must_use]
    pub fn due(&self) -> Vec<(Generation, PartitionName, Watermark)> {
        let readings = self
            .unwritten
            .iter()
            .filter_map(|generation| self.readings.get_key_value(generation));
        readings
            .map(|(generation, reading)| (*generation, reading.name.clone(), reading.watermark.clone()))
            .collect()
    }

    /// Takes note that a watermark from [`PositionTracker::due`] is durable. A finished partition is forgotten.
    pub fn written(&mut self, generation: Generation, watermark: &Watermark) {
        let Some(reading) = self.readings.get(&generation) else {
            return;
        };
        if reading.watermark != *watermark {
            return;
        }
        self.unwritten.remove(&generation);
        if watermark.finished {
            self.close(generation);
        }
    }

    /// Payloads registered and not acknowledged.
    #[must_use]
    pub const fn payloads_open(&self) -> usize {
        self.payloads_open
    }

    /// Their weight, in bytes.
    #[must_use]
    pub const fn bytes_open(&self) -> usize {
        self.bytes_open
    }

    /// Whether every watermark is durable.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }
}

#[cfg(test)]
mod tests;
