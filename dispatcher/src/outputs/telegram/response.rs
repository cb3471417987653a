use std::time::Duration;

use serde_json::Value as Json;

use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Rate};

/// Whether Telegram cannot read the markup of the text.
pub(super) fn is_unreadable(answer: &Answer) -> bool {
    answer.status == 400 && answer.text().contains("can't parse entities")
}

/// 200 = sent; the message's number is what later news of the incident reply to. 429 says in its body how long to
/// wait.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 429 && answer.retry_after.is_none() {
        let mut told = answer.clone();
        told.retry_after = body["parameters"]["retry_after"]
            .as_u64()
            .map(Duration::from_secs);
        return Err(told.retry());
    }
    answer.judge().map_err(|mut error| {
        if let Some(chat) = body["parameters"]["migrate_to_chat_id"].as_i64() {
            error.message = format!(
                "{} (the group is a supergroup now, set chat_id to {chat})",
                error.message
            );
        }
        error
    })?;
    let reference = body["result"]["message_id"].as_i64().map(|id| id.to_string());
    Ok(Step::Done(Receipt { reference }))
}

/// One message a second and chat, and 20 a minute and group.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 1,
        rate: Some(Rate {
            per_sec: 0.33,
            burst: 5,
        }),
        ..DeliveryOptions::default()
    }
}
