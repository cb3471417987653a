//! `pagerduty:NAME`: an event of PagerDuty's Events API v1, which opens or updates an incident.
//!
//! Follows PagerDuty's "Events API v1" (version 2010-04-15, OpenAPI document of 2025): `trigger` with `incident_key`,
//! description of 1,024 characters, contexts of links and images, 200 when taken, 403 over the rate limit. PagerDuty
//! recommends v2 for anything new: see `pagerduty-v2`.
//! Publications may take over with StreamAlert's `@pagerduty.description`, `@pagerduty.details`,
//! `@pagerduty.client_url` and `@pagerduty.contexts`.
//!
//! Idempotency: `incident_key` is `NAME:` and the id of the incident. PagerDuty adds an event with a known key to the
//! incident that is open, so a repeated delivery makes no second one. (StreamAlert sent no key.)
//!
//! Limits: an event over 512 KB is sent without the record, and says so.

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
    name: "pagerduty",
    title: "PagerDuty (Events API v1)",
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

impl Api for PagerDuty {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => Ok(Step::Ask(request::event(&self.0, parcel.publication))),
            [answer, ..] => response::judge(answer),
        }
    }
}
