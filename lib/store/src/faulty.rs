//! A store that fails on demand, for tests of those who must survive it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use streamalert_types::{Alert, AlertId, DeadLetter, DeadLetterId, GroupId, OutputName, Timestamp};
use tokio::sync::watch;

use crate::{
    Accepted, AlertFilter, AlertStore, AlertView, Checkpoint, CheckpointStore, DeadLetterFilter,
    DeadLetterStore, DeliveryState, Fence, Lease, LeaseAnswer, LeaseStore, OutboxCursor, Pending,
    SettledDelivery, ShardId, StoreError, StoredAlert,
};

/// Wraps a store and fails as its [`Faults`] say. Clones share the faults.
#[derive(Debug, Clone)]
pub struct FaultyStore<S> {
    inner: S,
    faults: Faults,
}

/// What a [`FaultyStore`] does wrong. Clones are handles on the same faults.
#[derive(Debug, Clone)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    hanging: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Plan {
    before: u32,
    after: u32,
    reads: u32,
    full: bool,
    down: bool,
    writes_seen: u64,
}

enum Verdict {
    Write,
    Refuse(StoreError),
    WriteAndLoseReply,
}

impl Faults {
    fn new() -> Self {
        Self {
            plan: Arc::default(),
            hanging: watch::Sender::new(false),
        }
    }

    fn plan<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        change(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next `writes` fail as unavailable and are not carried out.
    pub fn fail_before(&self, writes: u32) {
        self.plan(|plan| plan.before = writes);
    }

    /// The next `writes` are carried out, but the caller hears that the store is unavailable.
    pub fn fail_after(&self, writes: u32) {
        self.plan(|plan| plan.after = writes);
    }

    /// The next `reads` fail as unavailable.
    pub fn fail_reads(&self, reads: u32) {
        self.plan(|plan| plan.reads = reads);
    }

    /// Every write is refused for lack of space until told otherwise.
    pub fn set_full(&self, full: bool) {
        self.plan(|plan| plan.full = full);
    }

    /// Every operation fails as unavailable, and none is carried out, until told otherwise.
    pub fn set_down(&self, down: bool) {
        self.plan(|plan| plan.down = down);
    }

    /// Every operation waits until told otherwise; those that wait go on then.
    pub fn set_hanging(&self, hanging: bool) {
        self.hanging.send_replace(hanging);
    }

    /// Writes asked for so far, failed ones included.
    #[must_use]
    pub fn writes_seen(&self) -> u64 {
        self.plan(|plan| plan.writes_seen)
    }

    async fn wait(&self) {
        let mut hanging = self.hanging.subscribe();
        // The sender lives in `self`, so this cannot end by its being dropped.
        let _ = hanging.wait_for(|hanging| !hanging).await;
    }

    async fn before_write(&self) -> Verdict {
        self.plan(|plan| plan.writes_seen += 1);
        self.wait().await;
        self.plan(|plan| {
            if plan.down {
                return Verdict::Refuse(unavailable("told to be down"));
            }
            if plan.full {
                return Verdict::Refuse(StoreError::Full {
                    reason: "told to be full".to_owned(),
                });
            }
            if plan.before > 0 {
                plan.before -= 1;
                return Verdict::Refuse(unavailable("told to fail before the write"));
            }
            if plan.after > 0 {
                plan.after -= 1;
                return Verdict::WriteAndLoseReply;
            }
            Verdict::Write
        })
    }

    async fn before_read(&self) -> Result<(), StoreError> {
        self.wait().await;
        self.plan(|plan| {
            if plan.down {
                return Err(unavailable("told to be down"));
            }
            if plan.reads > 0 {
                plan.reads -= 1;
                return Err(unavailable("told to fail the read"));
            }
            Ok(())
        })
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable {
        reason: reason.to_owned(),
    }
}

impl<S> FaultyStore<S> {
    /// Wraps `inner`; nothing fails until the faults are told to.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            faults: Faults::new(),
        }
    }

    /// A handle to say what shall fail.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// The store behind.
    #[must_use]
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match self.faults.before_write().await {
            Verdict::Refuse(error) => Err(error),
            Verdict::Write => write.await,
            Verdict::WriteAndLoseReply => {
                write.await?;
                Err(unavailable("told to lose the reply"))
            }
        }
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.faults.before_read().await?;
        read.await
    }
}

#[async_trait]
impl<S: AlertStore> AlertStore for FaultyStore<S> {
    async fn accept(&self, fence: Fence, alerts: Vec<StoredAlert>) -> Result<Vec<Accepted>, StoreError> {
        self.write(self.inner.accept(fence, alerts)).await
    }

    async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(self.inner.settle(fence, settled, tombstone_until))
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
        self.write(
            self.inner
                .close_group(fence, group, members, merged, tombstone_until),
        )
        .await
    }

    async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.read(self.inner.pending(shard, output, after, items_max, bytes_max))
            .await
    }

    async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError> {
        self.read(self.inner.backlog(shard)).await
    }

    async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        self.read(self.inner.grouped(shard, after, items_max)).await
    }

    async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError> {
        self.read(self.inner.fetch(shard, ids)).await
    }

    async fn expire(&self, fence: Fence, now: Timestamp, items_max: usize) -> Result<u64, StoreError> {
        self.write(self.inner.expire(fence, now, items_max)).await
    }

    async fn delivery(
        &self,
        shard: ShardId,
        alert: AlertId,
        output: &OutputName,
    ) -> Result<DeliveryState, StoreError> {
        self.read(self.inner.delivery(shard, alert, output)).await
    }

    async fn list(&self, filter: &AlertFilter, items_max: usize) -> Result<Vec<AlertView>, StoreError> {
        self.read(self.inner.list(filter, items_max)).await
    }

    async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError> {
        self.read(self.inner.view(id)).await
    }
}

#[async_trait]
impl<S: DeadLetterStore> DeadLetterStore for FaultyStore<S> {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), StoreError> {
        self.write(self.inner.put(letters)).await
    }

    async fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, DeadLetterId)>,
        items_max: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(self.inner.list(filter, after, items_max)).await
    }

    async fn get(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
        self.read(self.inner.get(id)).await
    }

    async fn remove(&self, ids: &[DeadLetterId]) -> Result<(), StoreError> {
        self.write(self.inner.remove(ids)).await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.read(self.inner.count()).await
    }
}

#[async_trait]
impl<S: CheckpointStore> CheckpointStore for FaultyStore<S> {
    async fn get(&self, source: &str, partition: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.read(self.inner.get(source, partition)).await
    }

    async fn put(&self, source: &str, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError> {
        self.write(self.inner.put(source, checkpoints)).await
    }

    async fn list(&self, source: &str) -> Result<Vec<(String, Checkpoint)>, StoreError> {
        self.read(self.inner.list(source)).await
    }

    async fn remove(&self, source: &str, partitions: &[String]) -> Result<(), StoreError> {
        self.write(self.inner.remove(source, partitions)).await
    }

    async fn expire(&self, source: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.write(self.inner.expire(source, now)).await
    }
}

#[async_trait]
impl<S: LeaseStore> LeaseStore for FaultyStore<S> {
    async fn create(&self, leases: Vec<Lease>) -> Result<u64, StoreError> {
        self.write(self.inner.create(leases)).await
    }

    async fn take(
        &self,
        seen: &Lease,
        owner: &str,
        address: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        self.write(self.inner.take(seen, owner, address, at)).await
    }

    async fn renew(&self, held: &Lease, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        self.write(self.inner.renew(held, at)).await
    }

    async fn checkpoint(
        &self,
        held: &Lease,
        checkpoint: &str,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        self.write(self.inner.checkpoint(held, checkpoint, at)).await
    }

    async fn ask(&self, seen: &Lease, node: &str, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        self.write(self.inner.ask(seen, node, at)).await
    }

    async fn release(
        &self,
        held: &Lease,
        to: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        self.write(self.inner.release(held, to, at)).await
    }

    async fn remove(&self, seen: &Lease) -> Result<bool, StoreError> {
        self.write(self.inner.remove(seen)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        self.read(self.inner.list(prefix)).await
    }
}
