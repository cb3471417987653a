//! The connection to a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rskafka::client::error::Error;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use tokio::sync::Mutex;

use super::config::Cluster;
use super::request;

/// Why a record was not taken.
#[derive(Debug)]
pub(super) enum Problem {
    /// The cluster said so, or the connection failed.
    Kafka(Error),
    /// The cluster has no such topic.
    NoTopic(String),
}

/// Sends records to one topic.
pub(super) struct Producer {
    cluster: Cluster,
    /// Made when first needed, and anew after a failure.
    open: Mutex<Option<Arc<Open>>>,
}

struct Open {
    client: Client,
    /// In order.
    partitions: Vec<i32>,
    clients: Mutex<BTreeMap<i32, Arc<PartitionClient>>>,
}

impl Producer {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            open: Mutex::default(),
        }
    }

    /// Sends `record` to the partition of its key. `begun` becomes true when the cluster may have it.
    pub(super) async fn send(&self, record: Record, begun: &AtomicBool) -> Result<(), Problem> {
        let sent = self.attempt(record, begun).await;
        if sent.is_err() {
            // the leader may be another by now, and a connection that failed is not used again
            self.forget().await;
        }
        sent
    }

    /// Makes the connection anew next time.
    pub(super) async fn forget(&self) {
        *self.open.lock().await = None;
    }

    async fn attempt(&self, record: Record, begun: &AtomicBool) -> Result<(), Problem> {
        let open = self.open().await?;
        let key = record.key.as_deref().unwrap_or_default();
        let place = request::place(key, open.partitions.len());
        let partition = open.partitions.get(place).copied().unwrap_or_default();
        let client = self.partition_client(&open, partition).await?;
        let compression = if self.cluster.is_compressed {
            Compression::Gzip
        } else {
            Compression::NoCompression
        };
        begun.store(true, Ordering::Relaxed);
        client
            .produce(vec![record], compression)
            .await
            .map_err(Problem::Kafka)?;
        Ok(())
    }

    async fn open(&self) -> Result<Arc<Open>, Problem> {
        let mut slot = self.open.lock().await;
        if let Some(open) = &*slot {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(self.connect().await?);
        *slot = Some(Arc::clone(&open));
        Ok(open)
    }

    async fn connect(&self) -> Result<Open, Problem> {
        let Cluster {
            brokers,
            topic,
            tls,
            sasl,
            ..
        } = &self.cluster;
        let mut builder = ClientBuilder::new(brokers.clone()).client_id("streamalert");
        if let Some(tls) = tls {
            builder = builder.tls_config(Arc::clone(tls));
        }
        if let Some(sasl) = sasl {
            builder = builder.sasl_config(sasl.clone());
        }
        let client = without_retries(builder).build().await.map_err(Problem::Kafka)?;
        let topics = client.list_topics().await.map_err(Problem::Kafka)?;
        let found = topics.into_iter().find(|known| known.name == *topic);
        let partitions: Vec<i32> = found
            .map(|found| found.partitions.into_iter().collect())
            .unwrap_or_default();
        if partitions.is_empty() {
            return Err(Problem::NoTopic(topic.clone()));
        }
        Ok(Open {
            client,
            partitions,
            clients: Mutex::default(),
        })
    }

    async fn partition_client(&self, open: &Open, partition: i32) -> Result<Arc<PartitionClient>, Problem> {
        let mut clients = open.clients.lock().await;
        if let Some(client) = clients.get(&partition) {
            return Ok(Arc::clone(client));
        }
        let made = open
            .client
            .partition_client(self.cluster.topic.clone(), partition, UnknownTopicHandling::Error)
            .await;
        let made = Arc::new(made.map_err(Problem::Kafka)?);
        clients.insert(partition, Arc::clone(&made));
        Ok(made)
    }
}

/// The dispatcher tries again, seen and bounded; the client is to say at once what failed.
fn without_retries(builder: ClientBuilder) -> ClientBuilder {
    let set = |backoff| builder.backoff_config(backoff);
    let mut backoff = default_for(&set);
    backoff.deadline = Some(Duration::ZERO);
    set(backoff)
}

/// The default of what `take` takes; for a type that its crate gives no name.
fn default_for<T: Default, R>(_take: &impl FnOnce(T) -> R) -> T {
    T::default()
}
