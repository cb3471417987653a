//! `slack:NAME`: a message through an incoming webhook of Slack, or of a bot.
//!
//! Follows docs.slack.dev as of 2025: "Sending messages using incoming webhooks", "chat.postMessage", "Block Kit"
//! (50 blocks, section text 3,000 and field text 2,000 characters, header 150), "Rate limits" (one message a second and
//! channel, short bursts allowed, 429 with `Retry-After`).
//! Publications may take over with `@slack.text`, `@slack.attachments` (both StreamAlert's), `@slack.blocks` and
//! any other `@slack.FIELD` of a message.
//!
//! Webhooks do not tell which message they made, so what comes later about an incident is a message of its own. With
//! `token` and `channel`, and `https://slack.com/api/chat.postMessage` as the `url`, it is a reply in the thread of the
//! first; `@slack.reply_broadcast` shows it in the channel, too. The bot must be a member of the channel.
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
            [] => self.post(parcel, true),
            // the first message was deleted: what there is to say is said in the channel
            [answer] if self.0.bot.is_some() && response::is_thread_gone(answer) => self.post(parcel, false),
            [.., answer] if self.0.bot.is_some() => response::judge_bot(answer),
            [.., answer] => response::judge(answer),
        }
    }
}

impl Slack {
    fn post(&self, parcel: &Parcel<'_>, in_thread: bool) -> Result<Step, SendError> {
        let publication = parcel.publication;
        let mut message = request::message(publication, parcel.key);
        let ask = http::Request::new(http::Method::POST, &self.0.url);
        let Some(bot) = &self.0.bot else {
            return Ok(Step::Ask(ask.with_json_bytes(to_json(&message))));
        };
        request::address(&mut message, publication, &bot.channel, in_thread);
        ask.with_json_bytes(to_json(&message))
            .secret_header("authorization", &format!("Bearer {}", bot.token.expose()))
            .map(Step::Ask)
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
