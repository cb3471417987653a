//! `mattermost:NAME`: a message with an attachment through an incoming webhook of Mattermost.
//!
//! Follows developers.mattermost.com as of 2025: "Incoming webhooks", "Message attachments", and `props.card`, which
//! the channel's side bar shows on request: the record is there (16,383 characters a message; Mattermost splits longer
//! ones, so none is sent). Nobody is mentioned, whatever a log says.
//! Publications may take over with `@mattermost.text`, `@mattermost.attachments` and any other `@mattermost.FIELD` of
//! a message.
//!
//! Idempotency: the API knows none. A message whose answer was lost may come twice; the idempotency key is in
//! `props.streamalert_key`, and the alert's id is shown at the end.
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
    name: "mattermost",
    title: "Mattermost",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Mattermost(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct Mattermost(config::Config);

impl Api for Mattermost {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => {
                let message = request::message(&self.0, parcel.publication, parcel.key);
                Ok(Step::Ask(http::Request::post_json(&self.0.url, &message)))
            }
            [answer, ..] => response::judge(answer),
        }
    }
}
