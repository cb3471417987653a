use std::sync::Arc;

use bytes::Bytes;

use crate::{AlertId, DataType, DeadLetterId, OutputName, Position, Source, Timestamp};

/// What could not be processed, kept with its reason so that it can be looked at and replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Deterministic id: the same failure stored again is stored once.
    pub id: DeadLetterId,
    /// When it was stored.
    pub created: Timestamp,
    /// What it is about.
    pub kind: DeadLetterKind,
    /// Why, in one line.
    pub reason: String,
    /// The original bytes: the payload, the sub-record, or the alert's JSON.
    pub body: Bytes,
    /// True when `body` is only the beginning, because the original was over the limit.
    pub truncated: bool,
}

/// What a dead letter is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetterKind {
    /// A payload, or one sub-record of it, that no schema took.
    Unclassified {
        /// Where it came from.
        source: Arc<Source>,
        /// Its place.
        position: Position,
        /// The sub-record; `None` for the whole payload.
        sub: Option<u32>,
        /// The schema that came closest.
        nearest: Option<NearestSchema>,
    },
    /// A record on which a rule could not be evaluated (killed worker, suspended rule).
    RuleFailure {
        /// Log type of the record.
        log_type: Arc<str>,
        /// How it was written.
        data_type: DataType,
        /// Where it came from.
        source: Arc<Source>,
        /// Its place.
        position: Position,
        /// The sub-record.
        sub: u32,
        /// The rule.
        rule: Arc<str>,
    },
    /// An alert that an output did not take.
    Undelivered {
        /// The alert.
        alert: AlertId,
        /// The rule that raised it.
        rule: Arc<str>,
        /// The output.
        output: OutputName,
        /// Attempts made.
        attempts: u32,
    },
}

/// The schema that came closest to matching, and what was in the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NearestSchema {
    /// The log type.
    pub log_type: String,
    /// Keys the schema needs and the record lacks.
    pub missing: Vec<String>,
    /// Keys the record has and the schema does not know.
    pub unexpected: Vec<String>,
    /// Keys whose value does not convert, with what was expected: `port: not an integer`.
    pub wrong_type: Vec<String>,
}
