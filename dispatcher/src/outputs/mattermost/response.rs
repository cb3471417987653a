use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};
use crate::{DeliveryOptions, Rate};

/// 200 `ok` = posted. 429 and 5xx come again, everything else (an unknown hook, a channel that is gone) is final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge()?;
    Ok(Step::done())
}

/// A server takes ten requests a second from one address unless its operator says otherwise (`RateLimitSettings`).
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        rate: Some(Rate {
            per_sec: 5.0,
            burst: 10,
        }),
        ..DeliveryOptions::default()
    }
}
