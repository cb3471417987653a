//! `aws-sqs:NAME`: the record as JSON in a message to a queue.
//!
//! Follows the API reference of Amazon SQS, version 2012-11-05, as of 2025. Needs `sqs:SendMessage`, and
//! `sqs:GetQueueUrl` where the queue is given by its name. `conf/outputs.json` gives the name: `{"aws-sqs": {"NAME": "queue"}}`.
//!
//! As with StreamAlert the message is the record alone; `payload = "publication"` sends all that is known of the alert.
//! Publishers give another message with `@aws-sqs.message_data`.
//!
//! Idempotency: a message to a queue whose name ends in `.fifo` has the hash of the idempotency key as
//! `MessageDeduplicationId` (SQS drops repetitions within five minutes) and the incident as `MessageGroupId`, so that
//! what belongs to one incident keeps its order. Other queues may get a message twice; its `id` tells, which the publication has.
//!
//! Limits: a message over 256 KiB is sent without record and context, and says so.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::aws::Aws;
use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-sqs",
    title: "Amazon SQS",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    Ok(Arc::new(SqsOutput {
        config: config::Config::read(settings)?,
        aws: Aws::read(settings)?,
        url: OnceCell::new(),
    }))
}

struct SqsOutput {
    config: config::Config,
    aws: Aws<Client>,
    /// Looked up once: a queue that is made anew under its name has the same url.
    url: OnceCell<String>,
}

impl SqsOutput {
    async fn url(&self, client: &Client) -> Result<&str, SendError> {
        if let Some(url) = self.config.url() {
            return Ok(url);
        }
        let ask = || async {
            let answer = client.get_queue_url().queue_name(&self.config.queue).send().await;
            response::url(answer).map_err(|fault| self.aws.error(&fault))
        };
        Ok(self.url.get_or_try_init(ask).await?)
    }
}

#[async_trait]
impl Output for SqsOutput {
    async fn send(&self, publication: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let client = self.aws.client(Client::new).await?;
        let message = request::message(publication, key, &self.config)?;
        let answer = client
            .send_message()
            .queue_url(self.url(client).await?)
            .message_body(message.body)
            .set_message_group_id(message.group)
            .set_message_deduplication_id(message.dedup_id)
            .send()
            .await;
        response::sent(answer).map_err(|fault| self.aws.error(&fault))
    }
}
