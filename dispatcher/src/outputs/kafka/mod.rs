//! `kafka:NAME`: the publication as JSON in a topic of Apache Kafka.
//!
//! Follows the protocol of Kafka as of 0.11 and later (record batches with headers, `Produce` versions 3 to 7), which
//! Redpanda and the services of clouds speak too. A record is acknowledged by all replicas that are in sync (`acks=all`);
//! its key is the incident, which the usual partitioner (murmur2) puts into one partition, so that what belongs to one
//! incident keeps its order. Its time is that of the alert; its headers are `idempotency-key`, `incident`,
//! `content-type`, and `traceparent` where there is a trace. The topic must exist.
//!
//! Idempotency: a record whose acknowledgement was lost may come twice, with the same `idempotency-key` in its headers,
//! by which consumers can tell.
//!
//! Limits: a publication over `message_bytes_max`, or over what the topic takes, is sent without record and context, and
//! says so.

mod config;
mod producer;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Output, Receipt, SendError, Settings};
use crate::service::{Reach, Service};
use crate::{Publication, Redactor};

pub(crate) const SERVICE: Service = Service {
    name: "kafka",
    title: "Apache Kafka",
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
    Ok(Arc::new(Kafka {
        message_bytes_max: config.message_bytes_max,
        producer: producer::Producer::new(config.cluster),
        redactor: settings.redactor()?,
    }))
}

/// Left of an attempt's time to say how far it came.
const MARGIN: Duration = Duration::from_millis(50);

struct Kafka {
    message_bytes_max: usize,
    producer: producer::Producer,
    redactor: Redactor,
}

impl Kafka {
    async fn attempt(
        &self,
        publication: &Publication,
        key: &str,
        begun: &AtomicBool,
    ) -> Result<(), SendError> {
        let whole = request::record(publication, key, self.message_bytes_max)?;
        let sent = self.producer.send(whole.clone(), begun).await;
        let sent = match sent {
            Err(error) if response::is_too_large(&error) => {
                // what the topic takes is not told; a record without the record is a few hundred bytes
                let bytes = whole.approximate_size();
                let short = request::shortened(publication, key, bytes, bytes.saturating_sub(1))?;
                self.producer.send(short, begun).await
            }
            other => other,
        };
        sent.map_err(|error| response::failed(&error, begun.load(Ordering::Relaxed)))
    }
}

#[async_trait]
impl Output for Kafka {
    async fn send(
        &self,
        publication: &Publication,
        key: &str,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let begun = AtomicBool::new(false);
        let error = match timeout_at(deadline - MARGIN, self.attempt(publication, key, &begun)).await {
            Ok(Ok(())) => return Ok(Receipt::default()),
            Ok(Err(error)) => error,
            Err(_) => {
                // whatever answers no more is not asked again
                self.producer.forget().await;
                response::timed_out(begun.load(Ordering::Relaxed))
            }
        };
        Err(response::clean(error, &self.redactor))
    }
}
