//! `aws-ses:NAME`: a mail through Amazon SES.
//!
//! Follows the API reference of Amazon SES, version 2010-12-01, as of 2026 (`SendRawEmail`). Needs `ses:SendRawEmail`.
//! `conf/outputs.json` only lists names: `{"aws-ses": ["NAME"]}`; the fields below are StreamAlert's credentials of this output.
//! The mail looks as that of `email:NAME`, and has the record as `record.json`, as StreamAlert's.
//!
//! Publishers give other parts with `@aws-ses.subject`, `@aws-ses.body` (a text, or a dictionary of `plain` and `html`),
//! `@aws-ses.attach_record` (`False` leaves it out) and `@aws-ses.attachments` (names with contents).
//!
//! Idempotency: SES knows none and gives every mail an id of its own: a mail may come twice. Both have the same header
//! `X-StreamAlert-Alert`.
//!
//! Limits: a mail over 10 MB is sent without its attachments, and says so; at most 50 recipients.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ses::Client;
use aws_sdk_ses::error::BuildError;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;
use tokio::time::Instant;

use super::aws::Aws;
use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-ses",
    title: "Amazon SES",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    Ok(Arc::new(SesOutput {
        config: config::Config::read(settings)?,
        aws: Aws::read(settings)?,
    }))
}

struct SesOutput {
    config: config::Config,
    aws: Aws<Client>,
}

#[async_trait]
impl Output for SesOutput {
    async fn send(&self, publication: &Publication, _: &str, _: Instant) -> Result<Receipt, SendError> {
        let client = self.aws.client(Client::new).await?;
        let mail = Blob::new(request::mail(publication, &self.config)?);
        let unbuilt = |error: BuildError| SendError::permanent(error.to_string());
        let mail = RawMessage::builder().data(mail).build().map_err(unbuilt)?;
        let to = self.config.to.iter().map(|to| to.email.to_string());
        let answer = client
            .send_raw_email()
            .source(self.config.from.email.to_string())
            .set_destinations(Some(to.collect()))
            .raw_message(mail)
            .send()
            .await;
        response::sent(answer).map_err(|fault| self.aws.error_unless(&fault, response::PASSING))
    }
}
