//! `komand:NAME`: an event for a workflow of Rapid7 InsightConnect, which was Komand.
//!
//! Follows Rapid7's "Set Up an API Trigger" as of 2025: a POST of JSON to the url of the trigger, the key in `X-Api-Key`
//! and, as Komand wanted it, in `Authorization`. The body is StreamAlert's: `{"data": …}` with the publication.
//! Certificates are verified, which StreamAlert did not do; give the authority that has signed yours as `ca_file`.
//!
//! Idempotency: the API knows none. A delivery whose answer was lost may start its workflow twice; the workflow sees the
//! same `data.id`, the id of the alert, and the same header `Idempotency-Key`.
//!
//! Limits: none are documented. An event over 1 MiB is sent without record and context, and says so.

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
    name: "komand",
    title: "Rapid7 InsightConnect (Komand)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Komand(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster_with_ca_file()?)))
}

struct Komand(config::Config);

impl Api for Komand {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::event(&self.0, parcel).map(Step::Ask),
            [answer, ..] => response::judge(answer),
        }
    }
}
