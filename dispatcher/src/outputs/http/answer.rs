use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use streamalert_types::Timestamp;

use crate::outputs::{SendError, SendErrorKind};

/// What a server said. Its body is as it came: errors made of it are cleaned before anybody sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The http status.
    pub(crate) status: u16,
    /// Its wish to be left alone for so long.
    pub(crate) retry_after: Option<Duration>,
    /// Its body, or the beginning of it.
    pub(crate) body: Vec<u8>,
    /// False when the body broke off or was longer than what is read of it.
    pub(crate) is_whole: bool,
}

impl Answer {
    /// One for tests and tables: a status and a whole body.
    #[cfg(test)]
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self {
            status,
            retry_after: None,
            body: body.as_bytes().to_vec(),
            is_whole: true,
        }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body of a successful answer as JSON.
    ///
    /// # Errors
    /// What [`Self::judge`] says; and one to try again for what is not JSON, which may have happened.
    pub(crate) fn json(&self) -> Result<serde_json::Value, SendError> {
        self.judge()?;
        serde_json::from_slice(&self.body).map_err(|_| {
            let what = if self.is_whole { "is not json" } else { "broke off" };
            SendError::unsure(format!(
                "http {}, but the body {what}: {}",
                self.status,
                self.text()
            ))
        })
    }

    /// What an http status means unless the API says otherwise: 2xx it is there; 408, 425, 429 and 5xx come again;
    /// everything else never will.
    ///
    /// # Errors
    /// Which of these, with status and body.
    pub(crate) fn judge(&self) -> Result<(), SendError> {
        match self.status {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err(self.retry()),
            _ => Err(self.refusal()),
        }
    }

    /// To be tried again, for APIs that say so in other ways.
    pub(crate) fn retry(&self) -> SendError {
        SendError {
            kind: SendErrorKind::Retry {
                after: self.retry_after,
            },
            // a gateway may have lost the answer of a server that did its work
            may_have_happened: self.status >= 500 || self.status == 408,
            message: self.message(),
        }
    }

    /// Not to be tried again, for APIs that say so in other ways.
    pub(crate) fn refusal(&self) -> SendError {
        SendError::permanent(self.message())
    }

    /// `http 400: the body`.
    fn message(&self) -> String {
        let mut message = format!("http {}", self.status);
        if (300..400).contains(&self.status) {
            message.push_str(", redirects are refused");
        }
        if !self.body.is_empty() {
            let _ = write!(message, ": {}", self.text().trim());
        }
        message
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
