use super::config::Config;
use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::aws::{compact, fitted, payload_of};

/// What an asynchronous invocation takes since 2025: "1 MB", which it may be or a little more.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1_000_000;

/// What the function gets.
pub(crate) fn payload(publication: &Publication, config: &Config) -> Result<String, SendError> {
    let body = payload_of(publication, config.magic, config.is_record);
    fitted(publication, body, PAYLOAD_BYTES_MAX, compact)
}
