//! The outputs: one folder per service, all made the same way.
//!
//! # To add one
//! 1. Make the folder `outputs/SERVICE/` (hyphens become underscores) with `mod.rs`, `config.rs`, `request.rs`,
//!    `response.rs`, `tests.rs`. Copy `pagerduty_v2` for an API over http, `aws_sqs` for one of AWS.
//! 2. `mod.rs`: the doc comment is the documentation page. It says what arrives, which documentation of the API it
//!    follows, and has paragraphs that begin with `Idempotency:` and `Limits:`. `SERVICE` is its row of the table.
//! 3. `config.rs`: `FIELDS`, with the names of StreamAlert's credentials for its services, and `Config::read`, which
//!    takes them from [`Settings`]. Presence, kinds, unknown names and `check`s are seen to; there is a default for the
//!    url of the API, so that tests and other regions can give another.
//! 4. `request.rs`: pure functions from [`Parcel`](http::Parcel) (publication and idempotency key) to a
//!    [`Request`](http::Request). Magic fields come from [`Publication::magic`], the deduplication key from
//!    [`Publication::incident`], text for people from [`Publication::card`]. What is over a documented limit is cut
//!    visibly: [`json::cut`], [`Publication::shortened`].
//! 5. `response.rs`: what an answer means. [`Answer::judge`](http::Answer::judge) knows http; add what the API
//!    says in its own words, and `delivery_options` from its documented rate limit. An API that needs several
//!    requests (search before create) is a `match` on the answers so far, see [`Api`](http::Api).
//! 6. `tests.rs`: `case()`, by which the suite of all outputs ([`suite`]) runs it through every misfortune, and tests
//!    of its own for what is its own.
//! 7. One line in the table below, `mod` and entry, in alphabetical order; then
//!    `OUTPUT=slack UPDATE_GOLDEN=1 cargo test -p streamalert-dispatcher suite` runs the suite over it, and writes what
//!    it sends and its page in `docs/outputs/`. Read both before they are committed.
//!
//! What an output never does: sleep, retry, log, read clocks or the environment, or put a secret into a message.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::Publication;

use crate::service::Service;

mod aws_cloudwatch_log;
mod aws_firehose;
mod aws_lambda;
mod aws_lambda_v2;
mod aws_s3;
mod aws_ses;
mod aws_sns;
mod aws_sqs;
mod carbonblack;
mod demisto;
mod discord;
mod elasticsearch;
mod email;
mod file;
mod github;
mod google_chat;
mod jira;
mod jira_v2;
mod kafka;
mod komand;
mod mattermost;
mod opsgenie;
mod otlp_logs;
mod pagerduty;
mod pagerduty_incident;
mod pagerduty_v2;
mod phantom;
mod servicenow;
mod slack;
mod splunk;
mod stdout;
mod syslog;
mod teams;
mod telegram;
mod victorops;
pub(crate) mod webhook;

/// Every service, one a line.
static SERVICES: &[&Service] = &[
    &aws_cloudwatch_log::SERVICE,
    &aws_firehose::SERVICE,
    &aws_lambda::SERVICE,
    &aws_lambda_v2::SERVICE,
    &aws_s3::SERVICE,
    &aws_ses::SERVICE,
    &aws_sns::SERVICE,
    &aws_sqs::SERVICE,
    &carbonblack::SERVICE,
    &demisto::SERVICE,
    &discord::SERVICE,
    &elasticsearch::SERVICE,
    &email::SERVICE,
    &file::SERVICE,
    &github::SERVICE,
    &google_chat::SERVICE,
    &jira::SERVICE,
    &jira_v2::SERVICE,
    &kafka::SERVICE,
    &komand::SERVICE,
    &mattermost::SERVICE,
    &opsgenie::SERVICE,
    &otlp_logs::SERVICE,
    &pagerduty::SERVICE,
    &pagerduty_incident::SERVICE,
    &pagerduty_v2::SERVICE,
    &phantom::SERVICE,
    &servicenow::SERVICE,
    &slack::SERVICE,
    &splunk::SERVICE,
    &stdout::SERVICE,
    &syslog::SERVICE,
    &teams::SERVICE,
    &telegram::SERVICE,
    &victorops::SERVICE,
    &webhook::SERVICE,
];

/// Every service that can be delivered to, in alphabetical order.
#[must_use]
pub fn services() -> &'static [&'static Service] {
    static SORTED: OnceLock<Vec<&'static Service>> = OnceLock::new();
    SORTED.get_or_init(|| {
        let mut services = SERVICES.to_vec();
        services.sort_by_key(|service| service.name);
        services
    })
}

/// The service of this name.
#[must_use]
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name).copied()
}

pub(crate) mod aws;
pub(crate) mod document;
pub(crate) mod http;
pub(crate) mod json;
mod jsonl;
pub(crate) mod mail;
pub(crate) mod markup;
mod settings;
mod tls;

pub(crate) use settings::{Clients, Settings, Table, unknown_field};
pub(crate) use slack::{card_layout as slack_layout, inert as slack_escaped};

/// One configured output: a service with a descriptor.
#[async_trait]
pub trait Output: Send + Sync + 'static {
    /// One attempt to bring `publication` there. `key` is the same for every attempt at this delivery, for
    /// ever. `Ok` means that the output has it for good (a file: on disk). After `deadline` the caller stops
    /// listening; the attempt then counts as failed, though it may have happened.
    ///
    /// # Errors
    /// See [`SendError`].
    async fn send(
        &self,
        publication: &Publication,
        key: &str,
        deadline: Instant,
    ) -> Result<Receipt, SendError>;
}

/// What an output says of a publication that it has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Where it is there, such as the key of an issue; what comes later about the same incident is sent with it as
    /// [`Publication::reference`].
    pub reference: Option<String>,
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
pub(crate) mod suite;
