//! `aws-cloudwatch-log:NAME`: the publication as one event of a log in CloudWatch.
//!
//! Follows the API reference of Amazon CloudWatch Logs, version 2014-03-28, as of 2026. `conf/outputs.json` only lists
//! names: `{"aws-cloudwatch-log": ["NAME"]}`. StreamAlert writes into the log of its own function; here it is the log
//! stream `NAME` of the log group `/streamalert/alerts`, both made when they are not there. The event is JSON on one line,
//! so that Logs Insights finds its fields: `filter rule_name = "…"`. Needs `logs:PutLogEvents`, and `logs:CreateLogStream`
//! and `logs:CreateLogGroup` where they are to be made.
//!
//! Its time is that of the alert, or of the delivery when the alert is more than half a day old: CloudWatch takes no event
//! from before the retention of its group.
//!
//! Idempotency: CloudWatch knows none, an event may be there twice; its `id` tells
//! (`dedup id`).
//!
//! Limits: every event is sent alone. One over 1 MiB is sent without record and context, and says so.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use streamalert_aws::{Fault, FaultKind};
use streamalert_types::Clock;
use tokio::time::Instant;

use self::request::Event;
use self::response::Put;
use super::aws::Aws;
use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-cloudwatch-log",
    title: "Amazon CloudWatch Logs",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    Ok(Arc::new(LogOutput {
        config: config::Config::read(settings)?,
        aws: Aws::read(settings)?,
        clock: Arc::clone(&settings.context.clock),
    }))
}

struct LogOutput {
    config: config::Config,
    aws: Aws<Client>,
    clock: Arc<dyn Clock>,
}

impl LogOutput {
    async fn put(&self, client: &Client, event: &Event) -> Result<Put, Fault> {
        let event = InputLogEvent::builder()
            .timestamp(event.timestamp)
            .message(&event.message)
            .build()
            .expect("it has a time and a message");
        let put = client.put_log_events().log_group_name(&self.config.group);
        response::put(
            put.log_stream_name(&self.config.stream)
                .log_events(event)
                .send()
                .await,
        )
    }

    /// Makes the stream, and the group if that is missing, too.
    async fn make_stream(&self, client: &Client) -> Result<(), Fault> {
        match self.make_stream_only(client).await {
            Err(fault) if fault.kind == FaultKind::NotFound => {}
            made => return made,
        }
        let group = client.create_log_group().log_group_name(&self.config.group);
        response::group_made(group.send().await)?;
        self.make_stream_only(client).await
    }

    async fn make_stream_only(&self, client: &Client) -> Result<(), Fault> {
        let stream = client.create_log_stream().log_group_name(&self.config.group);
        response::stream_made(stream.log_stream_name(&self.config.stream).send().await)
    }

    async fn log(&self, client: &Client, event: &Event) -> Result<Put, Fault> {
        match self.put(client, event).await {
            Err(fault) if fault.kind == FaultKind::NotFound => {}
            put => return put,
        }
        self.make_stream(client).await?;
        self.put(client, event).await
    }
}

#[async_trait]
impl Output for LogOutput {
    async fn send(&self, publication: &Publication, _: &str, _: Instant) -> Result<Receipt, SendError> {
        let client = self.aws.client(Client::new).await?;
        let event = request::event(publication, self.clock.now())?;
        match self.log(client, &event).await {
            Ok(Put::Taken) => Ok(Receipt::default()),
            Ok(Put::Rejected) => Err(SendError::permanent(
                "logs:PutLogEvents: the event was rejected for its time: is the clock of this machine right?",
            )),
            Err(fault) => Err(self.aws.error_unless(&fault, response::PASSING)),
        }
    }
}
