use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};
use crate::{DeliveryOptions, Rate};

/// How connectors say with status 200 that the channel did not take the message.
const FAILED: &str = "Webhook message delivery failed with error";

/// 202 (workflows) and 200 (connectors) = posted, unless the body of a 200 says that the channel answered with an
/// error: then that one's status counts.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    answer.judge()?;
    let text = answer.text();
    let Some((_, error)) = text.split_once(FAILED) else {
        return Ok(Step::done());
    };
    let status = error.split_once("HTTP error ").and_then(|(_, rest)| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u16>().ok()
    });
    let mut inner = answer.clone();
    inner.status = status.unwrap_or(500);
    Err(inner.judge().err().unwrap_or_else(|| inner.retry()))
}

/// More than four requests in a second are throttled.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 2,
        rate: Some(Rate {
            per_sec: 2.0,
            burst: 4,
        }),
        ..DeliveryOptions::default()
    }
}
