use serde_json::Value as Json;

use crate::DeliveryOptions;
use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};

/// 200 = taken, unless `partialSuccess` says that the record was rejected, which is final. 429 (`Retry-After`) and 5xx
/// come again, other statuses are final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge()?;
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let rejected = &body["partialSuccess"]["rejectedLogRecords"];
    // a number or a text, as JSON of Protobuf has it
    let rejected = rejected.as_i64().or_else(|| rejected.as_str()?.parse().ok());
    if rejected.is_some_and(|count| count > 0) {
        return Err(answer.refusal());
    }
    Ok(Step::done())
}

/// Collectors are near and take what comes.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 32,
        ..DeliveryOptions::default()
    }
}
