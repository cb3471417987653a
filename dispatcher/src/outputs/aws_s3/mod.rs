//! `aws-s3:NAME`: the publication as a JSON object in a bucket.
//!
//! Follows the API reference of Amazon S3, version 2006-03-01, as of 2026, with conditional writes. Needs `s3:PutObject`.
//! `conf/outputs.json` gives the bucket: `{"aws-s3": {"NAME": "bucket"}}`. Objects are named as StreamAlert names them,
//! `alerts/dt=YYYY-MM-DD-HH/SERVICE_ENTITY_RULE_ID.json`; the hour is that of the alert's creation in UTC, and `ID` is the
//! alert's, where StreamAlert makes up another for each attempt.
//!
//! Idempotency: every attempt at one delivery has the same key and asks S3 to put the object only if none is there, so that
//! a repetition makes neither a second object, nor a second version, nor a second notification.
//!
//! Limits: none.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use streamalert_aws::SdkConfig;
use tokio::time::Instant;

use super::aws::{Aws, region_of};
use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-s3",
    title: "Amazon S3",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let config = config::Config::read(settings)?;
    let aws = Aws::read_with(settings, super::aws::ROLE_ARN.name, region_of(&config.bucket))?;
    Ok(Arc::new(S3Output { config, aws }))
}

struct S3Output {
    config: config::Config,
    aws: Aws<Client>,
}

fn client(config: &SdkConfig) -> Client {
    // other endpoints than AWS's own seldom have a name for each bucket
    let by_path = config.endpoint_url().is_some();
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(by_path);
    Client::from_conf(config.build())
}

#[async_trait]
impl Output for S3Output {
    async fn send(&self, publication: &Publication, _: &str, _: Instant) -> Result<Receipt, SendError> {
        let client = self.aws.client(client).await?;
        let answer = client
            .put_object()
            .bucket(&self.config.bucket)
            .key(request::object_key(&self.config.prefix, &publication.alert))
            .if_none_match("*")
            .content_type("application/json")
            .body(crate::to_json(&publication.body).into())
            .send()
            .await;
        response::put(answer).map_err(|fault| self.aws.error_unless(&fault, response::PASSING))
    }
}
