//! The outputs, one folder per service with the same files: `config.rs` (settings), `request.rs` (what is
//! sent), `response.rs` (what the answer means), `mod.rs` (the output itself), `tests.rs`.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::Publication;

pub(crate) mod aws_firehose;
pub(crate) mod file;
pub(crate) mod http;
mod jsonl;
pub(crate) mod slack;
pub(crate) mod webhook;

/// One configured output: a service with a descriptor.
#[async_trait]
pub trait Output: Send + Sync + 'static {
    /// One attempt to bring `publication` there. `key` is the same for every attempt at this delivery, for
    /// ever. `Ok` means that the output has it for good (a file: on disk). After `deadline` the caller stops
    /// listening; the attempt then counts as failed, though it may have happened.
    ///
    /// # Errors
    /// See [`SendError`].
    async fn send(&self, publication: &Publication, key: &str, deadline: Instant) -> Result<(), SendError>;
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    /// Try again.
    Retry {
        /// Not before so long, said the server.
        after: Option<Duration>,
    },
    /// It will never take this one.
    Permanent,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// What to do about it.
    pub kind: SendErrorKind,
    /// Whether the output may have taken it all the same (the answer was lost).
    pub may_have_happened: bool,
    /// One line, without secrets.
    pub message: String,
}

impl SendError {
    /// Try again later; it did not happen.
    #[must_use]
    pub fn retry(message: impl Into<String>) -> Self {
        let kind = SendErrorKind::Retry { after: None };
        Self {
            kind,
            may_have_happened: false,
            message: message.into(),
        }
    }

    /// Try again later; the answer was lost, it may have happened.
    #[must_use]
    pub fn unsure(message: impl Into<String>) -> Self {
        Self {
            may_have_happened: true,
            ..Self::retry(message)
        }
    }

    /// Do not try again.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            kind: SendErrorKind::Permanent,
            may_have_happened: false,
            message: message.into(),
        }
    }

    /// Whether the same attempt may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, SendErrorKind::Retry { .. })
    }

    /// Whether the output may have taken it although it failed.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        self.may_have_happened
    }
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
