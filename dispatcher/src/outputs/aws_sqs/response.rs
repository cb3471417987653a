use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::get_queue_url::{GetQueueUrlError, GetQueueUrlOutput};
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
use streamalert_aws::Fault;

use crate::outputs::Receipt;
use crate::{DeliveryOptions, Rate};

/// The url of a queue.
pub(super) fn url(
    answer: Result<GetQueueUrlOutput, SdkError<GetQueueUrlError, HttpResponse>>,
) -> Result<String, Fault> {
    let answer = answer.map_err(|error| Fault::of("sqs:GetQueueUrl", &error))?;
    Ok(answer.queue_url.unwrap_or_default())
}

/// The queue has it.
pub(super) fn sent(
    answer: Result<SendMessageOutput, SdkError<SendMessageError, HttpResponse>>,
) -> Result<Receipt, Fault> {
    answer.map_err(|error| Fault::of("sqs:SendMessage", &error))?;
    Ok(Receipt::default())
}

/// A FIFO queue without high throughput takes 300 messages a second, others have no limit.
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
