//! Durable state: what was accepted, what is still to be delivered, what could not be processed, how far the
//! sources are read, and who owns which shard. The traits are shaped for conditional writes and queries by
//! key, so that a B-tree file and DynamoDB can both keep the promise.

mod traits;

pub use traits::{
    Accepted, AlertFilter, AlertState, AlertStore, AlertView, Checkpoint, CheckpointStore, DeadLetterFilter,
    DeadLetterStore, Fence, GroupMember, Lease, LeaseStore, OutboxCursor, Pending, SettledDelivery, ShardId,
    StoreError, StoredAlert,
};
