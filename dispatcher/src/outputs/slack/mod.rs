//! `slack:NAME`: a message through an incoming webhook of Slack.
//!
//! Configuration: `url`. Follows docs.slack.dev as of 2025: "Sending messages using incoming webhooks",
//! "Block Kit" (50 blocks, section text 3,000 and field text 2,000 characters, header 150), "Rate limits" (one
//! message a second, short bursts allowed, 429 with `Retry-After`).
//! Publications may take over with `@slack.text`, `@slack.attachments` (both StreamAlert's), `@slack.blocks` and
//! any other `@slack.FIELD` of a message.
//! Idempotency: the API knows none. A message whose answer was lost may come twice; the idempotency key is the
//! `block_id` of its last block and the alert's id is shown there.
//! Limits: what is over a limit is cut, and the message says how much is missing and where it is.

mod config;
mod layout;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use async_trait::async_trait;
pub(crate) use config::SlackConfig;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::http::{self, Poster};
use super::{Output, SendError};
use crate::registry::LoadContext;
use crate::{DeliveryOptions, Publication, Redactor, Secret, to_json};

/// Posts to one channel.
pub struct SlackOutput {
    url: Secret,
    poster: Poster,
}

impl SlackOutput {
    pub(crate) fn configured(
        config: &SlackConfig,
        context: &LoadContext,
        client: reqwest::Client,
    ) -> Result<Self, String> {
        let url = context.secret("url", &config.url)?;
        http::check_url(&url)?;
        let redactor = Redactor::new([&url]);
        Ok(Self {
            url,
            poster: Poster {
                client,
                redactor,
                clock: Arc::clone(&context.clock),
            },
        })
    }

    /// The pace that Slack asks for.
    #[must_use]
    pub fn delivery_options() -> DeliveryOptions {
        response::delivery_options()
    }
}

#[async_trait]
impl Output for SlackOutput {
    async fn send(&self, publication: &Publication, key: &str, deadline: Instant) -> Result<(), SendError> {
        let body = to_json(&request::message(publication, key));
        let headers = HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        )]);
        response::judge(&self.poster.post(&self.url, headers, body, deadline).await?)
    }
}
