use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use streamalert_types::{Clock, Timestamp};
use tokio::time::Instant;

use super::SendError;
use crate::{Redactor, Secret};

/// Bytes read of an answer; the rest is of no use to anybody.
const ANSWER_BYTES_MAX: usize = 8 << 10;

/// Characters of an answer kept in errors and dead letters.
const ANSWER_CHARS_MAX: usize = 500;

/// Connections kept open per host while idle. As many as an output has attempts under way by default.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// The client that all http outputs share: its root certificates are loaded once, its pool is per host.
/// Redirects are not followed: a redirect to an internal address must not carry an alert there, and a moved
/// endpoint is for the operator to see.
///
/// # Errors
/// One line when TLS cannot be set up, such as on a machine without root certificates.
pub(crate) fn client(ca_pem: Option<&[u8]>) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("streamalert/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
        if certificates.is_empty() {
            return Err("no certificate in the pem file".to_owned());
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder
        .build()
        .map_err(|error| format!("http client cannot be set up: {}", chain(&error)))
}

/// Whether `url` can be posted to.
///
/// # Errors
/// One line that does not show the url, which may be a secret.
pub(crate) fn check_url(url: &Secret) -> Result<(), String> {
    let parsed = reqwest::Url::parse(url.expose()).map_err(|error| format!("url cannot be read: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err("url must begin with https:// or http://".to_owned());
    }
    Ok(())
}

/// Sends requests of one output and keeps its secrets out of what is said about them.
pub(crate) struct Poster {
    pub(crate) client: reqwest::Client,
    pub(crate) redactor: Redactor,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The http status.
    pub(crate) status: u16,
    /// Its wish to be left alone for so long.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of its body, on one line and without secrets.
    pub(crate) body: String,
}

impl Poster {
    /// Posts `body` and waits for the answer until `deadline`.
    pub(crate) async fn post(
        &self,
        url: &Secret,
        headers: HeaderMap,
        body: Vec<u8>,
        deadline: Instant,
    ) -> Result<Answer, SendError> {
        let timeout = deadline.saturating_duration_since(Instant::now());
        let request = self
            .client
            .post(url.expose())
            .headers(headers)
            .timeout(timeout)
            .body(body);
        let mut response = request.send().await.map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| parse_retry_after(value, self.clock.now()));
        let mut read = Vec::new();
        // the status is the answer; a body that breaks off changes nothing about it
        while read.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            read.extend_from_slice(&chunk);
        }
        read.truncate(ANSWER_BYTES_MAX);
        let body = self
            .redactor
            .clean(&String::from_utf8_lossy(&read), ANSWER_CHARS_MAX);
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }

    fn failure(&self, error: reqwest::Error) -> SendError {
        let happened = !(error.is_connect() || error.is_builder());
        let kind = if error.is_timeout() { "timed out" } else { "failed" };
        let text = format!("request {kind}: {}", chain(&error.without_url()));
        let message = self.redactor.clean(&text, ANSWER_CHARS_MAX);
        if happened {
            SendError::unsure(message)
        } else {
            SendError::retry(message)
        }
    }
}

/// What an http status means unless the API says otherwise: 2xx it is there; 408, 425, 429 and 5xx come again;
/// everything else never will.
pub(crate) fn judge(answer: &Answer) -> Result<(), SendError> {
    let mut message = format!("http {}", answer.status);
    if (300..400).contains(&answer.status) {
        message.push_str(", redirects are refused");
    }
    if !answer.body.is_empty() {
        let _ = write!(message, ": {}", answer.body);
    }
    match answer.status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(SendError {
            kind: super::SendErrorKind::Retry {
                after: answer.retry_after,
            },
            // a gateway may have lost the answer of a server that did its work
            may_have_happened: answer.status >= 500 || answer.status == 408,
            message,
        }),
        _ => Err(SendError::permanent(message)),
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): whole seconds or an http date.
pub(crate) fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(secs) = value.parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()).since(now))
}

/// An error with its causes on one line; the outer ones of http clients say very little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SendErrorKind;

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            retry_after: Some(Duration::from_secs(7)),
            body: "why".to_owned(),
        }
    }

    #[test]
    fn statuses_are_judged_by_whether_trying_again_can_help() {
        for status in [200, 201, 204] {
            assert!(judge(&answer(status)).is_ok());
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            let error = judge(&answer(status)).unwrap_err();
            assert_eq!(
                error.kind,
                SendErrorKind::Retry {
                    after: Some(Duration::from_secs(7))
                }
            );
        }
        for status in [100, 301, 302, 307, 400, 401, 403, 404, 405, 410, 413, 422] {
            let error = judge(&answer(status)).unwrap_err();
            assert_eq!(error.kind, SendErrorKind::Permanent, "{status}");
            assert!(error.message.contains("why") && error.message.contains(&status.to_string()));
        }
    }

    #[test]
    fn retry_after_comes_as_seconds_or_as_a_date() {
        let now: Timestamp = "2015-10-21T07:27:00.000000Z".parse().unwrap();
        assert_eq!(parse_retry_after("120", now), Some(Duration::from_secs(120)));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(parse_retry_after(date, now), Some(Duration::from_secs(60)));
        let past = "Wed, 21 Oct 2015 07:00:00 GMT";
        assert_eq!(parse_retry_after(past, now), Some(Duration::ZERO));
        for odd in ["", "-1", "1.5", "soon", "999999999999999999999999"] {
            assert_eq!(parse_retry_after(odd, now), None);
        }
    }
}
