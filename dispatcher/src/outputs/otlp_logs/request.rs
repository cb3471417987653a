use serde_json::{Value as Json, json};
use streamalert_types::Timestamp;
use streamalert_value::{Map, Value};

use super::config::Config;
use super::http::{Method, Parcel, Request, url_with};
use crate::card::{Card, Severity};
use crate::outputs::SendError;
use crate::outputs::json::cut;
use crate::{Publication, to_json};

/// The request that exports one record.
pub(super) fn export(config: &Config, parcel: &Parcel<'_>) -> Result<Request, SendError> {
    let base = config.url.expose().trim_end_matches('/');
    let url = if base.ends_with("/v1/logs") {
        config.url.clone()
    } else {
        url_with(&config.url, &["v1", "logs"], &[])?
    };
    let mut request = Request::new(Method::POST, &url).with_json_bytes(body(config, parcel)?);
    for (name, value) in &config.headers {
        request.headers.insert(name, value.clone());
    }
    Ok(request)
}

fn body(config: &Config, parcel: &Parcel<'_>) -> Result<Vec<u8>, SendError> {
    let publication = parcel.publication;
    let whole = record(config, parcel, &publication.fields());
    if whole.len() <= config.body_bytes_max {
        return Ok(whole);
    }
    let short = publication.shortened(whole.len(), config.body_bytes_max);
    let short = record(config, parcel, short.as_map().unwrap_or(&Map::new()));
    if short.len() <= config.body_bytes_max {
        return Ok(short);
    }
    let message = format!(
        "log record of {} bytes, over the limit of {} even without its record",
        whole.len(),
        config.body_bytes_max
    );
    Err(SendError::permanent(message))
}

/// The `ExportLogsServiceRequest` in the JSON encoding of Protobuf.
fn record(config: &Config, parcel: &Parcel<'_>, fields: &Map) -> Vec<u8> {
    let publication = parcel.publication;
    let card = publication.card();
    let (number, text) = severity(card.severity);
    let mut record = json!({
        "timeUnixNano": nanos(publication.alert.created),
        "observedTimeUnixNano": nanos(parcel.now),
        "severityNumber": number,
        "severityText": text,
        "eventName": "streamalert.alert",
        "body": {"stringValue": cut(&card.headline(), 4000)},
        "attributes": attributes(publication, &card, parcel.key, fields),
    });
    if let Some((trace, span)) = context(publication) {
        record["traceId"] = trace.into();
        record["spanId"] = span.into();
    }
    let request = json!({
        "resourceLogs": [{
            "resource": {"attributes": [attribute("service.name", &config.service_name)]},
            "scopeLogs": [{
                "scope": {"name": "streamalert", "version": env!("CARGO_PKG_VERSION")},
                "logRecords": [record],
            }],
        }],
    });
    serde_json::to_vec(&request).expect("json has text keys")
}

/// What is known of the alert, then what publishers made: texts as they are, everything else as JSON text.
fn attributes(publication: &Publication, card: &Card, key: &str, fields: &Map) -> Vec<Json> {
    let alert = &publication.alert;
    let mut attributes = vec![
        attribute("streamalert.idempotency_key", key),
        attribute("streamalert.alert_id", &alert.id.to_string()),
    ];
    for (name, value) in fields
        .iter()
        .filter(|(name, _)| !name.starts_with('@') && *name != "id")
    {
        let name = format!("streamalert.{}", name.trim_start_matches("streamalert_"));
        match value {
            Value::Null => {}
            Value::Str(text) if text.is_empty() => {}
            Value::Str(text) => attributes.push(attribute(&name, text)),
            Value::Bool(flag) => attributes.push(json!({"key": name, "value": {"boolValue": flag}})),
            // 64 bits are texts in the JSON encoding
            Value::Int(number) => {
                attributes.push(json!({"key": name, "value": {"intValue": number.to_string()}}));
            }
            other => attributes.push(attribute(&name, &String::from_utf8_lossy(&to_json(other)))),
        }
    }
    if let Some(merged) = &card.merged {
        attributes
            .push(json!({"key": "streamalert.merged", "value": {"intValue": merged.count.to_string()}}));
    }
    attributes
}

fn attribute(name: &str, text: &str) -> Json {
    json!({"key": name, "value": {"stringValue": text}})
}

/// Trace and span, as hexadecimal digits.
fn context(publication: &Publication) -> Option<(String, String)> {
    let traceparent = publication.traceparent?.to_string();
    let mut parts = traceparent.split('-').skip(1);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

/// Severity numbers of the logs data model. An alert of which nobody said how bad it is is a warning.
fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Critical => (21, "Critical"),
        Severity::High => (17, "High"),
        Severity::Medium => (13, "Medium"),
        Severity::Low => (10, "Low"),
        Severity::Info => (9, "Info"),
        Severity::Unknown => (13, "Alert"),
    }
}

/// Nanoseconds since 1970; 64 bits are texts in the JSON encoding.
fn nanos(time: Timestamp) -> String {
    format!("{}000", time.as_micros().max(0))
}
