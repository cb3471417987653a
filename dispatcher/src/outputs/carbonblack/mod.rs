//! `carbonblack:NAME`: a ban of a file in Carbon Black EDR, which was Carbon Black Response.
//!
//! Follows Broadcom's "REST API Reference CBR 7.8+" (`/api/v1/banning/blacklist`) and what its client `cbapi` sends. It is
//! an action, not a message: the rule's context says what to do, as StreamAlert wants it,
//! `context["carbonblack"] = {"action": "ban", "value": MD5}`. An alert without it is a dead letter. A file that is banned
//! already stays so; a ban that was switched off is switched on again. Publishers change nothing.
//!
//! Idempotency: the ban of one MD5 exists once; it is read before it is written.
//!
//! Limits: the text of a ban names rule and alert, in 500 characters; the record is not sent.

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
    name: "carbonblack",
    title: "Carbon Black EDR (Response)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = CarbonBlack(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster_with_ca_file()?)))
}

struct CarbonBlack(config::Config);

impl Api for CarbonBlack {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let ban = request::Ban::of(parcel.publication)?;
        response::next(&self.0, &ban, answers)
    }
}
