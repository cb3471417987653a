use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Rate};

/// 200 with the message = it is there, perhaps since an attempt before. Anything else with 200 is not from Chat, and
/// trying again costs nothing. 429 and 5xx come again, other statuses are final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    let message = answer.json()?;
    let reference = message["name"].as_str().map(str::to_owned);
    Ok(Step::Done(Receipt { reference }))
}

/// One message a second and space, for all webhooks of it together.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 2,
        rate: Some(Rate {
            per_sec: 1.0,
            burst: 1,
        }),
        ..DeliveryOptions::default()
    }
}
