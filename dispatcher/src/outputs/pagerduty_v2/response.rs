use super::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Rate};

/// 202 = taken. 429 and 5xx come again; 400 (an event that cannot be read, an unknown key) is final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge()?;
    Ok(Step::Done(Receipt::default()))
}

/// PagerDuty takes 120 events a minute from one integration and answers more with 429.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        rate: Some(Rate {
            per_sec: 2.0,
            burst: 20,
        }),
        ..DeliveryOptions::default()
    }
}
