use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use streamalert_aws::Fault;

use crate::outputs::Receipt;
use crate::{DeliveryOptions, Rate};

/// Lambda has queued it.
pub(crate) fn invoked(
    answer: Result<InvokeOutput, SdkError<InvokeError, HttpResponse>>,
) -> Result<Receipt, Fault> {
    answer.map_err(|error| Fault::of("lambda:InvokeFunction", &error))?;
    Ok(Receipt::default())
}

/// Codes of answers below 500 that pass: the function is being changed or started.
pub(crate) const PASSING: &[&str] = &[
    "ResourceConflictException",
    "SnapStartNotReadyException",
    "SnapStartTimeoutException",
];

/// Lambda takes ten times as many invocations a second as there may be at once, which are 1,000 in an account.
pub(crate) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 32,
        rate: Some(Rate {
            per_sec: 1000.0,
            burst: 1000,
        }),
        ..DeliveryOptions::default()
    }
}
