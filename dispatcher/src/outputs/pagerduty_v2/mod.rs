//! `pagerduty-v2:NAME`: an event of PagerDuty's Events API v2, which opens or updates an alert.
//!
//! Follows developer.pagerduty.com, "Events API v2 Overview" and "Send an Event to PagerDuty", as of 2025 (PD-CEF:
//! summary of 1,024 characters, 512 KB an event, 202 when accepted, 429 over the rate limit).
//! Publications may take over with StreamAlert's `@pagerduty-v2.FIELD`: `summary`, `custom_details`, `severity`
//! (`critical`, `error`, `warning`, `info`), `client_url`, `images`, `links`, `component`, `group`, `class`. Otherwise the
//! severity is what the rule's docstring or context says, or `critical`, and the links are playbook, alert and trace.
//!
//! Idempotency: `dedup_key` is `NAME:` and the id of the incident. PagerDuty adds an event with a known key to the
//! alert that is open, so a repeated delivery makes no second one.
//!
//! Limits: an event over 512 KB is sent without the record, and says so.

mod config;
pub(super) mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{self, Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "pagerduty-v2",
    title: "PagerDuty (Events API v2)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = PagerDuty(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct PagerDuty(config::Config);

impl PagerDuty {
    fn event<'a>(&'a self, publication: &'a Publication) -> request::Event<'a> {
        request::Event {
            url: &self.0.url,
            routing_key: &self.0.routing_key,
            publication,
            has_record: true,
        }
    }
}

impl Api for PagerDuty {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => Ok(Step::Ask(self.event(parcel.publication).request())),
            [answer, ..] => response::judge(answer),
        }
    }
}
