use super::super::aws::dedup_id;
use crate::outputs::SendError;
use crate::{Publication, to_json};

/// What every queue takes; since 2025 one may be set to 1 MiB.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) body: String,
    pub(super) group: Option<String>,
    pub(super) dedup_id: Option<String>,
}

/// The message about `publication`.
pub(super) fn message(publication: &Publication, key: &str, is_fifo: bool) -> Result<Message, SendError> {
    let mut body = text(to_json(&publication.body));
    if body.len() > MESSAGE_BYTES_MAX {
        let whole_bytes = body.len();
        body = text(to_json(&publication.shortened(whole_bytes, MESSAGE_BYTES_MAX)));
        if body.len() > MESSAGE_BYTES_MAX {
            let message = format!(
                "message of {whole_bytes} bytes, over the limit of {MESSAGE_BYTES_MAX} even without its record"
            );
            return Err(SendError::permanent(message));
        }
    }
    Ok(Message {
        body,
        group: is_fifo.then(|| publication.incident().key),
        dedup_id: is_fifo.then(|| dedup_id(key)),
    })
}

/// JSON without the two characters that are text to JSON and refused by SQS.
fn text(json: Vec<u8>) -> String {
    let text = String::from_utf8(json).expect("json is text");
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        return text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    }
    text
}
