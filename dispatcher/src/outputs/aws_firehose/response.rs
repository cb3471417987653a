use aws_sdk_firehose::config::http::HttpResponse;
use aws_sdk_firehose::error::SdkError;
use aws_sdk_firehose::operation::put_record_batch::{PutRecordBatchError, PutRecordBatchOutput};
use streamalert_aws::Fault;

use crate::DeliveryOptions;

/// The action that is asked for.
pub(super) const ACTION: &str = "firehose:PutRecordBatch";

/// Why each record of a request was not taken, in order; `None` for those that were. Those that the answer does not tell
/// of were not.
pub(super) fn put(
    answer: Result<PutRecordBatchOutput, SdkError<PutRecordBatchError, HttpResponse>>,
    records: usize,
) -> Result<Vec<Option<String>>, Fault> {
    let answer = answer.map_err(|error| Fault::of(ACTION, &error))?;
    let mut entries = answer.request_responses.into_iter();
    let told = || {
        let Some(entry) = entries.next() else {
            return Some(format!("{ACTION}: the answer does not tell of the record"));
        };
        entry.error_code.map(|code| {
            let message = entry.error_message.unwrap_or_default();
            format!("{ACTION}: {code}: {message}")
        })
    };
    Ok(std::iter::repeat_with(told).take(records).collect())
}

/// Many at once: those that wait together share one write to the disk, or one request.
pub(super) fn delivery_options() -> DeliveryOptions {
    (super::super::file::SERVICE.delivery)()
}
