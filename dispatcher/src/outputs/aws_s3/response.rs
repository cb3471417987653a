use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use streamalert_aws::Fault;

use crate::DeliveryOptions;
use crate::outputs::Receipt;

/// The object is there, also when a former attempt put it.
pub(super) fn put(
    answer: Result<PutObjectOutput, SdkError<PutObjectError, HttpResponse>>,
) -> Result<Receipt, Fault> {
    match answer.map_err(|error| Fault::of("s3:PutObject", &error)) {
        Err(fault) if fault.code != "PreconditionFailed" => Err(fault),
        _ => Ok(Receipt::default()),
    }
}

/// Codes of answers below 500 that pass: another attempt at the same object is under way, or this one was slow.
pub(super) const PASSING: &[&str] = &["ConditionalRequestConflict", "OperationAborted", "RequestTimeout"];

/// A bucket takes 3,500 objects a second below one prefix, and asks for fewer with 503.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 32,
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
