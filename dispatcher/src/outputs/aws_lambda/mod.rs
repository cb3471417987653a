//! `aws-lambda:NAME`: a function of AWS Lambda is called with the record.
//!
//! Follows the API reference of AWS Lambda, version 2015-03-31, as of 2026: asynchronous invocation (`Event`). Needs
//! `lambda:InvokeFunction`. `conf/outputs.json` gives the function: `{"aws-lambda": {"NAME": "function:qualifier"}}`, a name
//! or an ARN, with or without qualifier. An ARN's region is the one that is asked, where `region` says no other.
//!
//! As with StreamAlert the function gets the record alone; `payload = "publication"` sends all that is known of the alert.
//! Publishers give something else with `@aws-lambda.alert_data`.
//!
//! Idempotency: Lambda knows none, and may itself call a function twice: one that must not act twice has to remember the
//! alert's `id`, which the publication has.
//!
//! Limits: what is over 1 MB is sent without record and context, and says so. What the function makes of it is not waited
//! for.

pub(super) mod config;
pub(super) mod request;
pub(super) mod response;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use tokio::time::Instant;

use super::aws::{Aws, ROLE_ARN, region_of};
use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-lambda",
    title: "AWS Lambda",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let output = LambdaOutput::new(settings, config::Config::read(settings)?, ROLE_ARN.name)?;
    Ok(Arc::new(output))
}

/// Calls one function.
pub(super) struct LambdaOutput {
    config: config::Config,
    aws: Aws<Client>,
}

impl LambdaOutput {
    /// The role is the one that `role_field` names.
    pub(super) fn new(
        settings: &Settings<'_>,
        config: config::Config,
        role_field: &str,
    ) -> Result<Self, String> {
        let aws = Aws::read_with(settings, role_field, region_of(&config.function.name))?;
        Ok(Self { config, aws })
    }
}

#[async_trait]
impl Output for LambdaOutput {
    async fn send(&self, publication: &Publication, _: &str, _: Instant) -> Result<Receipt, SendError> {
        let client = self.aws.client(Client::new).await?;
        let answer = client
            .invoke()
            .function_name(&self.config.function.name)
            .set_qualifier(self.config.function.qualifier.clone())
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(request::payload(publication, &self.config)?))
            .send()
            .await;
        response::invoked(answer).map_err(|fault| self.aws.error_unless(&fault, response::PASSING))
    }
}
