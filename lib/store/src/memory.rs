//! The store that forgets: for tests, simulation and `ingest` without a data directory.

mod alerts;
mod letters;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_types::{Alert, AlertId, DeadLetter, DeadLetterId, GroupId, OutputName, Timestamp};

use crate::lease::{acquired, fenced_shard, released, renewed};
use crate::{
    Accepted, AlertFilter, AlertStore, AlertView, Checkpoint, CheckpointStore, DEAD_LETTER_BYTES_MAX,
    DeadLetterFilter, DeadLetterStore, Fence, Lease, LeaseStore, OutboxCursor, Pending, SettledDelivery,
    ShardId, StoreError, StoredAlert,
};

use self::alerts::Alerts;
use self::letters::Letters;

/// All four stores in memory. Clones share the content. Deterministic: nothing depends on hashing or time.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    dead_letter_bytes_max: u64,
}

#[derive(Debug, Default)]
struct State {
    alerts: Alerts,
    letters: Letters,
    checkpoints: BTreeMap<String, BTreeMap<String, Checkpoint>>,
    leases: BTreeMap<String, Lease>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            dead_letter_bytes_max: DEAD_LETTER_BYTES_MAX,
        }
    }

    /// The same with another limit on what dead letters may hold.
    #[must_use]
    pub fn with_dead_letter_bytes_max(self, bytes_max: u64) -> Self {
        Self {
            dead_letter_bytes_max: bytes_max,
            ..self
        }
    }

    /// No operation panics half-way, so a poisoned lock still guards a consistent state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AlertStore for MemoryStore {
    async fn accept(&self, fence: Fence, alerts: Vec<StoredAlert>) -> Result<Vec<Accepted>, StoreError> {
        self.state().alerts.accept(fence, alerts)
    }

    async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.state().alerts.settle(fence, &settled, tombstone_until)
    }

    async fn close_group(
        &self,
        fence: Fence,
        group: GroupId,
        members: Vec<AlertId>,
        merged: StoredAlert,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError> {
        self.state()
            .alerts
            .close_group(fence, group, &members, merged, tombstone_until)
    }

    async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        Ok(self
            .state()
            .alerts
            .pending(shard, output, after.as_ref(), items_max, bytes_max))
    }

    async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError> {
        Ok(self.state().alerts.backlog(shard))
    }

    async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        Ok(self.state().alerts.grouped(shard, after, items_max))
    }

    async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError> {
        Ok(self.state().alerts.fetch(shard, ids))
    }

    async fn expire(&self, fence: Fence, now: Timestamp, items_max: usize) -> Result<u64, StoreError> {
        self.state().alerts.expire(fence, now, items_max)
    }

    async fn list(&self, filter: &AlertFilter, items_max: usize) -> Result<Vec<AlertView>, StoreError> {
        Ok(self.state().alerts.list(filter, items_max))
    }

    async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError> {
        Ok(self.state().alerts.view(id))
    }
}

#[async_trait]
impl DeadLetterStore for MemoryStore {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), StoreError> {
        self.state().letters.put(letters, self.dead_letter_bytes_max)
    }

    async fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, DeadLetterId)>,
        items_max: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.state().letters.list(filter, after, items_max))
    }

    async fn get(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
        Ok(self.state().letters.get(id))
    }

    async fn remove(&self, ids: &[DeadLetterId]) -> Result<(), StoreError> {
        self.state().letters.remove(ids);
        Ok(())
    }

    async fn count(&self) -> Result<u64, StoreError> {
        Ok(self.state().letters.count())
    }
}

#[async_trait]
impl CheckpointStore for MemoryStore {
    async fn get(&self, source: &str, partition: &str) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self
            .state()
            .checkpoints
            .get(source)
            .and_then(|of| of.get(partition))
            .cloned())
    }

    async fn put(&self, source: &str, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError> {
        self.state()
            .checkpoints
            .entry(source.to_owned())
            .or_default()
            .extend(checkpoints);
        Ok(())
    }

    async fn list(&self, source: &str) -> Result<Vec<(String, Checkpoint)>, StoreError> {
        let state = self.state();
        let of_source = state.checkpoints.get(source).into_iter().flatten();
        Ok(of_source
            .map(|(partition, checkpoint)| (partition.clone(), checkpoint.clone()))
            .collect())
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn acquire(
        &self,
        key: &str,
        owner: &str,
        now: Timestamp,
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let mut state = self.state();
        let shard = fenced_shard(key);
        let seen = shard.and_then(|shard| state.alerts.fence(shard));
        let lease = acquired(state.leases.get(key), seen, key, owner, now, duration);
        if let Some(lease) = &lease {
            state.leases.insert(key.to_owned(), lease.clone());
            if let Some(shard) = shard {
                state.alerts.raise_fence(shard, lease.epoch);
            }
        }
        Ok(lease)
    }

    async fn renew(
        &self,
        lease: &Lease,
        now: Timestamp,
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let mut state = self.state();
        let renewed = renewed(state.leases.get(&lease.key), lease, now, duration);
        if let Some(renewed) = &renewed {
            state.leases.insert(renewed.key.clone(), renewed.clone());
        }
        Ok(renewed)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(released) = released(state.leases.get(&lease.key), lease) {
            state.leases.insert(released.key.clone(), released);
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        let state = self.state();
        let from = state.leases.range(prefix.to_owned()..);
        Ok(from
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, lease)| lease.clone())
            .collect())
    }
}
