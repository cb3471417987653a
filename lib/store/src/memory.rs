//! The store that forgets: for tests, simulation and `ingest` without a data directory.

mod alerts;
mod leases;
mod letters;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use streamalert_types::{Alert, AlertId, DeadLetter, DeadLetterId, GroupId, OutputName, Timestamp};

use crate::{
    Accepted, AlertFilter, AlertStore, AlertView, Checkpoint, CheckpointStore, DEAD_LETTER_BYTES_MAX,
    DeadLetterFilter, DeadLetterStore, DeliveryState, Fence, Lease, OutboxCursor, Pending, SettledDelivery,
    ShardId, StoreError, StoredAlert,
};

use self::alerts::Alerts;
use self::letters::Letters;

/// Locks that the shards share, shard s the lock s mod this. A merger's lanes share the shards by the same rule, so that
/// lanes whose number divides this meet at no lock.
const STRIPES: usize = 64;

/// All four stores in memory. Clones share the content. Deterministic: nothing depends on hashing or time. An alert is
/// known in the shard that it came to, as in a table of DynamoDB.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    stripes: Arc<[Mutex<Stripe>]>,
    state: Arc<Mutex<State>>,
    dead_letter_bytes_max: u64,
}

/// The shards of one lock.
#[derive(Debug, Default)]
struct Stripe {
    shards: BTreeMap<ShardId, Alerts>,
    late_writes: bool,
}

impl Stripe {
    fn shard(&mut self, shard: ShardId) -> &mut Alerts {
        let late_writes = self.late_writes;
        self.shards.entry(shard).or_insert_with(|| {
            let mut alerts = Alerts::default();
            if late_writes {
                alerts.allow_late_writes();
            }
            alerts
        })
    }
}

/// What is no shard's. Whoever locks this and a stripe locks this first.
#[derive(Debug, Default)]
struct State {
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
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
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

    /// Behaves from now on as a store that cannot fence and write in one commit, such as a table of DynamoDB: the
    /// alerts of an accept under an outdated epoch are written before the writer learns that it is fenced off,
    /// and come to light as [`Accepted::Adopted`].
    #[must_use]
    pub fn with_late_writes(self) -> Self {
        for mut stripe in self.all_stripes() {
            stripe.late_writes = true;
            stripe.shards.values_mut().for_each(Alerts::allow_late_writes);
        }
        self
    }

    /// No operation panics half-way, so a poisoned lock still guards a consistent state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stripe of a shard.
    fn stripe(&self, shard: ShardId) -> MutexGuard<'_, Stripe> {
        let stripe = &self.stripes[usize::from(shard.0) % STRIPES];
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_stripes(&self) -> impl Iterator<Item = MutexGuard<'_, Stripe>> {
        let stripes = self.stripes.iter();
        stripes.map(|stripe| stripe.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl AlertStore for MemoryStore {
    async fn accept(&self, fence: Fence, alerts: Vec<StoredAlert>) -> Result<Vec<Accepted>, StoreError> {
        self.stripe(fence.shard).shard(fence.shard).accept(fence, alerts)
    }

    async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut stripe = self.stripe(fence.shard);
        stripe.shard(fence.shard).settle(fence, &settled, tombstone_until)
    }

    async fn close_group(
        &self,
        fence: Fence,
        group: GroupId,
        members: Vec<AlertId>,
        merged: Option<StoredAlert>,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let mut stripe = self.stripe(fence.shard);
        let alerts = stripe.shard(fence.shard);
        alerts.close_group(fence, group, &members, merged, tombstone_until)
    }

    async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let mut stripe = self.stripe(shard);
        let alerts = stripe.shard(shard);
        Ok(alerts.pending(output, after.as_ref(), items_max, bytes_max))
    }

    async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError> {
        Ok(self.stripe(shard).shard(shard).backlog())
    }

    async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        Ok(self.stripe(shard).shard(shard).grouped(after, items_max))
    }

    async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError> {
        Ok(self.stripe(shard).shard(shard).fetch(ids))
    }

    async fn expire(&self, fence: Fence, now: Timestamp, items_max: usize) -> Result<u64, StoreError> {
        let mut stripe = self.stripe(fence.shard);
        stripe.shard(fence.shard).expire(fence, now, items_max)
    }

    async fn delivery(
        &self,
        shard: ShardId,
        alert: AlertId,
        output: &OutputName,
    ) -> Result<DeliveryState, StoreError> {
        Ok(self.stripe(shard).shard(shard).delivery(alert, output))
    }

    async fn list(&self, filter: &AlertFilter, items_max: usize) -> Result<Vec<AlertView>, StoreError> {
        let mut views = Vec::new();
        for stripe in self.all_stripes() {
            for alerts in stripe.shards.values() {
                let matching = alerts.matching(filter);
                views.extend(
                    matching.map(|(alert, standing)| (standing.created, standing.view(alert.clone()))),
                );
            }
        }
        views.sort_by_key(|(created, view)| Reverse((*created, view.alert.id)));
        views.truncate(items_max);
        Ok(views.into_iter().map(|(_, view)| view).collect())
    }

    async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError> {
        Ok(self
            .all_stripes()
            .find_map(|stripe| stripe.shards.values().find_map(|alerts| alerts.view(id))))
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

    async fn remove(&self, source: &str, partitions: &[String]) -> Result<(), StoreError> {
        if let Some(of) = self.state().checkpoints.get_mut(source) {
            of.retain(|partition, _| !partitions.contains(partition));
        }
        Ok(())
    }

    async fn expire(&self, source: &str, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let Some(of) = state.checkpoints.get_mut(source) else {
            return Ok(0);
        };
        let before = of.len();
        of.retain(|_, checkpoint| checkpoint.expires.is_none_or(|expires| expires > now));
        Ok((before - of.len()) as u64)
    }
}
