use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use streamalert_types::{
    Alert, AlertId, Merging, OutputName, Position, RecordId, Sequence, Source, Timestamp,
};
use streamalert_value::{Map, Value};

use super::cloudtrail;

/// When the first alert was raised. Alerts are a microsecond apart, so all are within one window.
pub(super) const START: Timestamp = Timestamp::from_micros(1_773_300_000_000_000);

const RULE: &str = "bench_rule";

/// Makes alerts about CloudTrail events that are to be merged by user and address within five minutes.
pub(super) struct AlertMaker {
    source: Source,
    template: Alert,
    keys: u64,
}

impl AlertMaker {
    /// Alerts of `keys` different merge keys, in turn.
    pub(super) fn new(keys: u64) -> Self {
        let source = Source {
            service: "kinesis".into(),
            resource: "bench".into(),
            cluster: None,
        };
        let template = Alert {
            id: AlertId::from_u128(0),
            rule_name: RULE.into(),
            rule_description: "a rule".into(),
            created: START,
            cluster: None,
            log_source: "cloudtrail:events".into(),
            log_type: "json".into(),
            source_entity: "bench".into(),
            source_service: "kinesis".into(),
            outputs: [OutputName::history()].into(),
            publishers: Value::Null,
            context: Value::Map(Map::new()),
            merge_by_keys: ["sourceIPAddress".to_owned(), "userName".to_owned()].into(),
            merge_window_mins: 5,
            staged: false,
            record: Bytes::new(),
            traceparent: "".into(),
            rules_version: "".into(),
            merging: Merging::default(),
        };
        Self {
            source,
            template,
            keys: keys.max(1),
        }
    }

    /// The same with another window.
    pub(super) fn with_window(mut self, mins: u32) -> Self {
        self.template.merge_window_mins = mins;
        self
    }

    /// The alert of this number; equal numbers give equal alerts.
    pub(super) fn alert(&self, number: u64) -> Arc<Alert> {
        self.alert_at(number, START.plus(Duration::from_micros(number)))
    }

    /// The alert of this number, created then.
    pub(super) fn alert_at(&self, number: u64, created: Timestamp) -> Arc<Alert> {
        let position = Position {
            partition: "shard-0".into(),
            sequence: Sequence::Offset(number),
        };
        Arc::new(Alert {
            id: AlertId::new(RecordId::new(&self.source, &position, 0), RULE),
            created,
            record: Bytes::from(cloudtrail::record(number, number % self.keys)),
            ..self.template.clone()
        })
    }
}
