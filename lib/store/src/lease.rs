//! Leases: who works on what, kept in the store and decided without comparing clocks of different nodes.

mod transitions;

use async_trait::async_trait;
use streamalert_types::Timestamp;

use crate::StoreError;

pub(crate) use transitions::{
    asked, check_fence, checkpointed, fenced_shard, released, removed, renewed, taken,
};

/// The checkpoint of a lease whose work has ended, in the word of the Kinesis Client Library: nobody takes it
/// any more, and leases that name it as a parent may be taken.
pub const SHARD_END: &str = "SHARD_END";

/// A lease: the right of one owner to work on one thing.
///
/// It carries no moment at which it ends, because the clocks of two nodes may differ by minutes. Its owner moves
/// [`counter`](Self::counter) again and again; whoever sees (epoch, counter) stand still for a whole term, by
/// its own steady clock, may take it.
///
/// # As an item of DynamoDB
/// Attributes bear the names of the Kinesis Client Library where it has one, so that its tools can read the
/// table. An attribute that has nothing to say is absent; DynamoDB knows no empty sets.
///
/// | attribute | type | field | Kinesis Client Library |
/// |---|---|---|---|
/// | `leaseKey` | S, partition key | `key` | yes |
/// | `leaseOwner` | S, absent when free | `owner` | yes |
/// | `leaseCounter` | N | `counter` | yes |
/// | `checkpoint` | S | `checkpoint` | yes |
/// | `parentShardId` | SS | `parents` | yes |
/// | `leaseEpoch` | N | `epoch` | no |
/// | `leaseAddress` | S | `address` | no |
/// | `wantedBy` | S | `wanted_by` | no |
/// | `updatedMicros` | N | `updated` | no |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is about: `merger/17`, `dispatcher/3`, `kinesis/<stream>/<shard id>`.
    pub key: String,
    /// Who has it; `None` when it is free.
    pub owner: Option<String>,
    /// Where the owner is reached, as `host:port`; `None` when it is free or nobody calls its owner.
    pub address: Option<String>,
    /// Grows whenever the lease is taken, also by the node that had it: two processes of one name are two
    /// owners. Fences writes.
    pub epoch: u64,
    /// Grows with everything that the owner writes, and whenever the lease is taken or given back.
    pub counter: u64,
    /// Of a lease that is held: the node that is to have it next. Of a free one: the node that it was given
    /// back for; others leave it alone for a while.
    pub wanted_by: Option<String>,
    /// How far the work is, in a form that only its kind of work reads; [`SHARD_END`] when it has ended.
    pub checkpoint: Option<String>,
    /// Keys of the leases whose work comes before this one's: the shards that a shard was split or merged from.
    pub parents: Vec<String>,
    /// When the row was written, by the wall clock of whoever wrote it. For people: nothing is decided by it.
    pub updated: Timestamp,
}

impl Lease {
    /// A lease that nobody has had.
    #[must_use]
    pub fn free(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            owner: None,
            address: None,
            epoch: 0,
            counter: 0,
            wanted_by: None,
            checkpoint: None,
            parents: Vec::new(),
            updated: Timestamp::EPOCH,
        }
    }

    /// Whether its work has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.checkpoint.as_deref() == Some(SHARD_END)
    }
}

/// What became of a conditional write to a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It was written and is so now.
    Written(Lease),
    /// It is not as the caller had seen it, and was left alone. This is how it is; `None`: there is none.
    Refused(Option<Lease>),
}

impl LeaseAnswer {
    /// The lease as written; `None` when it was refused.
    #[must_use]
    pub fn written(self) -> Option<Lease> {
        match self {
            Self::Written(lease) => Some(lease),
            Self::Refused(_) => None,
        }
    }
}

/// Leases.
///
/// Writes are conditional on the (epoch, counter) that the caller has seen, with the one exception of
/// [`ask`](Self::ask). A caller whose answer was lost repeats the write: if it had taken place, the repetition is
/// refused, and the answer shows whose the lease is. `at` is only ever written to [`Lease::updated`].
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Adds leases as they are given; those whose key is known stay as they are. Answers how many were added.
    /// Repeating it changes nothing; when it fails, some may have been added.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn create(&self, leases: Vec<Lease>) -> Result<u64, StoreError>;

    /// Makes `owner` the owner, whoever it was before: whether that is right is the caller's decision. Raises
    /// the epoch above all that the lease and, for `merger/N`, the writes to shard N have shown; from then on
    /// the alert store refuses older ones. Ends every request for the lease.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn take(
        &self,
        seen: &Lease,
        owner: &str,
        address: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError>;

    /// Shows that the owner is alive. The answer tells it as well who wants the lease.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn renew(&self, held: &Lease, at: Timestamp) -> Result<LeaseAnswer, StoreError>;

    /// Notes how far the work is; the same as a renewal otherwise.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn checkpoint(
        &self,
        held: &Lease,
        checkpoint: &str,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError>;

    /// Asks the owner to hand the lease over to `node`. Conditional on owner, epoch and
    /// [`wanted_by`](Lease::wanted_by) as seen, not on the counter: a renewal meanwhile is no objection. Leaves
    /// the counter alone, since a request shows nothing of the owner's life.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn ask(&self, seen: &Lease, node: &str, at: Timestamp) -> Result<LeaseAnswer, StoreError>;

    /// Gives a lease back, for the node `to` if one is known. The epoch stays.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn release(&self, held: &Lease, to: Option<&str>, at: Timestamp)
    -> Result<LeaseAnswer, StoreError>;

    /// Forgets a lease that is as seen. Answers whether it is gone. What its epoch has fenced off stays so.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn remove(&self, seen: &Lease) -> Result<bool, StoreError>;

    /// All leases whose key starts with `prefix`, by key, as everything that was answered before left them.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn list(&self, prefix: &str) -> Result<Vec<Lease>, StoreError>;
}
