use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{DataType, NearestSchema, Position, Record, Source};

/// What became of one payload. Every sub-record is in exactly one place: a parsed record or a failure.
#[derive(Debug, Clone, Default)]
pub struct Classified {
    /// The payload's units in order: its lines, its app logs, or the one thing that it is.
    pub units: Vec<Unit>,
    /// Failures in all units together; StreamAlert's metric of the same name.
    pub failed_record_count: u64,
    /// Bytes of all units together, after decompression.
    pub processed_size: u64,
}

impl Classified {
    /// All parsed records as they travel to the rules, in order.
    pub fn into_records(self, source: &Arc<Source>, position: &Position) -> Vec<Record> {
        let mut records = Vec::with_capacity(self.units.iter().map(|unit| unit.records.len()).sum());
        for unit in self.units {
            let (Some(log_type), Some(data_type)) = (unit.log_type, unit.data_type) else {
                continue;
            };
            records.extend(unit.records.into_iter().map(|parsed| Record {
                source: Arc::clone(source),
                position: position.clone(),
                sub: parsed.sub,
                log_type: Arc::clone(&log_type),
                data_type,
                json: parsed.json,
            }));
        }
        records
    }
}

/// One unit of a payload: StreamAlert's payload record.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// The schema that took it, such as `cloudtrail:events`; `None` when none did.
    pub log_type: Option<Arc<str>>,
    /// The parser of that schema.
    pub data_type: Option<DataType>,
    /// Its records.
    pub records: Vec<ParsedRecord>,
    /// What could not be used: the whole unit when no schema took it, otherwise the sub-records that the schema
    /// refused.
    pub failures: Vec<Failure>,
}

impl Unit {
    /// Whether a schema took it.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.log_type.is_some()
    }
}

/// One classified, converted and normalized record.
#[derive(Debug, Clone)]
pub struct ParsedRecord {
    /// Unique within the payload, the same whenever the payload is read again.
    pub sub: u32,
    /// The record as JSON: converted, defaults and envelope added, `streamalert_normalization` last.
    pub json: Bytes,
    /// Length of the part of `json` before the normalization; [`Self::plain_json`] uses it.
    pub(crate) plain_len: usize,
}

impl ParsedRecord {
    /// The record as JSON without its normalization.
    #[must_use]
    pub fn plain_json(&self) -> Bytes {
        if self.plain_len == self.json.len() {
            return self.json.clone();
        }
        let mut plain = Vec::with_capacity(self.plain_len + 1);
        plain.extend_from_slice(&self.json[..self.plain_len]);
        plain.push(b'}');
        plain.into()
    }
}

/// Something that is not a record of any schema.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its number within the payload; `None` when it is the whole payload.
    pub sub: Option<u32>,
    /// The original bytes.
    pub original: Bytes,
    /// Why, in one line.
    pub reason: String,
    /// The schema that came closest, where one did.
    pub nearest: Option<NearestSchema>,
}
