//! What happens to a lease: pure transitions, shared by the stores that write in transactions of their own.

use streamalert_types::Timestamp;

use super::{Lease, LeaseAnswer};
use crate::{Fence, ShardId, StoreError};

/// The shard whose writes a lease fences: `merger/17` is shard 17, other keys fence nothing.
pub(crate) fn fenced_shard(key: &str) -> Option<ShardId> {
    key.strip_prefix("merger/")?.parse().ok().map(ShardId)
}

/// A write under `fence` meets the highest epoch seen so far. Answers the epoch to remember, if it is a new one.
pub(crate) fn check_fence(fence: Fence, seen: Option<u64>) -> Result<Option<u64>, StoreError> {
    match seen {
        Some(current) if fence.epoch < current => Err(StoreError::Fenced {
            shard: fence.shard.0,
            current,
            given: fence.epoch,
        }),
        Some(current) if fence.epoch == current => Ok(None),
        _ => Ok(Some(fence.epoch)),
    }
}

/// `change` of the lease as it stands, if that is as `seen`.
fn if_as_seen(current: Option<Lease>, seen: &Lease, change: impl FnOnce(Lease) -> Lease) -> LeaseAnswer {
    match current {
        Some(lease) if (lease.epoch, lease.counter) == (seen.epoch, seen.counter) => {
            LeaseAnswer::Written(change(lease))
        }
        other => LeaseAnswer::Refused(other),
    }
}

/// The same for the owner of the lease alone.
fn if_held(current: Option<Lease>, held: &Lease, change: impl FnOnce(Lease) -> Lease) -> LeaseAnswer {
    let ours = |lease: &Lease| lease.owner.is_some() && lease.owner == held.owner;
    match current {
        Some(lease) if ours(&lease) => if_as_seen(Some(lease), held, change),
        other => LeaseAnswer::Refused(other),
    }
}

/// `owner` takes it. `fenced` is the highest epoch that writes to its shard have shown: a new owner must come out
/// above it, or its own writes would be fenced off.
pub(crate) fn taken(
    current: Option<Lease>,
    seen: &Lease,
    fenced: Option<u64>,
    (owner, address): (&str, Option<&str>),
    at: Timestamp,
) -> LeaseAnswer {
    if_as_seen(current, seen, |lease| Lease {
        owner: Some(owner.to_owned()),
        address: address.map(str::to_owned),
        epoch: lease.epoch.max(fenced.unwrap_or(0)).saturating_add(1),
        counter: lease.counter.saturating_add(1),
        wanted_by: None,
        updated: at,
        ..lease
    })
}

pub(crate) fn renewed(current: Option<Lease>, held: &Lease, at: Timestamp) -> LeaseAnswer {
    if_held(current, held, |lease| Lease {
        counter: lease.counter.saturating_add(1),
        updated: at,
        ..lease
    })
}

pub(crate) fn checkpointed(
    current: Option<Lease>,
    held: &Lease,
    checkpoint: &str,
    at: Timestamp,
) -> LeaseAnswer {
    if_held(current, held, |lease| Lease {
        counter: lease.counter.saturating_add(1),
        checkpoint: Some(checkpoint.to_owned()),
        updated: at,
        ..lease
    })
}

pub(crate) fn asked(current: Option<Lease>, seen: &Lease, node: &str, at: Timestamp) -> LeaseAnswer {
    let unchanged = |lease: &Lease| {
        lease.owner.is_some()
            && (&lease.owner, lease.epoch, &lease.wanted_by) == (&seen.owner, seen.epoch, &seen.wanted_by)
    };
    match current {
        Some(lease) if unchanged(&lease) => LeaseAnswer::Written(Lease {
            wanted_by: Some(node.to_owned()),
            updated: at,
            ..lease
        }),
        other => LeaseAnswer::Refused(other),
    }
}

pub(crate) fn released(current: Option<Lease>, held: &Lease, to: Option<&str>, at: Timestamp) -> LeaseAnswer {
    if_held(current, held, |lease| Lease {
        owner: None,
        address: None,
        counter: lease.counter.saturating_add(1),
        wanted_by: to.map(str::to_owned),
        updated: at,
        ..lease
    })
}

/// Whether the lease is to be removed, or is gone already.
pub(crate) fn removed(current: Option<&Lease>, seen: &Lease) -> bool {
    current.is_none_or(|lease| (lease.epoch, lease.counter) == (seen.epoch, seen.counter))
}
