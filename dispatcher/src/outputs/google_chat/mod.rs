//! `google-chat:NAME`: a card in a space of Google Chat.
//!
//! Follows developers.google.com/workspace/chat as of 2025: "Build apps as webhooks", `spaces.messages.create` (32,000
//! bytes a message, `requestId`, `messageReplyOption`), "Cards v2" (100 widgets), "Format text in cards", "Usage limits"
//! (one message a second and space, 429).
//! Publications may take over with `@google-chat.text` (text of a message, with its markup) and
//! `@google-chat.cardsV2`.
//!
//! Idempotency: `requestId` is made of the idempotency key. A request with a known one answers with the message that is
//! there, so a repeated delivery makes no second one. Everything about one incident is one thread: its key is the
//! `threadKey`.
//!
//! Limits: what is over a limit is cut, and the message says how much is missing and where it is.

mod config;
mod layout;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{self, Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "google-chat",
    title: "Google Chat",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = GoogleChat(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct GoogleChat(config::Config);

impl Api for GoogleChat {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::create(&self.0, parcel).map(Step::Ask),
            [answer, ..] => response::judge(answer),
        }
    }
}
