use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{Alert, AlertBatch, AlertId, BatchId, Merging, Timestamp};
use streamalert_value::Value;

use crate::malformed::require_object;
use crate::{MalformedMessage, v1};

impl v1::AcceptRequest {
    /// The message that carries `batch`.
    #[must_use]
    pub fn new(id: BatchId, batch: &AlertBatch) -> Self {
        let traceparent = batch
            .alerts
            .iter()
            .map(|alert| &*alert.traceparent)
            .find(|text| !text.is_empty());
        Self {
            batch_id: id.0,
            traceparent: traceparent.unwrap_or_default().to_owned(),
            alerts: batch
                .alerts
                .iter()
                .map(|alert| v1::Alert::from(&**alert))
                .collect(),
        }
    }

    /// The batch that this message carries.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn into_batch(self) -> Result<AlertBatch, MalformedMessage> {
        let alerts = self
            .alerts
            .into_iter()
            .map(|alert| Alert::try_from(alert).map(Arc::new));
        Ok(AlertBatch {
            alerts: alerts.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Alert> for v1::Alert {
    fn from(alert: &Alert) -> Self {
        Self {
            id: Bytes::copy_from_slice(&alert.id.as_u128().to_be_bytes()),
            rule_name: alert.rule_name.to_string(),
            rule_description: alert.rule_description.to_string(),
            created_micros: alert.created.as_micros(),
            cluster: alert.cluster.as_deref().map(str::to_owned),
            log_source: alert.log_source.to_string(),
            log_type: alert.log_type.to_string(),
            source_entity: alert.source_entity.to_string(),
            source_service: alert.source_service.to_string(),
            outputs: alert
                .outputs
                .iter()
                .map(|output| output.as_str().to_owned())
                .collect(),
            publishers_json: alert.publishers.to_json(),
            context_json: alert.context.to_json(),
            merge_by_keys: alert.merge_by_keys.to_vec(),
            merge_window_mins: alert.merge_window_mins,
            staged: alert.staged,
            record_json: alert.record.clone(),
            traceparent: alert.traceparent.to_string(),
            rules_version: alert.rules_version.to_string(),
            merge_send_first: alert.merging == Merging::FirstAtOnce,
            follows: match alert.merging {
                Merging::Follows(first) => Bytes::copy_from_slice(&first.as_u128().to_be_bytes()),
                Merging::Together | Merging::FirstAtOnce => Bytes::new(),
            },
        }
    }
}

impl TryFrom<v1::Alert> for Alert {
    type Error = MalformedMessage;

    fn try_from(alert: v1::Alert) -> Result<Self, MalformedMessage> {
        let id = id_from_bytes("Alert.id", &alert.id)?;
        let merging = match &*alert.follows {
            [] if alert.merge_send_first => Merging::FirstAtOnce,
            [] => Merging::Together,
            first => Merging::Follows(id_from_bytes("Alert.follows", first)?),
        };
        require_object("Alert.record_json", &alert.record_json)?;
        let context = value_from_json("Alert.context_json", &alert.context_json)?;
        if !matches!(context, Value::Map(_)) {
            return Err(MalformedMessage::value("Alert.context_json", "not a json object"));
        }
        let outputs = alert.outputs.iter().map(|output| output.parse());
        Ok(Self {
            id,
            rule_name: alert.rule_name.into(),
            rule_description: alert.rule_description.into(),
            created: Timestamp::from_micros(alert.created_micros),
            cluster: alert.cluster.map(Arc::from),
            log_source: alert.log_source.into(),
            log_type: alert.log_type.into(),
            source_entity: alert.source_entity.into(),
            source_service: alert.source_service.into(),
            outputs: outputs
                .collect::<Result<_, _>>()
                .map_err(|error| MalformedMessage::value("Alert.outputs", error))?,
            publishers: value_from_json("Alert.publishers_json", &alert.publishers_json)?,
            context,
            merge_by_keys: alert.merge_by_keys.into(),
            merge_window_mins: alert.merge_window_mins,
            staged: alert.staged,
            // A copy: an alert may wait for hours, and a slice of the message would keep the whole message.
            record: Bytes::copy_from_slice(&alert.record_json),
            traceparent: alert.traceparent.into(),
            rules_version: alert.rules_version.into(),
            merging,
        })
    }
}

fn id_from_bytes(field: &'static str, bytes: &[u8]) -> Result<AlertId, MalformedMessage> {
    let id = <[u8; 16]>::try_from(bytes);
    let id = id.map_err(|_| MalformedMessage::value(field, format!("{} bytes, expected 16", bytes.len())))?;
    Ok(AlertId::from_u128(u128::from_be_bytes(id)))
}

/// The value that the JSON text of a field stands for.
fn value_from_json(field: &'static str, text: &str) -> Result<Value, MalformedMessage> {
    Value::parse_json(text.as_bytes()).map_err(|error| MalformedMessage::value(field, error))
}
