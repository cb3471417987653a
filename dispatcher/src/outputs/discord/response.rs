use std::time::Duration;

use serde_json::Value as Json;

use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Rate};

/// 200 with the message = posted; its id is where later news of the incident go. 429 comes again after `Retry-After`,
/// or after `retry_after` seconds of its body where a proxy lost the header.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 429 && answer.retry_after.is_none() {
        let mut told = answer.clone();
        let secs = body["retry_after"].as_f64();
        told.retry_after = secs.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
        return Err(told.retry());
    }
    answer.judge()?;
    let reference = body["id"].as_str().map(str::to_owned);
    Ok(Step::Done(Receipt { reference }))
}

/// Discord tells its limits with each answer; a webhook was never seen to have less than 30 messages a minute.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 2,
        rate: Some(Rate {
            per_sec: 0.5,
            burst: 5,
        }),
        ..DeliveryOptions::default()
    }
}
