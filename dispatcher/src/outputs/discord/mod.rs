//! `discord:NAME`: a message with embeds through a webhook of Discord.
//!
//! Follows docs.discord.com, API v10 as of 2025: "Execute Webhook", "Edit Webhook Message", "Embed limits" (title 256,
//! description 4,096, 25 fields of 256 and 1,024, footer 2,048, together 6,000 characters), "Allowed mentions", "Rate
//! limits" (429 with `Retry-After`). Nobody is ever mentioned, whatever a log says.
//! Publications may take over with `@discord.content`, `@discord.embeds`, `@discord.username` and `@discord.avatar_url`.
//!
//! Idempotency: the API knows none for webhooks. A message whose answer was lost may come twice; the alert's id is in
//! its last embed. What comes later about an incident is written above its message, by an edit, which is the same however often it is
//! done.
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
    name: "discord",
    title: "Discord",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Discord(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct Discord(config::Config);

impl Api for Discord {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let publication = parcel.publication;
        match (request::message_to_edit(publication), answers) {
            (Some(id), []) => request::edit(&self.0, publication, id).map(Step::Ask),
            // somebody deleted it
            (Some(_), [edited]) if edited.status == 404 => request::post(&self.0, publication).map(Step::Ask),
            (None, []) => request::post(&self.0, publication).map(Step::Ask),
            (_, [.., answer]) => response::judge(answer),
        }
    }
}
