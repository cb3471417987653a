use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use streamalert_types::Traceparent;
use streamalert_value::{Map, Value};

use super::signature::{SIGNATURE_HEADER, sign};
use crate::outputs::SendError;
use crate::{Publication, Secret, to_json};

/// The header that carries the idempotency key (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

/// The header of W3C Trace Context, with which a receiver goes on with our trace.
const TRACEPARENT_HEADER: &str = "traceparent";

/// The field of a shortened publication that says so.
const TRUNCATED_FIELD: &str = "streamalert_truncated";

/// The body: the publication as JSON, without its record if it would be larger than `bytes_max`.
pub(super) fn body(publication: &Publication, bytes_max: usize) -> Result<Vec<u8>, SendError> {
    let whole = to_json(&publication.body);
    if whole.len() <= bytes_max {
        return Ok(whole);
    }
    let note = format!(
        "record left out: {} bytes are over the limit of {bytes_max}, the whole alert {} is in the history",
        whole.len(),
        publication.alert.id
    );
    let mut fields = match &publication.body {
        // what identifies the alert stays; what can be large goes
        Value::Map(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "record" && *name != "context")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        _ => Map::new(),
    };
    fields.insert(TRUNCATED_FIELD.to_owned(), Value::Str(note));
    let short = to_json(&Value::Map(fields));
    if short.len() <= bytes_max {
        return Ok(short);
    }
    let message = format!(
        "publication of {} bytes, over the limit of {bytes_max} even without its record",
        whole.len()
    );
    Err(SendError::permanent(message))
}

/// The headers of one attempt at `unix_secs`: the configured ones, and ours, which win.
pub(super) fn headers(
    configured: &HeaderMap,
    hmac_secret: Option<&Secret>,
    key: &str,
    unix_secs: i64,
    body: &[u8],
    traceparent: Option<Traceparent>,
) -> Result<HeaderMap, SendError> {
    let text = |value: &str| {
        HeaderValue::from_str(value)
            .map_err(|_| SendError::permanent("idempotency key, signature or trace is no header value"))
    };
    let mut headers = configured.clone();
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static(IDEMPOTENCY_KEY_HEADER), text(key)?);
    if let Some(traceparent) = traceparent {
        headers.insert(
            HeaderName::from_static(TRACEPARENT_HEADER),
            text(&traceparent.to_string())?,
        );
    }
    if let Some(secret) = hmac_secret {
        let signature = text(&sign(secret, unix_secs, body))?;
        headers.insert(HeaderName::from_static(SIGNATURE_HEADER), signature);
    }
    Ok(headers)
}
