use aws_sdk_sns::config::http::HttpResponse;
use aws_sdk_sns::error::SdkError;
use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
use streamalert_aws::Fault;

use crate::outputs::Receipt;
use crate::{DeliveryOptions, Rate};

/// The topic has it.
pub(super) fn published(
    answer: Result<PublishOutput, SdkError<PublishError, HttpResponse>>,
) -> Result<Receipt, Fault> {
    answer.map_err(|error| Fault::of("sns:Publish", &error))?;
    Ok(Receipt::default())
}

/// A FIFO topic takes 300 messages a second of one group and 3,000 in all; others take 300 in the smallest regions.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 32,
        rate: Some(Rate {
            per_sec: 300.0,
            burst: 300,
        }),
        ..DeliveryOptions::default()
    }
}
