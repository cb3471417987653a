use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use streamalert_types::{OutputName, Record};
use streamalert_value::Value;

use crate::RuleIndex;

/// What came of one rule on one record.
#[derive(Debug, Clone)]
pub enum RuleOutcome {
    /// It fired.
    Fired(Fired),
    /// It ran and did not fire.
    False,
    /// Required sub-keys, a matcher or the datatypes kept it from running.
    NotRun,
    /// It raised; as in StreamAlert, no alert.
    Exception(RuleException),
    /// It was over its time limit and its worker was killed. Nothing is known about whether it would fire.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// Its worker died under it. Nothing is known about whether it would fire.
    Killed(KillReason),
    /// Not evaluated, because it is suspended. Nothing is known about whether it would fire.
    Suspended,
}

impl RuleOutcome {
    /// Whether it is unknown if the rule would have fired, so that the record deserves a dead letter for it.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Killed(_) | Self::Suspended)
    }

    /// The word for it in traces: `true`, `false`, `not_run`, `exception:Type`, `timed_out`, `killed`,
    /// `suspended`.
    #[must_use]
    pub fn trace_word(&self) -> String {
        match self {
            Self::Fired(_) => "true".into(),
            Self::False => "false".into(),
            Self::NotRun => "not_run".into(),
            Self::Exception(exception) => format!("exception:{}", exception.kind),
            Self::TimedOut { .. } => "timed_out".into(),
            Self::Killed(_) => "killed".into(),
            Self::Suspended => "suspended".into(),
        }
    }
}

/// What a rule leaves behind when it fires.
#[derive(Debug, Clone)]
pub struct Fired {
    /// Its static and dynamic outputs of the right form, without duplicates, in no particular order.
    /// The history output is added when the alert is built.
    pub outputs: Vec<OutputName>,
    /// Its context after evaluation; a dictionary, empty when it has none.
    pub context: Value,
    /// The record as this rule left it, as one JSON object; `None` when the rule did not change it.
    pub record: Option<Bytes>,
}

/// An exception that a rule raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleException {
    /// Its class, such as `KeyError`.
    pub kind: Arc<str>,
    /// Its text.
    pub message: String,
    /// The traceback, one line per frame, bounded.
    pub traceback: String,
}

/// How a worker died under a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillReason {
    /// Over the memory limit.
    Memory {
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// Over the limit on steps of native evaluation.
    Steps {
        /// The limit.
        limit: u64,
    },
    /// The process ended with this exit code, as `os._exit` does.
    Exit(i32),
    /// The process was ended by this signal, as a segmentation fault does.
    Signal(i32),
    /// The worker broke the protocol; the text says how.
    Protocol(String),
    /// The rule is no longer found: its file changed on disk since start.
    Missing,
    /// Only CPython knows what the rule does on this record, and there is none.
    NoPython {
        /// Where and why native evaluation ended.
        why: String,
    },
}

impl fmt::Display for KillReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { limit_bytes } => write!(f, "over the memory limit of {limit_bytes} bytes"),
            Self::Steps { limit } => write!(f, "over the limit of {limit} steps"),
            Self::Exit(code) => write!(f, "process exited with code {code}"),
            Self::Signal(signal) => write!(f, "process ended by signal {signal}"),
            Self::Protocol(what) => write!(f, "worker protocol broken: {what}"),
            Self::Missing => f.write_str("rule is no longer found on disk"),
            Self::NoPython { why } => write!(f, "needs python, which is not there: {why}"),
        }
    }
}

/// One rule's outcome.
#[derive(Debug, Clone)]
pub struct RuleResult {
    /// The rule.
    pub rule: RuleIndex,
    /// What came of it.
    pub outcome: RuleOutcome,
}

/// What came of one record.
#[derive(Debug, Clone)]
pub struct RecordOutcome {
    /// The record, handed back.
    pub record: Record,
    /// In the order of the rules. Normally only what is neither `False` nor `NotRun`; with
    /// [`crate::EvaluateOptions::trace`] every candidate rule of the record's log type.
    pub results: Vec<RuleResult>,
}
