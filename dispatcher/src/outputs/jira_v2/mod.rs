//! `jira-v2:NAME`: an issue of Jira Cloud, or a comment on one.
//!
//! Follows "The Jira Cloud platform REST API", version 2, as of 2026: create issue, add comment, `search/jql` (the older
//! search is gone since 2025), basic authentication with an API token as password, 429 with `Retry-After`; summary of
//! 255 and texts of 32,767 characters. For Jira Data Center see `jira`, whose settings and magic fields these are; those
//! that begin with `@jira-v2.` win.
//!
//! Idempotency: description and comment name the alert by its id, and are searched for it before anything is created. Jira
//! Cloud finds an issue some seconds after it was made: a delivery that comes again before that, because its answer was
//! lost, makes a second one.
//!
//! Limits: what is over a limit is cut, and the issue says how much is missing and where it is.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::HttpOutput;
use super::jira::Jira;
use super::{Output, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "jira-v2",
    title: "Jira Cloud",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let config = config::read(settings)?;
    Ok(Arc::new(HttpOutput::new(Jira(config), settings.poster()?)))
}
