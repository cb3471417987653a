//! `servicenow:NAME`: a record of ServiceNow, an incident unless another table is named.
//!
//! Follows ServiceNow's "Table API" (`/api/now/table`) as of the release Yokohama, 2025: query by `sysparm_query`, insert
//! (201), PATCH; 429 with `Retry-After` over a rate limit rule; short description of 160 characters, texts of 4,000.
//! Severity becomes urgency and impact (critical and high 1, medium 2, low and info 3); where nobody names it, ServiceNow's
//! own defaults hold. Publications may take over with `@servicenow.short_description`, `.description`, and
//! `.fields`, a dictionary of further fields, which win over those of the settings.
//!
//! Idempotency: `correlation_id` is the id of the incident, and is searched for before anything is inserted. What comes
//! later becomes a work note; `correlation_display` names the alert that was added last, so that none is added twice.
//!
//! Limits: what is over a limit is cut, and the record says how much is missing and where it is.

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
    name: "servicenow",
    title: "ServiceNow",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = ServiceNow(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct ServiceNow(config::Config);

impl Api for ServiceNow {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let publication = parcel.publication;
        response::next(&self.0, &publication.incident(), publication, answers)
    }
}
