//! `phantom:NAME`: an artifact of Splunk SOAR, which was Phantom, in the container of its rule.
//!
//! Follows Splunk's "REST API Reference for Splunk SOAR" 6.4: `/rest/container` and `/rest/artifact`, queries by
//! `_filter_FIELD`, `source_data_identifier`. The container has the name of the rule, as StreamAlert's has, and is made
//! when there is none; the artifact holds the record as `cef` and the whole publication as `data`, and has StreamAlert's
//! label `Alert`. A severity that rule or publisher names becomes that of the artifact.
//! Certificates are verified, which StreamAlert did not do; give the authority that has signed yours as `ca_file`.
//!
//! Idempotency: the artifact's `source_data_identifier` is the id of the alert, and is searched for before an artifact is
//! made. (SOAR itself refuses repeated containers, but not repeated artifacts.)
//!
//! Limits: none are documented. A publication over 1 MiB is sent without the record, and says so.

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
    name: "phantom",
    title: "Splunk SOAR (Phantom)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Phantom(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster_with_ca_file()?)))
}

struct Phantom(config::Config);

impl Api for Phantom {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        response::next(&self.0, parcel.publication, answers)
    }
}
