//! `splunk:NAME`: an event through Splunk's HTTP Event Collector.
//!
//! Follows help.splunk.com, Splunk Enterprise 9 and Splunk Cloud as of 2025: "Format events for HTTP Event Collector",
//! "Possible error codes", "HTTP Event Collector REST API endpoints". The event is the publication; its time is that of
//! the alert. Acknowledgement by indexers is not waited for; a token that asks for it needs `channel`.
//!
//! Idempotency: the collector knows none. The indexed field `idempotency_key` is the same for every attempt at one
//! delivery, so that `| dedup idempotency_key` shows each alert once.
//!
//! Limits: an event over `body_bytes_max` is sent without record and context, and says so.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{self, Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "splunk",
    title: "Splunk (HTTP Event Collector)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Splunk(config::Config::read(settings)?);
    let poster = settings.poster_with(&config::tls(settings)?)?;
    Ok(Arc::new(HttpOutput::new(api, poster)))
}

struct Splunk(config::Config);

impl Api for Splunk {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::event(&self.0, parcel).map(Step::Ask),
            [answer, ..] => response::judge(answer),
        }
    }
}
