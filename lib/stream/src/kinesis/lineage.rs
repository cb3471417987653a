//! Which shards of a stream are to be read, and in which order: from a listing of shards to leases.

use std::collections::{BTreeMap, BTreeSet};

use streamalert_store::Lease;

use super::place::Place;

/// A shard as the stream lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) id: String,
    /// The shard it was split from, or the two that it was merged from.
    pub(super) parents: Vec<String>,
    /// More may be written to it.
    pub(super) open: bool,
}

/// Where a stream that was never read before is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// With all that it holds.
    Horizon,
    /// With what arrives from this moment on, in milliseconds since 1970.
    Moment(i64),
}

/// What is to be done to the leases of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Leases to be added, one step after the other: a shard's lease must not be there before those of its parents,
    /// or somebody may begin it before them, and [`plan`] take the parents for older than our beginning.
    pub(super) create: Vec<Vec<Lease>>,
    /// Leases whose shard is read to its end and gone.
    pub(super) remove: Vec<Lease>,
}

/// Compares the shards of a stream with its leases, whose keys are `prefix` and the shard's id.
///
/// Invariant: a shard that descends from one that has or had a lease is begun at its first record, whatever
/// `beginning` says, since what is in it came after what was read.
pub(super) fn plan(
    prefix: &str,
    shards: &[Shard],
    leases: &BTreeMap<String, Lease>,
    beginning: Beginning,
) -> Plan {
    let by_id: BTreeMap<&str, &Shard> = shards.iter().map(|shard| (&*shard.id, shard)).collect();
    let key = |id: &str| format!("{prefix}{id}");
    let leased = |id: &str| leases.contains_key(&key(id));
    // Nothing has been read yet, though leases may be there from a beginning that was cut short.
    let fresh = leases.values().all(|lease| {
        let place = lease.checkpoint.as_deref().and_then(Place::parse);
        matches!(place, Some(Place::Moment(_)))
    });
    let older = ancestors(shards.iter().filter(|shard| leased(&shard.id)), &by_id);

    // Those to be created, with whether they are begun at their first record.
    let mut created: BTreeSet<&str> = BTreeSet::new();
    let mut plan = Plan::default();
    for level in levels(shards, &by_id) {
        let mut step = Vec::new();
        for shard in level {
            if leased(&shard.id) || older.contains(&*shard.id) {
                continue;
            }
            let follows = |id: &String| leased(id) || created.contains(&**id);
            let checkpoint = match beginning {
                Beginning::Moment(millis) if fresh && !shard.parents.iter().any(follows) => {
                    // What was closed before our beginning holds nothing for us.
                    if !shard.open {
                        continue;
                    }
                    Some(Place::Moment(millis).to_string())
                }
                _ => None,
            };
            created.insert(&shard.id);
            step.push(Lease {
                checkpoint,
                parents: shard.parents.iter().map(|id| key(id)).collect(),
                ..Lease::free(key(&shard.id))
            });
        }
        if !step.is_empty() {
            plan.create.push(step);
        }
    }
    plan.remove = forgettable(prefix, shards, &by_id, leases);
    plan
}

/// Leases that nobody needs: read to the end, no longer listed, and every shard that came of it has its own lease. An
/// empty listing says nothing.
fn forgettable(
    prefix: &str,
    shards: &[Shard],
    by_id: &BTreeMap<&str, &Shard>,
    leases: &BTreeMap<String, Lease>,
) -> Vec<Lease> {
    if shards.is_empty() {
        return Vec::new();
    }
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    for shard in shards {
        if !leases.contains_key(&format!("{prefix}{}", shard.id)) {
            needed.extend(shard.parents.iter().map(|id| &**id));
        }
    }
    let done = |(key, lease): &(&String, &Lease)| {
        let id = key.strip_prefix(prefix).unwrap_or_default();
        lease.is_finished() && lease.owner.is_none() && !by_id.contains_key(id) && !needed.contains(id)
    };
    leases
        .iter()
        .filter(done)
        .map(|(_, lease)| lease.clone())
        .collect()
}

/// The listed shards in the order of their generations: parents before children.
fn levels<'a>(shards: &'a [Shard], by_id: &BTreeMap<&str, &'a Shard>) -> Vec<Vec<&'a Shard>> {
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<&Shard> = shards.iter().collect();
    let mut levels = Vec::new();
    while !left.is_empty() {
        let ready = |shard: &&Shard| {
            let known = |id: &&String| by_id.contains_key(&***id);
            shard
                .parents
                .iter()
                .filter(known)
                .all(|id| placed.contains(&**id))
        };
        let (mut level, mut later): (Vec<_>, Vec<_>) = left.into_iter().partition(ready);
        if level.is_empty() {
            // Shards that are their own ancestors: no stream has them, and they must not hold us up.
            std::mem::swap(&mut level, &mut later);
        }
        placed.extend(level.iter().map(|shard| &*shard.id));
        levels.push(level);
        left = later;
    }
    levels
}

/// Every listed ancestor of `shards`.
fn ancestors<'a>(
    shards: impl Iterator<Item = &'a Shard>,
    by_id: &BTreeMap<&str, &'a Shard>,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<&Shard> = shards.collect();
    while let Some(shard) = todo.pop() {
        let parents = shard.parents.iter().filter_map(|id| by_id.get(&**id));
        todo.extend(parents.filter(|parent| found.insert(&*parent.id)));
    }
    found
}

#[cfg(test)]
mod tests;
