//! `slack:NAME`: a message through an incoming webhook of Slack.
//!
//! Follows docs.slack.dev as of 2025: "Sending messages using incoming webhooks", "Block Kit" (50 blocks, section
//! text 3,000 and field text 2,000 characters, header 150), "Rate limits" (one message a second, short bursts
//! allowed, 429 with `Retry-After`).
//! Publications may take over with `@slack.text`, `@slack.attachments` (both StreamAlert's), `@slack.blocks` and
//! any other `@slack.FIELD` of a message.
//!
//! Idempotency: the API knows none. A message whose answer was lost may come twice; the idempotency key is the
//! `block_id` of its last block and the alert's id is shown there.
//!
//! Limits: what is over a limit is cut, and the message says how much is missing and where it is.

mod config;
mod layout;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use streamalert_value::Value;

use super::http::{self, Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::card::Card;
use crate::service::{Reach, Service};
use crate::to_json;

pub(crate) const SERVICE: Service = Service {
    name: "slack",
    title: "Slack",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Slack(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct Slack(config::Config);

impl Api for Slack {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => {
                let message = to_json(&request::message(parcel.publication, parcel.key));
                Ok(Step::Ask(
                    http::Request::new(http::Method::POST, &self.0.url).with_json_bytes(message),
                ))
            }
            [answer, ..] => response::judge(answer),
        }
    }
}

/// The one-line form and the blocks of a card.
pub(crate) fn card_layout(card: &Card, key: &str) -> (String, Vec<Value>) {
    (layout::summary(card), layout::blocks(card, None, key))
}

/// `text` in which nothing means anything to Slack.
pub(crate) fn inert(text: &str) -> String {
    text::escaped(text, text.len().saturating_mul(5)).0
}
