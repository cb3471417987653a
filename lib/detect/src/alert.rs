use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{Alert, AlertId, Merging, OutputName, Record, Timestamp};
use streamalert_value::{Map, Value};

use crate::{Fired, RuleInfo};

/// What an alert needs besides record, rule and evaluation.
#[derive(Debug, Clone)]
pub struct AlertStamp {
    /// When the rule fired.
    pub created: Timestamp,
    /// The rule is being tried out: history only, whatever its outputs.
    pub staged: bool,
    /// W3C trace context of the record, or empty.
    pub traceparent: Arc<str>,
    /// Version of the rule set.
    pub rules_version: Arc<str>,
}

/// Makes the alert of a rule that fired. The same record and rule give the same alert id.
#[must_use]
pub fn build_alert(record: &Record, rule: &RuleInfo, fired: Fired, stamp: &AlertStamp) -> Alert {
    let staged = stamp.staged || rule.staged;
    let mut outputs: BTreeSet<OutputName> = if staged {
        BTreeSet::new()
    } else {
        fired.outputs.into_iter().collect()
    };
    outputs.insert(OutputName::history());
    let context = match fired.context {
        context @ Value::Map(_) => context,
        _ => Value::Map(Map::new()),
    };
    Alert {
        id: AlertId::new(record.id(), &rule.name),
        rule_name: rule.name.clone(),
        rule_description: rule.description.clone(),
        created: stamp.created,
        cluster: record.source.cluster.clone(),
        log_source: record.log_type.clone(),
        log_type: record.data_type.as_str().into(),
        source_entity: record.source.resource.clone(),
        source_service: record.source.service.clone(),
        publishers: rule.publishers.for_outputs(&outputs),
        outputs,
        context,
        merge_by_keys: rule.merge_by_keys.clone(),
        merge_window_mins: rule.merge_window_mins,
        staged,
        // A copy: the record is a slice of its batch, and an alert may wait for hours.
        record: fired
            .record
            .unwrap_or_else(|| Bytes::copy_from_slice(&record.json)),
        traceparent: stamp.traceparent.clone(),
        rules_version: stamp.rules_version.clone(),
        merging: if rule.merge_send_first {
            Merging::FirstAtOnce
        } else {
            Merging::Together
        },
    }
}

/// The alert as StreamAlert's alerts table holds it. `Attempts`, `Dispatched` and `OutputsSent` are those of
/// an alert that has not been sent yet.
#[must_use]
pub fn alert_item(alert: &Alert) -> Value {
    let publishers = match &alert.publishers {
        Value::Map(map) if map.is_empty() => Value::Null,
        other => other.clone(),
    };
    map([
        ("AlertID", text(&alert.id.to_string())),
        ("Attempts", Value::Int(0)),
        ("Cluster", alert.cluster.as_deref().map_or(Value::Null, text)),
        ("Context", alert.context.clone()),
        ("Created", text(&alert.created.to_string())),
        ("Dispatched", text(&Timestamp::EPOCH.to_string())),
        ("LogSource", text(&alert.log_source)),
        ("LogType", text(&alert.log_type)),
        (
            "MergeByKeys",
            Value::List(alert.merge_by_keys.iter().map(|key| text(key)).collect()),
        ),
        ("MergeWindowMins", Value::Int(i64::from(alert.merge_window_mins))),
        ("Outputs", output_list(alert)),
        ("OutputsSent", Value::Null),
        ("Publishers", publishers),
        ("Record", text(&String::from_utf8_lossy(&alert.record))),
        ("RuleDescription", text(&alert.rule_description)),
        ("RuleName", text(&alert.rule_name)),
        ("SourceEntity", text(&alert.source_entity)),
        ("SourceService", text(&alert.source_service)),
        ("Staged", Value::Bool(alert.staged)),
    ])
}

/// The alert as outputs get it, with its record read: StreamAlert's `output_dict`. `None` when the record is
/// not JSON, which no alert of ours is.
#[must_use]
pub fn output_dict(alert: &Alert) -> Option<Value> {
    Some(output_dict_with_record(
        alert,
        Value::parse_json(&alert.record).ok()?,
    ))
}

/// Like [`output_dict`] for a caller that has read the record already.
#[must_use]
pub fn output_dict_with_record(alert: &Alert, record: Value) -> Value {
    let publishers = match &alert.publishers {
        Value::Null => Value::Map(Map::new()),
        other => other.clone(),
    };
    map([
        ("cluster", text(alert.cluster.as_deref().unwrap_or_default())),
        ("context", alert.context.clone()),
        ("created", text(&alert.created.to_string())),
        ("id", text(&alert.id.to_string())),
        ("log_source", text(&alert.log_source)),
        ("log_type", text(&alert.log_type)),
        ("outputs", output_list(alert)),
        ("publishers", publishers),
        ("record", record),
        ("rule_description", text(&alert.rule_description)),
        ("rule_name", text(&alert.rule_name)),
        ("source_entity", text(&alert.source_entity)),
        ("source_service", text(&alert.source_service)),
        ("staged", Value::Bool(alert.staged)),
    ])
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn output_list(alert: &Alert) -> Value {
    Value::List(alert.outputs.iter().map(|output| text(output.as_str())).collect())
}
