//! `telegram:NAME`: a message of a bot in a chat, group or channel of Telegram.
//!
//! Follows core.telegram.org/bots/api, Bot API 9 of 2025: `sendMessage` (4,096 characters after entities were read),
//! "HTML style", `link_preview_options`, `reply_parameters`, and the bots FAQ (one message a second and chat, 20 a
//! minute and group, 429 with `retry_after`). Values of logs are shown as code: no link, mention, hashtag or command of
//! theirs takes effect.
//! Publications may take over with `@telegram.text` (HTML of Telegram) and any other `@telegram.FIELD` of
//! `sendMessage`. HTML that Telegram cannot read is sent once more as plain text.
//!
//! Idempotency: the API knows none. A message whose answer was lost may come twice, and the alert's id is shown at its
//! end. What comes later about an incident is a reply to its first message.
//!
//! Limits: what is over the limit is cut, and the message says how much is missing and where it is.

mod config;
mod layout;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::request::Form;
use super::http::{self, Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "telegram",
    title: "Telegram",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Telegram(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct Telegram(config::Config);

impl Api for Telegram {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::send(&self.0, parcel.publication, Form::Html).map(Step::Ask),
            [answer] if response::is_unreadable(answer) => {
                request::send(&self.0, parcel.publication, Form::Plain).map(Step::Ask)
            }
            [.., answer] => response::judge(answer),
        }
    }
}
