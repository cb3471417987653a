use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};
use crate::{DeliveryOptions, Rate};

/// 200 with `"result": "success"` = taken. Some refusals come with 200, too, and `"result": "failure"`.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge()?;
    let said: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    match said {
        Some(said) if said["result"] == "failure" => Err(answer.refusal()),
        _ => Ok(Step::done()),
    }
}

/// No limit is documented; people cannot read more.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        rate: Some(Rate {
            per_sec: 5.0,
            burst: 20,
        }),
        ..DeliveryOptions::default()
    }
}
