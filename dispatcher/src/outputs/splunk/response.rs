use serde_json::Value as Json;

use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};
use crate::{DeliveryOptions, Rate};

/// What the collector's codes mean for the one who set it up; codes 8, 9 and 18 (server error, busy, queues full) come
/// with a status that is tried again.
const HINTS: [(i64, &str); 8] = [
    (1, "the token is disabled"),
    (4, "the token is not known"),
    (6, "the collector could not read the event"),
    (7, "the token may not write to this index"),
    (10, "the token needs a channel, set `channel`"),
    (11, "the channel is no GUID"),
    (14, "acknowledgement is disabled"),
    (15, "the collector does not take the indexed fields"),
];

/// 200 with code 0 = taken. 200 with anything else is not from the collector. 429, 503 and 5xx come again, other
/// statuses are final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["code"].as_i64();
    answer.judge().map_err(|mut error| {
        if let Some((_, hint)) = HINTS.iter().find(|(known, _)| Some(*known) == code) {
            error.message = format!("{} ({hint})", error.message);
        }
        error
    })?;
    match code {
        Some(0) => Ok(Step::done()),
        // the status had come already
        None if !answer.is_whole => Ok(Step::done()),
        _ => Err(SendError::unsure(format!(
            "http {}, but not from the collector: {}",
            answer.status,
            answer.text()
        ))),
    }
}

/// Splunk documents no limit of rate, but an indexer that is busy says so with 503.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 16,
        rate: Some(Rate {
            per_sec: 500.0,
            burst: 500,
        }),
        ..DeliveryOptions::default()
    }
}
