//! `demisto:NAME`: an incident of Cortex XSOAR, which was Demisto, with its playbook started.
//!
//! Follows Palo Alto Networks' "Cortex XSOAR 6 API" and "Cortex XSOAR 8 API" as of 2025: `POST /incident`,
//! `POST /incidents/search`, `POST /entry`. For XSOAR 8 set `url` to `https://api-HOST/xsoar/public/v1` and give the key's
//! `auth_id`.
//! Publications may take over with StreamAlert's `@demisto.incident_type`, `.severity` (`info`, `low`, `medium`, `high`,
//! `critical`), `.owner`, `.details`, `.incident_name` and `.label_data`. Without `.severity` that of the rule is taken.
//! The fields of the publication become labels, one each, named by their paths.
//! Certificates are verified, which StreamAlert did not do; give the authority that has signed yours as `ca_file`.
//!
//! Idempotency: `dbotMirrorId` is `streamalert-` and the id of the alert, which `details` names, too; both are searched for
//! before an incident is made. What comes later becomes an entry of its war room; entries cannot be searched for, so one
//! whose answer was lost may stand there twice.
//!
//! Limits: none are documented. Details are cut to 20,000 characters and labels to 256 KiB in all; both say how much is
//! missing and where it is.

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
    name: "demisto",
    title: "Cortex XSOAR (Demisto)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Demisto(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster_with_ca_file()?)))
}

struct Demisto(config::Config);

impl Api for Demisto {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let publication = parcel.publication;
        response::next(&self.0, &publication.incident(), publication, answers)
    }
}
