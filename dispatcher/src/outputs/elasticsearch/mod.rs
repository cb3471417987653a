//! `elasticsearch:NAME`: a document in an index or data stream of Elasticsearch or OpenSearch.
//!
//! Follows elastic.co/docs as of version 9 and docs.opensearch.org as of version 3: "Create a new document in the index"
//! (`PUT /INDEX/_create/ID`), and the Elastic Common Schema 9 for the fields `@timestamp`, `event`, `message`, `rule`
//! and `trace`; the publication is under `streamalert`.
//! When the index cannot hold the record because another log has a field of that name and another kind, or because it
//! has too many fields, the document is sent once more with record and context as text. No alert is lost to a mapping.
//! Requests are not signed for AWS: use the internal users or an API key of OpenSearch there.
//!
//! Idempotency: the id of the document is the idempotency key. One that is there is not written again (409), as long as
//! the data stream has not rolled over in between.
//!
//! Limits: a document over `body_bytes_max` is sent without record and context, and says so.

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
    name: "elasticsearch",
    title: "Elasticsearch and OpenSearch",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Elasticsearch(config::Config::read(settings)?);
    let poster = settings.poster_with(&config::tls(settings)?)?;
    Ok(Arc::new(HttpOutput::new(api, poster)))
}

struct Elasticsearch(config::Config);

impl Api for Elasticsearch {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::create(&self.0, parcel, request::Form::Fields).map(Step::Ask),
            [answer] if response::is_mapping_trouble(answer) => {
                request::create(&self.0, parcel, request::Form::Text).map(Step::Ask)
            }
            [.., answer] => response::judge(answer),
        }
    }
}
