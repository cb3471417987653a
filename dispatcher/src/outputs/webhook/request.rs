use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::config::Config;
use super::http::{Parcel, Request};
use super::signature::{SIGNATURE_HEADER, sign};
use crate::outputs::SendError;
use crate::{Publication, to_json};

/// The header that carries the idempotency key (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

/// The request of one attempt: the configured headers, and ours, which win.
pub(super) fn post(config: &Config, parcel: &Parcel<'_>) -> Result<Request, SendError> {
    let mut request = Request::new(config.method.clone(), &config.url);
    request.body = body(parcel.publication, config.body_bytes_max)?;
    request.headers.clone_from(&config.headers);
    request
        .headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    request = request.header(IDEMPOTENCY_KEY_HEADER, parcel.key)?;
    if let Some(secret) = &config.hmac_secret {
        let unix_secs = parcel.now.as_micros().div_euclid(1_000_000);
        let signature = sign(secret, unix_secs, &request.body);
        request = request.header(SIGNATURE_HEADER, &signature)?;
    }
    Ok(request)
}

/// The body: the publication as JSON, without its record if it would be larger than `bytes_max`.
fn body(publication: &Publication, bytes_max: usize) -> Result<Vec<u8>, SendError> {
    let whole = to_json(&publication.body);
    if whole.len() <= bytes_max {
        return Ok(whole);
    }
    let short = to_json(&publication.shortened(whole.len(), bytes_max));
    if short.len() <= bytes_max {
        return Ok(short);
    }
    let message = format!(
        "publication of {} bytes, over the limit of {bytes_max} even without its record",
        whole.len()
    );
    Err(SendError::permanent(message))
}
