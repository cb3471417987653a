use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use streamalert_types::{
    Alert, AlertId, DeadLetter, DeadLetterId, DeliveryOutcome, GroupId, OutputName, ShardId, Timestamp,
};

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The lease epoch of the writer is not the current one: another node owns the shard now.
    #[error("fenced off: shard {shard} is at epoch {current}, the write came with {given}")]
    Fenced {
        /// The shard.
        shard: u16,
        /// The epoch in the store.
        current: u64,
        /// The epoch of the write.
        given: u64,
    },
    /// No room left, or the medium refuses writes. Nothing was written; the same call works once there is room.
    #[error("no space: {reason}")]
    Full {
        /// What the medium said.
        reason: String,
    },
    /// The store asks for fewer calls, and went on asking. Nothing was written; the same call may succeed later.
    #[error("store busy: {reason}")]
    Busy {
        /// What it said.
        reason: String,
    },
    /// The store does not do this for us: a table is missing, a permission, credentials. Nothing was written. An
    /// operator is needed, after which the same call works.
    #[error("store refuses: {reason}")]
    Refused {
        /// What it said, and what would help.
        reason: String,
    },
    /// The store did not answer, or is shutting down. The write may have happened.
    #[error("store unavailable: {reason}")]
    Unavailable {
        /// What the medium said.
        reason: String,
    },
    /// What is stored cannot be read. An operator is needed; nothing is overwritten.
    #[error("store unreadable: {reason}")]
    Corrupt {
        /// What is wrong, and where.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Full { .. } | Self::Busy { .. } | Self::Unavailable { .. }
        )
    }

    /// Whether the write may have taken effect although it failed.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// The right to write to a shard: its id and the epoch of the lease under which the writer owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The shard.
    pub shard: ShardId,
    /// The lease epoch; a write with an older epoch than the store has seen is refused.
    pub epoch: u64,
}

/// An alert as the merger keeps it.
#[derive(Debug, Clone)]
pub struct StoredAlert {
    /// The alert itself.
    pub alert: Arc<Alert>,
    /// Outputs it must still be delivered to on its own account.
    pub pending: Vec<OutputName>,
    /// The open group that it waits in.
    pub group: Option<GroupMember>,
}

/// An alert's place in a merge group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The group.
    pub group: GroupId,
    /// Canonical text of the merge-key values; equal for all members of the group.
    pub key: Arc<[u8]>,
    /// It is the first of the group and went out at once, on its own account.
    pub first: bool,
}

/// What became of one alert handed to [`AlertStore::accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is durable now.
    New,
    /// It was known already, open or as a tombstone; nothing was written.
    Duplicate,
    /// It was known already, is open, and was written under an older epoch, perhaps after the caller had loaded
    /// the shard: the caller must make sure that it works on it. Only of stores whose lease does not fence in
    /// the commit that takes it, so that a late write of the former owner may come after the loading; with the
    /// others (memory, embedded) a loading sees all that older epochs ever wrote, and this is a `Duplicate`.
    Adopted {
        /// Outputs it must still be delivered to on its own account.
        pending: Vec<OutputName>,
        /// The open group that it waits in.
        group: Option<GroupMember>,
    },
}

/// The end of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledDelivery {
    /// The alert.
    pub alert: AlertId,
    /// The output.
    pub output: OutputName,
    /// How it ended.
    pub outcome: DeliveryOutcome,
}

/// Where one delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// The store does not know of it: no such alert in the shard, any more or at all, or it does not go there.
    Unknown,
    /// It has no outcome yet.
    Pending,
    /// It ended.
    Ended(DeliveryOutcome),
}

/// A place in the outbox of one output of one shard. Opaque and ordered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxCursor(pub Vec<u8>);

/// One undelivered (alert, output).
#[derive(Debug, Clone)]
pub struct Pending {
    /// Continue a query after this.
    pub cursor: OutboxCursor,
    /// The alert.
    pub alert: Arc<Alert>,
}

/// Where an alert stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertState {
    /// Something is still to be delivered, or it waits in a group.
    Open,
    /// Settled; kept as a tombstone until the time given.
    Settled {
        /// When the tombstone may be forgotten.
        expires: Timestamp,
    },
}

/// An alert as `alerts list` and `alerts show` present it.
#[derive(Debug, Clone)]
pub struct AlertView {
    /// The alert.
    pub alert: Arc<Alert>,
    /// Where it stands.
    pub state: AlertState,
    /// Outputs still to be delivered to.
    pub pending: Vec<OutputName>,
    /// Deliveries that ended, by output.
    pub settled: BTreeMap<OutputName, DeliveryOutcome>,
    /// The open group it waits in.
    pub group: Option<GroupId>,
}

/// Which alerts to list; everything unset matches.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only this rule.
    pub rule: Option<String>,
    /// Only alerts created at or after.
    pub since: Option<Timestamp>,
    /// Only open ones.
    pub open_only: bool,
}

/// Alerts, merge groups, outbox and tombstones of the merger.
#[async_trait]
pub trait AlertStore: Send + Sync + 'static {
    /// Makes alerts durable, in one commit where the store is one file, else each on its own. Conditional on each
    /// being unknown in its shard: neither open nor a tombstone. (The shard follows from the alert; whether an alert
    /// that came to another shard is known there depends on the store.) Answers per alert, in order; a repetition
    /// within `alerts` counts as a duplicate.
    ///
    /// # Errors
    /// See [`StoreError`]. On an error none of them was written, unless [`StoreError::may_have_happened`]; after
    /// [`StoreError::Fenced`] some may stand in the store, which the new owner answers as [`Accepted::Adopted`] when
    /// they come again.
    async fn accept(&self, fence: Fence, alerts: Vec<StoredAlert>) -> Result<Vec<Accepted>, StoreError>;

    /// Records ended deliveries, for each alert in one commit. An alert with nothing pending and no group becomes a tombstone that is kept
    /// until `tombstone_until`. Unknown or already settled deliveries are ignored, so it may be repeated.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Closes a merge group: `merged`, if there is anything to send, becomes durable (unless known), the members leave
    /// the group, and those with nothing pending become tombstones. In one commit, or so that the first suffices: once `merged` is durable
    /// nobody finds those members in a group again who asks [`grouped`](Self::grouped) from its beginning. Repeating
    /// it changes nothing. Never answers
    /// [`Accepted::Adopted`]: a caller that meets a known merged alert loads the shard again.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn close_group(
        &self,
        fence: Fence,
        group: GroupId,
        members: Vec<AlertId>,
        merged: Option<StoredAlert>,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError>;

    /// Undelivered alerts of one output, oldest first, after `after`; at most `items_max` and, beyond the
    /// first, at most `bytes_max` of [`Alert::weight_bytes`].
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError>;

    /// Outputs that have something undelivered, with how many.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError>;

    /// Every alert of the shard that waits in a group, in order of creation then id, for takeover. `after` is
    /// the last (created, id) of the previous page.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError>;

    /// Open alerts by id, for building a merged alert. Unknown ids are left out.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError>;

    /// Forgets tombstones whose time has come; at most `items_max`. Answers how many. A store that forgets by itself,
    /// by its own clock, answers 0.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn expire(&self, fence: Fence, now: Timestamp, items_max: usize) -> Result<u64, StoreError>;

    /// Where the delivery of an alert of the shard to `output` stands, as of the last write that was answered.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn delivery(
        &self,
        shard: ShardId,
        alert: AlertId,
        output: &OutputName,
    ) -> Result<DeliveryState, StoreError>;

    /// Alerts of all shards, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn list(&self, filter: &AlertFilter, items_max: usize) -> Result<Vec<AlertView>, StoreError>;

    /// One alert, whatever its shard.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError>;
}

/// Which dead letters to list; everything unset matches.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only those about payloads (`unclassified`), rule failures (`rule`) or deliveries (`undelivered`).
    pub kind: Option<String>,
    /// Only those created at or after.
    pub since: Option<Timestamp>,
}

/// What could not be processed.
#[async_trait]
pub trait DeadLetterStore: Send + Sync + 'static {
    /// Makes dead letters durable, in one commit where the store is one file, else each on its own. One whose id is
    /// known is left as it is.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), StoreError>;

    /// Oldest first, after the (created, id) given.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, DeadLetterId)>,
        items_max: usize,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// One of them.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn get(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError>;

    /// Forgets them, after a replay.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn remove(&self, ids: &[DeadLetterId]) -> Result<(), StoreError>;

    /// How many there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn count(&self) -> Result<u64, StoreError>;
}

/// How far one partition of a source is processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Everything before this is acknowledged: a byte offset or a sequence number, as text.
    pub sequence: String,
    /// True when the partition has ended and all of it is acknowledged.
    pub finished: bool,
    /// When it was written.
    pub updated: Timestamp,
    /// From when on it may be forgotten, for a partition that is read once; `None` keeps it for ever.
    pub expires: Option<Timestamp>,
}

/// Checkpoints of sources, by `service:resource` and partition.
#[async_trait]
pub trait CheckpointStore: Send + Sync + 'static {
    /// The checkpoint of one partition.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn get(&self, source: &str, partition: &str) -> Result<Option<Checkpoint>, StoreError>;

    /// Writes checkpoints (partition, checkpoint) of one source, in one commit where the store is one file, else each
    /// on its own.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn put(&self, source: &str, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError>;

    /// All checkpoints of one source.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn list(&self, source: &str) -> Result<Vec<(String, Checkpoint)>, StoreError>;

    /// Forgets partitions of one source; those without a checkpoint are passed over.
    ///
    /// # Errors
    /// See [`StoreError`]. Some may be forgotten then.
    async fn remove(&self, source: &str, partitions: &[String]) -> Result<(), StoreError>;

    /// Forgets checkpoints of one source whose time has come. Answers how many. A store that forgets by itself, by its
    /// own clock, answers 0. Until then they are read as any other.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn expire(&self, source: &str, now: Timestamp) -> Result<u64, StoreError>;
}
