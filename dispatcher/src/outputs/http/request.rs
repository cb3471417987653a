use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::Secret;
use crate::outputs::SendError;

/// Bytes read of an answer unless a request wants more: enough for any answer to a creation and for every error.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// One http request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// How.
    pub(crate) method: Method,
    /// Where to; a secret, because many carry their token.
    pub(crate) url: Secret,
    /// Headers. Those with secrets are marked sensitive.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Bytes read of the answer; the rest is left.
    pub(crate) answer_bytes_max: usize,
}

impl Request {
    /// One without a body.
    pub(crate) fn new(method: Method, url: &Secret) -> Self {
        Self {
            method,
            url: url.clone(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// A GET.
    pub(crate) fn get(url: &Secret) -> Self {
        Self::new(Method::GET, url).with_header(ACCEPT, HeaderValue::from_static("application/json"))
    }

    /// A POST of JSON.
    pub(crate) fn post_json(url: &Secret, body: &impl Serialize) -> Self {
        Self::json(Method::POST, url, body)
    }

    /// JSON with another method.
    pub(crate) fn json(method: Method, url: &Secret, body: &impl Serialize) -> Self {
        let body =
            serde_json::to_vec(body).expect("what outputs send has text keys and no errors of its own");
        Self::new(method, url).with_json_bytes(body)
    }

    /// With a body that is JSON already.
    pub(crate) fn with_json_bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self.with_header(ACCEPT, HeaderValue::from_static("application/json"))
            .with_header(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            )
    }

    /// With a header whose value is known to be one.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a header.
    ///
    /// # Errors
    /// The value has characters that no header may have.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Result<Self, SendError> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| SendError::permanent(format!("{name} has characters that no header may have")))?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// With a header that must not be seen.
    ///
    /// # Errors
    /// The value has characters that no header may have.
    pub(crate) fn secret_header(mut self, name: &'static str, value: &str) -> Result<Self, SendError> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| SendError::permanent(format!("{name} has characters that no header may have")))?;
        value.set_sensitive(true);
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// With `Authorization: SCHEME TOKEN`, such as `Bearer`, `Splunk`, `GenieKey`.
    ///
    /// # Errors
    /// The token has characters that no header may have.
    pub(crate) fn authorization(self, scheme: &str, token: &Secret) -> Result<Self, SendError> {
        self.secret_header(AUTHORIZATION_NAME, &format!("{scheme} {}", token.expose()))
    }

    /// With `Authorization: Basic …` (RFC 7617).
    ///
    /// # Errors
    /// Never, in fact: Base64 is fit for a header.
    pub(crate) fn basic(self, user: &str, password: &Secret) -> Result<Self, SendError> {
        let text = base64(format!("{user}:{}", password.expose()).as_bytes());
        self.secret_header(AUTHORIZATION_NAME, &format!("Basic {text}"))
    }

    /// With so many bytes of the answer read.
    pub(crate) fn reads(mut self, answer_bytes_max: usize) -> Self {
        self.answer_bytes_max = answer_bytes_max;
        self
    }
}

const AUTHORIZATION_NAME: &str = "authorization";

/// `base` with path segments and a query appended, each percent-encoded as it must be.
///
/// # Errors
/// `base` is no url that can have a path.
pub(crate) fn url_with(
    base: &Secret,
    segments: &[&str],
    query: &[(&str, &str)],
) -> Result<Secret, SendError> {
    let unfit = || SendError::permanent("url cannot be read");
    let mut url = reqwest::Url::parse(base.expose()).map_err(|_| unfit())?;
    url.path_segments_mut()
        .map_err(|()| unfit())?
        .pop_if_empty()
        .extend(segments);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(Secret::new(url.into()))
}

/// Standard Base64 with padding (RFC 4648, 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at > chunk.len() {
                text.push('=');
            } else {
                text.push(char::from(DIGITS[(word >> (18 - 6 * at)) as usize & 63]));
            }
        }
    }
    text
}
