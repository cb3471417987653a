//! `teams:NAME`: an Adaptive Card in a channel of Microsoft Teams.
//!
//! Takes the url of a workflow ("Post to a channel when a webhook request is received") or of an incoming webhook of
//! the connectors that Microsoft is retiring. Follows learn.microsoft.com as of 2025: "Create incoming webhooks" (28 KB
//! a message, more than four requests a second are throttled, an error of the channel arrives as text in an answer with
//! status 200), "Adaptive Cards" schema 1.4, "Code blocks in Adaptive Cards".
//! Texts of logs are shown as they are: no Markdown of theirs takes effect. The record is behind a button.
//! Publications may take over with StreamAlert's `@teams.title`, `@teams.description` (Markdown), `@teams.card_color`
//! (`RRGGBB`, shown as the nearest of the card's styles), `@teams.with_record` and `@teams.additional_card_sections`
//! (elements of an Adaptive Card, or sections with `activityTitle`, `activitySubtitle`, `activityText`, `title`, `text`,
//! `facts`).
//!
//! Idempotency: the API knows none. A message whose answer was lost may come twice; the idempotency key is the `id` of
//! its last element, and the alert's id is shown there.
//!
//! Limits: what is over a limit is cut, and the message says how much is missing and where it is. Sections of
//! publishers that do not fit are left out, and the message says so.

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
    name: "teams",
    title: "Microsoft Teams",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Teams(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct Teams(config::Config);

impl Api for Teams {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => {
                let message = request::message(parcel.publication, parcel.key);
                let request = http::Request::new(http::Method::POST, &self.0.url);
                Ok(Step::Ask(request.with_json_bytes(message)))
            }
            [answer, ..] => response::judge(answer),
        }
    }
}
