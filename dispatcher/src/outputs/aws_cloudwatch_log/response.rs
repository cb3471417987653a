use aws_sdk_cloudwatchlogs::config::http::HttpResponse;
use aws_sdk_cloudwatchlogs::error::SdkError;
use aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupError;
use aws_sdk_cloudwatchlogs::operation::create_log_stream::CreateLogStreamError;
use aws_sdk_cloudwatchlogs::operation::put_log_events::{PutLogEventsError, PutLogEventsOutput};
use streamalert_aws::Fault;

use crate::{DeliveryOptions, Rate};

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    Taken,
    /// For being too old or too new.
    Rejected,
}

pub(super) fn put(
    answer: Result<PutLogEventsOutput, SdkError<PutLogEventsError, HttpResponse>>,
) -> Result<Put, Fault> {
    let answer = answer.map_err(|error| Fault::of("logs:PutLogEvents", &error))?;
    Ok(match answer.rejected_log_events_info {
        None => Put::Taken,
        Some(_) => Put::Rejected,
    })
}

/// The stream is there, whoever made it.
pub(super) fn stream_made<T>(
    answer: Result<T, SdkError<CreateLogStreamError, HttpResponse>>,
) -> Result<(), Fault> {
    made(answer.map_err(|error| Fault::of("logs:CreateLogStream", &error)))
}

/// The group is there, whoever made it.
pub(super) fn group_made<T>(
    answer: Result<T, SdkError<CreateLogGroupError, HttpResponse>>,
) -> Result<(), Fault> {
    made(answer.map_err(|error| Fault::of("logs:CreateLogGroup", &error)))
}

fn made<T>(answer: Result<T, Fault>) -> Result<(), Fault> {
    match answer {
        Err(fault) if fault.code != "ResourceAlreadyExistsException" => Err(fault),
        _ => Ok(()),
    }
}

/// Codes of answers that pass: others are making the same group.
pub(super) const PASSING: &[&str] = &["OperationAbortedException"];

/// An account may put 5,000 times a second in a region, and others in it do so, too.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 32,
        rate: Some(Rate {
            per_sec: 500.0,
            burst: 500,
        }),
        ..DeliveryOptions::default()
    }
}
