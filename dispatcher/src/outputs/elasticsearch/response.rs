use serde_json::Value as Json;

use crate::DeliveryOptions;
use crate::outputs::SendError;
use crate::outputs::http::{Answer, Step};

/// Errors that say that the index cannot hold the fields of this document, in the words of all versions.
const MAPPING_ERRORS: [&str; 4] = [
    "mapper_parsing_exception",
    "document_parsing_exception",
    "strict_dynamic_mapping_exception",
    "Limit of total fields",
];

/// Whether the document would be taken if its record were text.
pub(super) fn is_mapping_trouble(answer: &Answer) -> bool {
    let text = answer.text();
    answer.status == 400 && MAPPING_ERRORS.iter().any(|error| text.contains(error))
}

/// 201 = written; 409 with a version conflict = it was there. 429 (the write queue is full) and 5xx come again, and so
/// does a 403 of an index that is blocked because a disk is full. Other statuses are final.
pub(super) fn judge(answer: &Answer) -> Result<Step, SendError> {
    let text = answer.text();
    if answer.status == 409 && text.contains("version_conflict_engine_exception") {
        return Ok(Step::done());
    }
    if answer.status == 403 && text.contains("cluster_block_exception") {
        return Err(answer.retry());
    }
    answer.judge()?;
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    // `noop`: a pipeline of the operator dropped it
    if body["result"].is_string() {
        return Ok(Step::done());
    }
    // a proxy's page, or an answer that broke off: asking again tells which, and writes nothing twice
    Err(SendError::unsure(format!(
        "http {}, but no answer about a document: {text}",
        answer.status
    )))
}

/// A node has a few hundred places for writes; 16 at a time leave them to others.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions::default()
}
