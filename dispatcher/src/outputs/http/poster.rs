use std::fmt::Write as _;
use std::sync::Arc;

use reqwest::header::RETRY_AFTER;
use streamalert_types::Clock;
use tokio::time::Instant;

use super::Request;
use super::answer::{Answer, parse_retry_after};
use crate::outputs::SendError;
use crate::{Redactor, Secret};

/// Characters of an answer kept in errors and dead letters.
pub(crate) const MESSAGE_CHARS_MAX: usize = 520;

/// Sends requests of one output and keeps its secrets out of what is said about them.
#[derive(Clone)]
pub(crate) struct Poster {
    pub(crate) client: reqwest::Client,
    pub(crate) redactor: Redactor,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Poster {
    /// Sends one request and waits for the answer until `deadline`.
    pub(crate) async fn send(&self, request: Request, deadline: Instant) -> Result<Answer, SendError> {
        let timeout = deadline.saturating_duration_since(Instant::now());
        let Request {
            method,
            url,
            headers,
            body,
            answer_bytes_max,
        } = request;
        let changes = method != reqwest::Method::GET;
        let mut builder = self
            .client
            .request(method, url.expose())
            .headers(headers)
            .timeout(timeout);
        if changes || !body.is_empty() {
            builder = builder.body(body);
        }
        let mut response = builder.send().await.map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| parse_retry_after(value, self.clock.now()));
        let mut body = Vec::new();
        // the status is the answer; for many a body that breaks off changes nothing about it
        let is_whole = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break true,
                Err(_) => break false,
            }
            if body.len() > answer_bytes_max {
                body.truncate(answer_bytes_max);
                break false;
            }
        };
        Ok(Answer {
            status,
            retry_after,
            body,
            is_whole,
        })
    }

    /// `error` without secrets and not too long. `seen` are values that were made of secrets, such as the Base64 of
    /// a password, and went out with the requests.
    pub(crate) fn cleaned(&self, mut error: SendError, seen: &[Secret]) -> SendError {
        if !seen.is_empty() {
            error.message = Redactor::new(seen).clean(&error.message, usize::MAX);
        }
        error.message = self.redactor.clean(&error.message, MESSAGE_CHARS_MAX);
        error
    }

    fn failure(&self, error: reqwest::Error) -> SendError {
        let happened = !(error.is_connect() || error.is_builder());
        let kind = if error.is_timeout() { "timed out" } else { "failed" };
        let text = format!("request {kind}: {}", chain(&error.without_url()));
        if happened {
            SendError::unsure(text)
        } else {
            SendError::retry(text)
        }
    }
}

/// An error with its causes on one line; the outer ones of http clients say very little.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
