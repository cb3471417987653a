//! `opsgenie:NAME`: an alert of Opsgenie, or of Jira Service Management, which has taken its API over.
//!
//! Follows Opsgenie's "Alert API" v2 as of 2025 (message of 130 characters, alias and entity of 512, description of
//! 15,000, 20 tags of 50, details of 8,000 in all, note of 25,000; 202 when taken, 429 over the rate limit). For Jira
//! Service Management set `url` to `https://api.atlassian.com/jsm/ops/integration`.
//! The severity that rule or publisher names becomes the priority: critical P1, high P2, medium P3, low P4, info P5.
//! Publications may take over with `@opsgenie.message`, `.description`, `.priority`, `.responders` (a list as in the API),
//! `.tags`, `.details` (a dictionary of texts) and `.entity`.
//!
//! Idempotency: `alias` is `streamalert:NAME:` and the id of the incident. Opsgenie counts a known alias up in the alert
//! that is open, so a repeated delivery makes no second one. What comes later about it becomes a note, which is looked
//! for before it is written.
//!
//! Limits: what is over a limit is cut, and the alert says how much is missing and where it is.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "opsgenie",
    title: "Opsgenie",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Opsgenie(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct Opsgenie(config::Config);

impl Api for Opsgenie {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let action = parcel.publication.incident().action;
        response::next(&self.0, action, parcel.publication, answers)
    }
}
