use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Position, RecordId, Source};

/// How a log line was written; StreamAlert calls this the data type or parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataType {
    /// JSON text.
    Json,
    /// Delimiter-separated values without a header.
    Csv,
    /// Key-value pairs.
    Kv,
    /// The BSD syslog line that StreamAlert knows.
    Syslog,
}

impl DataType {
    /// The name in schemas and alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Kv => "kv",
            Self::Syslog => "syslog",
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "kv" => Ok(Self::Kv),
            "syslog" => Ok(Self::Syslog),
            other => Err(format!(
                "unknown parser {other:?}, expected json, csv, kv or syslog"
            )),
        }
    }
}

/// One classified, converted and normalized record on its way to the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where its payload came from.
    pub source: Arc<Source>,
    /// The place of its payload.
    pub position: Position,
    /// Which sub-record of the payload this is, from 0.
    pub sub: u32,
    /// The log type, such as `cloudtrail:events`.
    pub log_type: Arc<str>,
    /// How the log was written.
    pub data_type: DataType,
    /// The record as one JSON object, `streamalert_normalization` and `streamalert:envelope_keys` included.
    /// NaN and infinities are written as Python writes them; lone surrogates stay escaped.
    pub json: Bytes,
}

impl Record {
    /// The id that is the same whenever this record is read again.
    #[must_use]
    pub fn id(&self) -> RecordId {
        RecordId::new(&self.source, &self.position, self.sub)
    }

    /// Bytes that this record counts for against limits.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.json.len() + 128
    }
}

/// Records that travel and are acknowledged together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordBatch {
    /// The records, in source order.
    pub records: Vec<Record>,
    /// W3C trace context of the batch, or empty.
    pub traceparent: String,
}
