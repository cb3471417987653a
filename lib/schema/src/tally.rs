use streamalert_types::{Position, Sequence};

use crate::{Payload, RawInput, Scratch, Selection};

/// What classifying a corpus comes to; for benchmarks, which divide it by the time it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records and failures.
    pub events: u64,
    /// Failures alone.
    pub failed: u64,
    /// Bytes of units, after decompression.
    pub bytes: u64,
}

impl Tally {
    /// Classifies every input once and adds it up.
    pub fn add(&mut self, selection: &Selection, inputs: &[RawInput], scratch: &mut Scratch) {
        for (at, input) in inputs.iter().enumerate() {
            let position = Position {
                partition: "tally".into(),
                sequence: Sequence::Offset(at as u64),
            };
            let payload = Payload {
                source: &input.source,
                position: &position,
                body: input.body(),
            };
            let classified = selection.classify(&payload, scratch);
            let records: usize = classified.units.iter().map(|unit| unit.records.len()).sum();
            self.events += records as u64 + classified.failed_record_count;
            self.failed += classified.failed_record_count;
            self.bytes += classified.processed_size;
        }
    }
}
