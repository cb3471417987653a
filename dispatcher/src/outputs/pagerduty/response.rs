use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};
use crate::{DeliveryOptions, Rate};

/// 200 = taken. 403 is this API's word for too many requests; 400 (an event that cannot be read, an unknown key) is
/// final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    match answer.status {
        403 => Err(answer.retry()),
        _ => answer.judge().map(|()| Step::done()),
    }
}

/// PagerDuty takes 120 events a minute from one integration.
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
