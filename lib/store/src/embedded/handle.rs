//! The four traits, each method one write or one read.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use streamalert_types::{Alert, AlertId, DeadLetter, DeadLetterId, GroupId, OutputName, Timestamp};

use super::alerts::NewAlert;
use super::letters::NewLetter;
use super::{EmbeddedStore, alerts, leases, letters};
use crate::lease::{asked, checkpointed, released, renewed};
use crate::rows::encode_checkpoint;
use crate::{
    Accepted, AlertFilter, AlertStore, AlertView, Checkpoint, CheckpointStore, DeadLetterFilter,
    DeadLetterStore, DeliveryState, Fence, Lease, LeaseAnswer, LeaseStore, OutboxCursor, Pending,
    SettledDelivery, ShardId, StoreError, StoredAlert,
};

/// What a small request counts for, and each item of a list in one.
const ITEM_BYTES: usize = 256;

#[async_trait]
impl AlertStore for EmbeddedStore {
    async fn accept(&self, fence: Fence, alerts: Vec<StoredAlert>) -> Result<Vec<Accepted>, StoreError> {
        let alerts: Vec<_> = alerts
            .iter()
            .map(|alert| NewAlert::new(fence.shard, alert))
            .collect();
        let weight = ITEM_BYTES + alerts.iter().map(NewAlert::weight_bytes).sum::<usize>();
        self.write(weight, move |tables| tables.accept(fence, &alerts))
            .await
    }

    async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        let weight = ITEM_BYTES * (settled.len() + 1);
        self.write(weight, move |tables| {
            tables.settle(fence, &settled, tombstone_until)
        })
        .await
    }

    async fn close_group(
        &self,
        fence: Fence,
        group: GroupId,
        members: Vec<AlertId>,
        merged: Option<StoredAlert>,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let merged = merged.map(|merged| NewAlert::new(fence.shard, &merged));
        let weight = merged.as_ref().map_or(0, NewAlert::weight_bytes) + ITEM_BYTES * (members.len() + 1);
        let run = move |tables: &mut super::Tables<'_>| {
            tables.close_group(fence, group, &members, merged.as_ref(), tombstone_until)
        };
        self.write(weight, run).await
    }

    async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let output = output.clone();
        self.read(move |read| alerts::pending(read, shard, &output, after.as_ref(), items_max, bytes_max))
            .await
    }

    async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError> {
        self.read(move |read| alerts::backlog(read, shard)).await
    }

    async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        self.read(move |read| alerts::grouped(read, shard, after, items_max))
            .await
    }

    async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |read| alerts::fetch(read, shard, &ids)).await
    }

    async fn expire(&self, fence: Fence, now: Timestamp, items_max: usize) -> Result<u64, StoreError> {
        self.write(ITEM_BYTES, move |tables| tables.expire(fence, now, items_max))
            .await
    }

    async fn delivery(
        &self,
        shard: ShardId,
        alert: AlertId,
        output: &OutputName,
    ) -> Result<DeliveryState, StoreError> {
        let output = output.clone();
        self.read(move |read| alerts::delivery(read, shard, alert, &output))
            .await
    }

    async fn list(&self, filter: &AlertFilter, items_max: usize) -> Result<Vec<AlertView>, StoreError> {
        let filter = filter.clone();
        self.read(move |read| alerts::list(read, &filter, items_max))
            .await
    }

    async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError> {
        self.read(move |read| alerts::view(read, id)).await
    }
}

#[async_trait]
impl DeadLetterStore for EmbeddedStore {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), StoreError> {
        let letters: Vec<_> = letters.iter().map(NewLetter::new).collect();
        let weight = ITEM_BYTES + letters.iter().map(NewLetter::weight_bytes).sum::<usize>();
        let bytes_max = self.inner.dead_letter_bytes_max;
        self.write(weight, move |tables| tables.put_letters(&letters, bytes_max))
            .await
    }

    async fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, DeadLetterId)>,
        items_max: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let filter = filter.clone();
        self.read(move |read| letters::list(read, &filter, after, items_max))
            .await
    }

    async fn get(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
        self.read(move |read| letters::get(read, id)).await
    }

    async fn remove(&self, ids: &[DeadLetterId]) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.write(ITEM_BYTES * (ids.len() + 1), move |tables| {
            tables.remove_letters(&ids)
        })
        .await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.read(letters::count).await
    }
}

#[async_trait]
impl CheckpointStore for EmbeddedStore {
    async fn get(&self, source: &str, partition: &str) -> Result<Option<Checkpoint>, StoreError> {
        let (source, partition) = (source.to_owned(), partition.to_owned());
        self.read(move |read| leases::get_checkpoint(read, &source, &partition))
            .await
    }

    async fn put(&self, source: &str, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError> {
        let source = source.to_owned();
        let rows: Vec<_> = checkpoints
            .into_iter()
            .map(|(partition, checkpoint)| (partition, encode_checkpoint(&checkpoint)))
            .collect();
        let weight = ITEM_BYTES * (rows.len() + 1);
        self.write(weight, move |tables| tables.put_checkpoints(&source, &rows))
            .await
    }

    async fn list(&self, source: &str) -> Result<Vec<(String, Checkpoint)>, StoreError> {
        let source = source.to_owned();
        self.read(move |read| leases::list_checkpoints(read, &source))
            .await
    }

    async fn remove(&self, source: &str, partitions: &[String]) -> Result<(), StoreError> {
        let (source, partitions) = (source.to_owned(), partitions.to_vec());
        let weight = ITEM_BYTES * (partitions.len() + 1);
        self.write(weight, move |tables| {
            tables.remove_checkpoints(&source, &partitions)
        })
        .await
    }

    async fn expire(&self, source: &str, now: Timestamp) -> Result<u64, StoreError> {
        let source = source.to_owned();
        self.write(ITEM_BYTES, move |tables| tables.expire_checkpoints(&source, now))
            .await
    }
}

#[async_trait]
impl LeaseStore for EmbeddedStore {
    async fn create(&self, new: Vec<Lease>) -> Result<u64, StoreError> {
        self.write_next(move |tables| tables.create_leases(&new)).await
    }

    async fn take(
        &self,
        seen: &Lease,
        owner: &str,
        address: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let (seen, owner, address) = (seen.clone(), owner.to_owned(), address.map(str::to_owned));
        self.write_next(move |tables| tables.take_lease(&seen, (&owner, address.as_deref()), at))
            .await
    }

    async fn renew(&self, held: &Lease, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        self.change_lease(held, move |current, held| renewed(current, held, at))
            .await
    }

    async fn checkpoint(
        &self,
        held: &Lease,
        checkpoint: &str,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let checkpoint = checkpoint.to_owned();
        self.change_lease(held, move |current, held| {
            checkpointed(current, held, &checkpoint, at)
        })
        .await
    }

    async fn ask(&self, seen: &Lease, node: &str, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        let node = node.to_owned();
        self.change_lease(seen, move |current, seen| asked(current, seen, &node, at))
            .await
    }

    async fn release(
        &self,
        held: &Lease,
        to: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let to = to.map(str::to_owned);
        self.change_lease(held, move |current, held| {
            released(current, held, to.as_deref(), at)
        })
        .await
    }

    async fn remove(&self, seen: &Lease) -> Result<bool, StoreError> {
        let seen = seen.clone();
        self.write_next(move |tables| tables.remove_lease(&seen)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        let prefix = prefix.to_owned();
        self.read(move |read| leases::list_leases(read, &prefix)).await
    }
}

impl EmbeddedStore {
    async fn change_lease(
        &self,
        seen: &Lease,
        change: impl Fn(Option<Lease>, &Lease) -> LeaseAnswer + Send + 'static,
    ) -> Result<LeaseAnswer, StoreError> {
        let seen = seen.clone();
        self.write_next(move |tables| tables.change_lease(&seen.key, |current| change(current, &seen)))
            .await
    }
}
