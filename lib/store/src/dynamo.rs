//! State in DynamoDB, for a fleet. See `docs/adr/0006-dynamodb.md` for what fences what, and what it costs.

mod alert_item;
mod alerts;
mod attributes;
mod bodies;
mod caller;
mod checkpoints;
mod fence;
mod groups;
mod leases;
mod letters;
mod options;
mod people;
mod reads;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use streamalert_types::{Alert, AlertId, Clock, GroupId, OutputName, Timestamp};
use tokio::sync::Mutex;

use crate::{
    Accepted, AlertFilter, AlertStore, AlertView, DeliveryState, Fence, OutboxCursor, Pending,
    SettledDelivery, ShardId, StoreError, StoredAlert,
};
use bodies::Bodies;
use caller::Caller;
pub use options::DynamoOptions;
use tables::Tables;
pub use tables::{Capacity, TableMade};

/// Closings of different shards do not wait for each other, but for the few that share a place here.
const CLOSING_LOCKS: usize = 64;

/// State in DynamoDB. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    inner: Arc<Inner>,
}

struct Inner {
    client: aws_sdk_dynamodb::Client,
    bodies: Bodies,
    caller: Caller,
    tables: Tables,
    shards: u16,
    clock: Arc<dyn Clock>,
    /// Transactions on one fence exclude each other: in one process they wait here instead of failing there.
    closing: [Mutex<()>; CLOSING_LOCKS],
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

impl DynamoStore {
    /// A store on tables that are there already; see [`DynamoStore::create_tables`]. Makes no call.
    #[must_use]
    pub fn new(options: DynamoOptions) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(options::ATTEMPT_TIMEOUT)
            .build();
        let config = aws_sdk_dynamodb::config::Builder::from(&options.config)
            .timeout_config(timeouts)
            .build();
        Self {
            inner: Arc::new(Inner {
                client: aws_sdk_dynamodb::Client::from_conf(config),
                bodies: Bodies::new(&options.config, options.bucket),
                caller: Caller::new(options.seed, options.patience),
                tables: Tables::named(&options.prefix),
                shards: options.shards,
                clock: options.clock,
                closing: std::array::from_fn(|_| Mutex::new(())),
            }),
        }
    }

    /// What [`DynamoStore::create_tables`] would do: tables that are not there are `new`.
    ///
    /// # Errors
    /// See [`StoreError`]; a table that is there and has other keys or indexes is refused.
    pub async fn plan_tables(&self) -> Result<Vec<TableMade>, StoreError> {
        self.inner.plan_tables().await
    }

    /// Makes the tables that are not there. One that is there is left alone if it has the keys and indexes that
    /// are needed, and refused if not.
    ///
    /// # Errors
    /// See [`StoreError`]; those before the first that failed are made.
    pub async fn create_tables(&self, capacity: Capacity) -> Result<Vec<TableMade>, StoreError> {
        self.inner.create_tables(capacity).await
    }
}

#[async_trait]
impl AlertStore for DynamoStore {
    async fn accept(&self, fence: Fence, alerts: Vec<StoredAlert>) -> Result<Vec<Accepted>, StoreError> {
        self.inner.accept(fence, alerts).await
    }

    async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.settle(fence, settled, tombstone_until).await
    }

    async fn close_group(
        &self,
        fence: Fence,
        group: GroupId,
        members: Vec<AlertId>,
        merged: Option<StoredAlert>,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let members = alert_item::Members {
            group,
            ids: members,
            until: tombstone_until,
        };
        self.inner.close_group(fence, members, merged).await
    }

    async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.inner
            .pending(shard, output, after, items_max, bytes_max)
            .await
    }

    async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError> {
        self.inner.backlog(shard).await
    }

    async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        self.inner.grouped(shard, after, items_max).await
    }

    async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError> {
        self.inner.fetch(shard, ids).await
    }

    /// DynamoDB removes tombstones by itself and for free: this only checks the fence, and answers 0.
    async fn expire(&self, fence: Fence, _now: Timestamp, _items_max: usize) -> Result<u64, StoreError> {
        self.inner.check_fence(fence).await?;
        Ok(0)
    }

    async fn delivery(
        &self,
        shard: ShardId,
        alert: AlertId,
        output: &OutputName,
    ) -> Result<DeliveryState, StoreError> {
        self.inner.delivery(shard, alert, output).await
    }

    async fn list(&self, filter: &AlertFilter, items_max: usize) -> Result<Vec<AlertView>, StoreError> {
        self.inner.list(filter, items_max).await
    }

    async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError> {
        self.inner.view(id).await
    }
}
