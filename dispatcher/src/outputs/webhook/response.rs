use super::http::{Answer, Step};
use crate::DeliveryOptions;
use crate::outputs::SendError;

/// A webhook has no API of its own: http statuses mean what RFC 9110 says.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge()?;
    Ok(Step::done())
}

/// 64 at once keep a receiver on the other side of the world (200 ms) at 320 a second and more.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 64,
        ..DeliveryOptions::default()
    }
}
