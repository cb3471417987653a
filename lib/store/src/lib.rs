//! Durable state: what was accepted, what is still to be delivered, what could not be processed, how far the
//! sources are read, and who owns which shard. The traits are shaped for conditional writes and queries by
//! key, so that a B-tree file and DynamoDB can both keep the promise.

pub mod conformance;
pub mod coordinator;
mod dynamo;
mod embedded;
mod faulty;
mod keeper;
mod lease;
mod letters;
mod memory;
mod rows;
mod standing;
mod traits;

pub use dynamo::{Capacity, DynamoOptions, DynamoStore, TableMade};
pub use embedded::{EmbeddedOptions, EmbeddedStore, OpenError, WriteCounts};
pub use faulty::{Faults, FaultyStore};
pub use keeper::{Keeper, KeeperHandle, KeeperOptions, LeaseChurn, News, create_leases};
pub use lease::{Lease, LeaseAnswer, LeaseStore, SHARD_END};
pub use memory::MemoryStore;
pub use streamalert_types::ShardId;
pub use traits::{
    Accepted, AlertFilter, AlertState, AlertStore, AlertView, Checkpoint, CheckpointStore, DeadLetterFilter,
    DeadLetterStore, DeliveryState, Fence, GroupMember, OutboxCursor, Pending, SettledDelivery, StoreError,
    StoredAlert,
};

/// What dead letters may hold by default: about a day of a source that floods with logs no schema takes,
/// little enough to keep beside the alerts. Beyond it `put` refuses, which stops the source: nothing is lost.
pub const DEAD_LETTER_BYTES_MAX: u64 = 1 << 30;
