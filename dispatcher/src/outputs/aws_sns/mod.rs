//! `aws-sns:NAME`: the publication as JSON in a message to a topic.
//!
//! Follows the API reference of Amazon SNS, version 2010-03-31, as of 2026. Needs `sns:Publish`. `conf/outputs.json` gives the
//! topic's name, which is looked for in the account of `conf/global.json`: `{"aws-sns": {"NAME": "topic"}}`; an ARN names any.
//!
//! As with StreamAlert the subject is `RULE triggered alert ID`, and the message has one member per line. Publishers give
//! others with `@aws-sns.subject` (StreamAlert's name for it, `@aws-sns.topic`, means the same) and `@aws-sns.message`.
//!
//! Idempotency: a message to a topic whose name ends in `.fifo` has the hash of the idempotency key as
//! `MessageDeduplicationId` (SNS drops repetitions within five minutes) and the incident as `MessageGroupId`, so that what
//! belongs to one incident keeps its order. Subscribers of other topics may get a message twice; its `id` tells.
//!
//! Limits: a message over 256 KiB is sent without record and context, and says so; one of a publisher is cut, and a subject
//! over 99 characters loses its middle.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sns::Client;
use streamalert_aws::SdkConfig;
use tokio::time::Instant;

use self::config::Topic;
use super::aws::{Aws, ROLE_ARN};
use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-sns",
    title: "Amazon SNS",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let topic = Topic::read(settings)?;
    let aws = Aws::read_with(settings, ROLE_ARN.name, topic.region())?;
    Ok(Arc::new(SnsOutput { topic, aws }))
}

struct SnsOutput {
    topic: Topic,
    /// With the region that it asks, which is part of a topic's ARN.
    aws: Aws<(Client, String)>,
}

fn client(config: &SdkConfig) -> (Client, String) {
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    (Client::new(config), region)
}

#[async_trait]
impl Output for SnsOutput {
    async fn send(&self, publication: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let (client, region) = self.aws.client(client).await?;
        let message = request::message(publication, key, self.topic.is_fifo())?;
        let answer = client
            .publish()
            .topic_arn(self.topic.arn(region))
            .subject(message.subject)
            .message(message.text)
            .set_message_group_id(message.group)
            .set_message_deduplication_id(message.dedup_id)
            .send()
            .await;
        response::published(answer).map_err(|fault| self.aws.error(&fault))
    }
}
