use super::config::Config;
use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::aws::{compact, dedup_id, fitted, payload_of, without_noncharacters};

/// What every queue takes; since 2025 one may be set to 1 MiB.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// What publishers give instead.
const MAGIC: &[(&str, &str)] = &[("aws-sqs", "message_data")];

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) body: String,
    pub(super) group: Option<String>,
    pub(super) dedup_id: Option<String>,
}

/// The message about `publication`.
pub(super) fn message(publication: &Publication, key: &str, config: &Config) -> Result<Message, SendError> {
    let body = payload_of(publication, MAGIC, config.is_record);
    let is_fifo = config.is_fifo();
    Ok(Message {
        body: fitted(publication, body, MESSAGE_BYTES_MAX, |body| {
            without_noncharacters(compact(body))
        })?,
        group: is_fifo.then(|| publication.incident().key),
        dedup_id: is_fifo.then(|| dedup_id(key)),
    })
}
