//! What is still owed to the source: the pure core of the classifier.
//!
//! Every payload read opens an account. Its records leave in batches, its failures as dead letters; when the
//! last of them is durable downstream, the payload may be acknowledged. Nothing here waits or does I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamalert_types::{
    BatchId, DeadLetter, DeadLetterId, DeadLetterKind, Position, Record, RecordBatch, Source, Timestamp,
};

/// Names one payload between being read and being acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadKey(pub u64);

/// Limits of a batch on its way to the rules-node.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// A batch leaves when it holds this many records: enough to pay for one hop, few enough that a lost
    /// batch is cheap to repeat.
    pub records_max: usize,
    /// A batch leaves when it weighs this many bytes: a quarter of the smallest message limit on the way.
    pub bytes_max: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            records_max: 256,
            bytes_max: 1 << 20,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A payload was taken apart.
    Classified {
        /// Which payload.
        payload: PayloadKey,
        /// The records it held.
        records: Vec<Record>,
        /// What of it no schema took.
        letters: Vec<DeadLetter>,
    },
    /// The batch being filled has waited long enough.
    Linger,
    /// Traces of records of a batch are kept. Comes before the batch is finished.
    Kept {
        /// Which batch.
        batch: BatchId,
        /// Indexes of the records.
        records: Vec<u32>,
    },
    /// The alerts of a batch are durable.
    Accepted(BatchId),
    /// The rules-node will never take a batch: its records become dead letters.
    Refused {
        /// Which batch.
        batch: BatchId,
        /// Why.
        reason: String,
        /// The time to put on the dead letters.
        now: Timestamp,
    },
    /// Dead letters are durable.
    Stored(BatchId),
}

/// Something to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send records to the rules-node until they are accepted or refused.
    Send(BatchId, RecordBatch),
    /// Store dead letters until that succeeds.
    Store(BatchId, Vec<DeadLetter>),
    /// The trace of the payload, which came from this place, is kept. Said before the payload's acknowledgement.
    Keep(PayloadKey, Arc<Source>, Position),
    /// Everything that came of the payload is durable.
    Ack(PayloadKey),
}

/// The accounts of all payloads that are read and not acknowledged.
#[derive(Debug)]
pub struct Ledger {
    limits: BatchLimits,
    next_batch: u64,
    /// Parts outstanding per payload.
    owed: BTreeMap<PayloadKey, u32>,
    filling: Filling,
    in_flight: BTreeMap<BatchId, InFlight>,
}

#[derive(Debug, Default)]
struct Filling {
    records: Vec<Record>,
    owners: Vec<PayloadKey>,
    bytes: usize,
}

#[derive(Debug)]
enum InFlight {
    Records {
        batch: RecordBatch,
        owners: Vec<PayloadKey>,
    },
    Letters {
        owners: Vec<PayloadKey>,
    },
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            next_batch: 0,
            owed: BTreeMap::new(),
            filling: Filling::default(),
            in_flight: BTreeMap::new(),
        }
    }

    /// Whether a batch is being filled, so that the shell knows to wake up for [`Event::Linger`].
    #[must_use]
    pub fn is_filling(&self) -> bool {
        !self.filling.records.is_empty()
    }

    /// Payloads read and not yet acknowledged.
    #[must_use]
    pub fn payloads_open(&self) -> usize {
        self.owed.len()
    }

    /// Takes note of what happened and says what to do.
    pub fn apply(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Classified {
                payload,
                records,
                letters,
            } => {
                self.classified(payload, records, letters, effects);
            }
            Event::Linger => self.close_batch(effects),
            Event::Kept { batch, records } => self.kept(batch, &records, effects),
            Event::Accepted(batch) | Event::Stored(batch) => self.finished(batch, effects),
            Event::Refused { batch, reason, now } => self.refused(batch, &reason, now, effects),
        }
    }

    fn classified(
        &mut self,
        payload: PayloadKey,
        records: Vec<Record>,
        letters: Vec<DeadLetter>,
        effects: &mut Vec<Effect>,
    ) {
        let parts = records.len() + usize::from(!letters.is_empty());
        if parts == 0 {
            effects.push(Effect::Ack(payload));
            return;
        }
        self.owed.insert(
            payload,
            u32::try_from(parts).expect("a payload is bounded far below 2^32 records"),
        );
        if !letters.is_empty() {
            let id = self.new_batch();
            self.in_flight.insert(
                id,
                InFlight::Letters {
                    owners: vec![payload],
                },
            );
            effects.push(Effect::Store(id, letters));
        }
        for record in records {
            let weight = record.weight_bytes();
            if self.is_filling() && self.filling.bytes + weight > self.limits.bytes_max {
                self.close_batch(effects);
            }
            self.filling.bytes += weight;
            self.filling.records.push(record);
            self.filling.owners.push(payload);
            if self.filling.records.len() >= self.limits.records_max {
                self.close_batch(effects);
            }
        }
    }

    fn close_batch(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_filling() {
            return;
        }
        let Filling { records, owners, .. } = std::mem::take(&mut self.filling);
        let id = self.new_batch();
        let batch = RecordBatch {
            records,
            traceparent: String::new(),
        };
        self.in_flight.insert(
            id,
            InFlight::Records {
                batch: batch.clone(),
                owners,
            },
        );
        effects.push(Effect::Send(id, batch));
    }

    fn kept(&self, batch: BatchId, records: &[u32], effects: &mut Vec<Effect>) {
        let Some(InFlight::Records { batch, owners }) = self.in_flight.get(&batch) else {
            return;
        };
        let mut last = None;
        for index in records.iter().map(|index| *index as usize) {
            // The rules-node may be wrong about its own batch; its mistake costs a trace.
            let (Some(record), Some(owner)) = (batch.records.get(index), owners.get(index)) else {
                continue;
            };
            if last.replace(*owner) != Some(*owner) {
                let position = record.position.clone();
                effects.push(Effect::Keep(*owner, record.source.clone(), position));
            }
        }
    }

    fn finished(&mut self, batch: BatchId, effects: &mut Vec<Effect>) {
        let (Some(InFlight::Records { owners, .. }) | Some(InFlight::Letters { owners })) =
            self.in_flight.remove(&batch)
        else {
            return;
        };
        for owner in owners {
            self.pay(owner, effects);
        }
    }

    fn refused(&mut self, batch: BatchId, reason: &str, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(InFlight::Records {
            batch: refused,
            owners,
        }) = self.in_flight.remove(&batch)
        else {
            return;
        };
        let letters = refused
            .records
            .iter()
            .map(|record| refusal(record, reason, now))
            .collect();
        let id = self.new_batch();
        self.in_flight.insert(id, InFlight::Letters { owners });
        effects.push(Effect::Store(id, letters));
    }

    fn pay(&mut self, payload: PayloadKey, effects: &mut Vec<Effect>) {
        let Some(owed) = self.owed.get_mut(&payload) else {
            return;
        };
        *owed -= 1;
        if *owed == 0 {
            self.owed.remove(&payload);
            effects.push(Effect::Ack(payload));
        }
    }

    fn new_batch(&mut self) -> BatchId {
        self.next_batch += 1;
        BatchId(self.next_batch)
    }
}

fn refusal(record: &Record, reason: &str, now: Timestamp) -> DeadLetter {
    let reason = format!("refused by the rules-node: {reason}");
    DeadLetter {
        id: DeadLetterId::new(&record.source, &record.position, Some(record.sub), &reason),
        created: now,
        kind: DeadLetterKind::Unclassified {
            source: record.source.clone(),
            position: record.position.clone(),
            sub: Some(record.sub),
            nearest: None,
        },
        reason,
        body: record.json.clone(),
        truncated: false,
    }
}

#[cfg(test)]
mod tests;
