//! `jira:NAME`: an issue of Jira Data Center or Server, or a comment on one.
//!
//! Follows the "Jira Server platform REST API reference" 9.x, API version 2: create issue, add comment, search with JQL,
//! basic authentication (StreamAlert made a session first, which Jira has deprecated); text formatting notation;
//! summary of 255 and texts of 32,767 characters. For Jira Cloud see `jira-v2`.
//! With `aggregate` an alert becomes a comment on the newest issue of the project that has the same summary, if there is
//! one; `aggregation_additional_jql` narrows which. Publications may take over with StreamAlert's
//! `@jira.issue_summary`, `@jira.description` and `@jira.additional_fields`.
//! Certificates are always verified, whatever `ssl_verify` says; give the authority that has signed yours as `ca_file`.
//!
//! Idempotency: description and comment name the alert by its id, and are searched for it before anything is created. An
//! issue that Jira has made but not yet indexed when the delivery comes again would be made twice; Data Center indexes
//! at once.
//!
//! Limits: what is over a limit is cut, and the issue says how much is missing and where it is.

pub(super) mod config;
pub(super) mod request;
pub(super) mod response;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use super::http::{Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "jira",
    title: "Jira Data Center",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let config = config::Config::read(settings, config::Edition::DataCenter)?;
    Ok(Arc::new(HttpOutput::new(
        Jira(config),
        settings.poster_with_ca_file()?,
    )))
}

/// Both editions of Jira.
pub(super) struct Jira(pub(super) config::Config);

impl Api for Jira {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let publication = parcel.publication;
        response::next(&self.0, &publication.incident(), publication, answers)
    }
}
