//! `github:NAME`: an issue in a repository on GitHub, or on a GitHub Enterprise Server.
//!
//! Follows GitHub's "REST API" version 2022-11-28: create an issue, list repository issues, create and list issue comments,
//! "Rate limits for the REST API" (80 requests that create content a minute and 500 an hour; 403 or 429 above).
//! Publications may take over with StreamAlert's `@github.title` and `@github.body`. What comes out of logs stands in code,
//! where nobody is mentioned, nothing is linked and no image is loaded.
//! For GitHub Enterprise Server set `api` to `https://HOST/api/v3`. `username` is read for StreamAlert's sake; the token
//! alone tells who it is.
//!
//! Idempotency: the body names the alert by its id. Before an issue is made, those of the repository that changed since the
//! alert was raised are read, the newest 500 at most, and one that names it is taken. What comes later about it becomes
//! a comment, which is looked for in the same way.
//!
//! Limits: a body is cut to 60,000 of GitHub's 65,536 characters, and says how much is missing and where it is.

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
    name: "github",
    title: "GitHub issues",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = GitHub(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster_with_ca_file()?)))
}

struct GitHub(config::Config);

impl Api for GitHub {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let publication = parcel.publication;
        response::next(&self.0, &publication.incident(), publication, answers)
    }

    fn steps_max(&self) -> usize {
        // pages of issues, comments, what is made
        response::PAGES_MAX + 2
    }
}
