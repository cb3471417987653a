use crate::DeliveryOptions;
use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};

/// Any 2xx: the trigger has it.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge()?;
    Ok(Step::done())
}

/// No limit is documented. Every event starts a workflow, which is what takes long.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        ..DeliveryOptions::default()
    }
}
