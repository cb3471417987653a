use streamalert_types::Timestamp;
use streamalert_value::Value;

use super::config::Config;
use super::http::{Method, Parcel, Request, url_with};
use crate::outputs::SendError;
use crate::outputs::json::{map, text};
use crate::{Publication, to_json};

/// The request of one event.
pub(super) fn event(config: &Config, parcel: &Parcel<'_>) -> Result<Request, SendError> {
    let url = url_with(&config.url, &["services", "collector", "event"], &[])?;
    let mut request = Request::new(Method::POST, &url)
        .with_json_bytes(body(config, parcel)?)
        .authorization("Splunk", &config.token)?;
    if let Some(channel) = &config.channel {
        request = request.header("x-splunk-request-channel", channel)?;
    }
    Ok(request)
}

/// The event, without its record if it would be too large.
fn body(config: &Config, parcel: &Parcel<'_>) -> Result<Vec<u8>, SendError> {
    let publication = parcel.publication;
    let whole = of(config, parcel, Value::Map(publication.fields().into_owned()));
    if whole.len() <= config.body_bytes_max {
        return Ok(whole);
    }
    let short = publication.shortened(whole.len(), config.body_bytes_max);
    let short = of(config, parcel, short);
    if short.len() <= config.body_bytes_max {
        return Ok(short);
    }
    let message = format!(
        "event of {} bytes, over the limit of {} even without its record",
        whole.len(),
        config.body_bytes_max
    );
    Err(SendError::permanent(message))
}

fn of(config: &Config, parcel: &Parcel<'_>, event: Value) -> Vec<u8> {
    let Publication { alert, .. } = parcel.publication;
    let mut fields = map([
        ("time", text(&seconds(alert.created))),
        ("source", text(&config.source)),
        ("sourcetype", text(&config.sourcetype)),
        ("event", event),
        (
            "fields",
            map([
                ("idempotency_key", text(parcel.key)),
                ("alert_id", text(&alert.id.to_string())),
                ("rule_name", text(&alert.rule_name)),
            ]),
        ),
    ]);
    for (name, value) in [("index", &config.index), ("host", &config.host)] {
        if let (Some(value), Value::Map(fields)) = (value, &mut fields) {
            fields.insert(name.to_owned(), text(value));
        }
    }
    to_json(&fields)
}

/// Seconds since 1970 with milliseconds, as text, which the collector takes as well and which has no rounding.
fn seconds(time: Timestamp) -> String {
    let micros = time.as_micros();
    let (secs, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    format!("{secs}.{:03}", rest / 1000)
}
