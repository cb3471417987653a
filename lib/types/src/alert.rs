use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use streamalert_value::Value;

use crate::{AlertId, OutputName, Timestamp};

/// One alert: a rule that fired on a record, or a merged group of such. Field for field StreamAlert's
/// `Alert`, so that its DynamoDB item and its output dictionary can be written from it.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Deterministic id.
    pub id: AlertId,
    /// Name of the rule function.
    pub rule_name: Arc<str>,
    /// Raw docstring of the rule.
    pub rule_description: Arc<str>,
    /// When the rule fired.
    pub created: Timestamp,
    /// Cluster of the source.
    pub cluster: Option<Arc<str>>,
    /// Log type of the record, such as `cloudtrail:events`.
    pub log_source: Arc<str>,
    /// Parser of the record: `json`, `csv`, `kv`, `syslog`.
    pub log_type: Arc<str>,
    /// Resource the record came from.
    pub source_entity: Arc<str>,
    /// Service the record came from.
    pub source_service: Arc<str>,
    /// Where it shall go; `aws-firehose:alerts` always among them.
    pub outputs: BTreeSet<OutputName>,
    /// Publishers: null, a dotted name, a list of them, or a dictionary per output.
    pub publishers: Value,
    /// The rule's context after evaluation; a dictionary.
    pub context: Value,
    /// Keys whose values make alerts of this rule belong together; empty = never merged.
    pub merge_by_keys: Arc<[String]>,
    /// How long a merge group stays open, in whole minutes; 0 = never merged.
    pub merge_window_mins: u32,
    /// Raised by a rule that is being tried out: history only.
    pub staged: bool,
    /// The record, one JSON object.
    pub record: Bytes,
    /// W3C trace context of the record that raised it, or empty.
    pub traceparent: Arc<str>,
    /// Version of the rule set that raised it, or empty.
    pub rules_version: Arc<str>,
    /// When it goes out, beside the others of its merge group.
    pub merging: Merging,
}

/// When an alert goes out, beside the others of its merge group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Merging {
    /// All of a group go out together, as one, when the window ends. StreamAlert's way.
    #[default]
    Together,
    /// The first of a group goes out at once, the others together when the window ends. The rule option
    /// `merge_send_first`.
    FirstAtOnce,
    /// It is the others of a group, merged: what there is to say beyond this alert, which went out first.
    Follows(AlertId),
}

impl Alert {
    /// Whether this alert waits in a group instead of going straight to its outputs.
    #[must_use]
    pub fn merge_enabled(&self) -> bool {
        self.merge_window_mins > 0 && !self.merge_by_keys.is_empty()
    }

    /// Whether it is among those of which the first goes out at once.
    #[must_use]
    pub fn sends_first(&self) -> bool {
        self.merge_enabled() && self.merging == Merging::FirstAtOnce && !self.staged
    }

    /// Names the incident that it is about: the alert that opened it.
    #[must_use]
    pub const fn incident(&self) -> AlertId {
        match self.merging {
            Merging::Follows(first) => first,
            Merging::Together | Merging::FirstAtOnce => self.id,
        }
    }

    /// The id of the trace that this alert is part of, 32 hexadecimal digits; `None` when it has none.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent
            .parse::<crate::Traceparent>()
            .ok()
            .and_then(|_| self.traceparent.get(3..35))
    }

    /// Bytes that this alert counts for against limits.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.record.len() + self.rule_description.len() + 512
    }
}

/// Alerts that travel and become durable together.
#[derive(Debug, Clone, Default)]
pub struct AlertBatch {
    /// The alerts.
    pub alerts: Vec<Arc<Alert>>,
}
