//! What happens to a lease: pure transitions, shared by every implementation.

use std::time::Duration;

use streamalert_types::Timestamp;

use crate::{Fence, Lease, ShardId, StoreError};

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

/// The lease after `owner` asked for it; `None` when another holds it. `seen` is the highest epoch that the
/// shard's writes have shown: a new owner must come out above it, or its own writes would be fenced off.
pub(crate) fn acquired(
    current: Option<&Lease>,
    seen: Option<u64>,
    key: &str,
    owner: &str,
    now: Timestamp,
    duration: Duration,
) -> Option<Lease> {
    let ours = current.is_some_and(|lease| lease.owner.as_deref() == Some(owner));
    let taken = current.is_some_and(|lease| lease.owner.is_some() && now < lease.expires);
    if taken && !ours {
        return None;
    }
    let epoch = current.map_or(0, |lease| lease.epoch);
    Some(Lease {
        key: key.to_owned(),
        owner: Some(owner.to_owned()),
        epoch: if ours {
            epoch
        } else {
            epoch.max(seen.unwrap_or(0)).saturating_add(1)
        },
        counter: current.map_or(0, |lease| lease.counter).saturating_add(1),
        expires: now.plus(duration),
    })
}

/// The lease after its holder prolonged it; `None` when it is another's by now.
pub(crate) fn renewed(
    current: Option<&Lease>,
    held: &Lease,
    now: Timestamp,
    duration: Duration,
) -> Option<Lease> {
    let current = still_held(current, held)?;
    Some(Lease {
        counter: current.counter.saturating_add(1),
        expires: now.plus(duration),
        ..current.clone()
    })
}

/// The lease after its holder gave it back; `None` when it is another's by now.
pub(crate) fn released(current: Option<&Lease>, held: &Lease) -> Option<Lease> {
    let current = still_held(current, held)?;
    Some(Lease {
        owner: None,
        counter: current.counter.saturating_add(1),
        ..current.clone()
    })
}

fn still_held<'a>(current: Option<&'a Lease>, held: &Lease) -> Option<&'a Lease> {
    current.filter(|lease| lease.owner.is_some() && lease.owner == held.owner && lease.epoch == held.epoch)
}
