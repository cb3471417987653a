use aws_sdk_ses::config::http::HttpResponse;
use aws_sdk_ses::error::SdkError;
use aws_sdk_ses::operation::send_raw_email::{SendRawEmailError, SendRawEmailOutput};
use streamalert_aws::Fault;

use crate::outputs::Receipt;
use crate::{DeliveryOptions, Rate};

/// SES has it.
pub(super) fn sent(
    answer: Result<SendRawEmailOutput, SdkError<SendRawEmailError, HttpResponse>>,
) -> Result<Receipt, Fault> {
    answer.map_err(|error| Fault::of("ses:SendRawEmail", &error))?;
    Ok(Receipt::default())
}

/// Codes of answers that pass: sending is paused.
pub(super) const PASSING: &[&str] = &[
    "AccountSendingPausedException",
    "ConfigurationSetSendingPausedException",
    "LimitExceeded",
];

/// An account that has just left the sandbox may send 14 mails a second.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        rate: Some(Rate {
            per_sec: 10.0,
            burst: 10,
        }),
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
