use std::iter;
use std::sync::{Arc, LazyLock};

use streamalert_proto::NeighbourError;
use streamalert_store::{Accepted, GroupMember, ShardId, StoreError, StoredAlert};
use streamalert_types::{Alert, OutputName};

use streamalert_detect::merge::{GroupKey, Routed};

use super::{Effect, Machine, Notice};
use crate::groups::Member;

/// A batch that is being made durable, one store call per shard.
#[derive(Debug, Default)]
pub(super) struct Batch {
    calls: u32,
    error: Option<NeighbourError>,
}

/// One call to the store.
#[derive(Debug)]
pub(super) struct AcceptCall {
    batch: u64,
    pub(super) shard: ShardId,
    pub(super) epoch: u64,
    pub(super) alerts: Vec<Arriving>,
}

/// An alert that is being made durable.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) alert: Arc<Alert>,
    key: Option<GroupKey>,
    /// It opens its group, and goes out at once.
    first: bool,
}

/// Where an alert goes on its own account, at once: everywhere, but only to the history while it waits in a
/// group or when its rule is being tried out.
pub(crate) fn pending_outputs(alert: &Alert, grouped: bool) -> impl Iterator<Item = &OutputName> {
    static HISTORY: LazyLock<OutputName> = LazyLock::new(OutputName::history);
    let history = grouped || alert.staged || alert.outputs.is_empty();
    let only = history.then(|| &*HISTORY);
    let all = (!history).then(|| alert.outputs.iter());
    only.into_iter().chain(all.into_iter().flatten())
}

impl Machine {
    pub(super) fn arrived(&mut self, batch: u64, mut alerts: Vec<Routed>) {
        let mut progress = Batch::default();
        let mut not_owned = Vec::new();
        // Stable: within a shard they stay in the order of their arrival.
        alerts.sort_by_key(|routed| routed.shard);
        let mut alerts = alerts.into_iter().peekable();
        while let Some(first) = alerts.next() {
            let shard = first.shard;
            let others = iter::from_fn(|| alerts.next_if(|routed| routed.shard == shard));
            let part = iter::once(first).chain(others);
            let served = self.is_served(shard) && !self.draining;
            if let Some(owned) = self.shards.get_mut(&shard).filter(|_| served) {
                owned.writes += 1;
                progress.calls += 1;
                self.accept(batch, shard, part);
                continue;
            }
            part.for_each(drop);
            if self.draining {
                progress
                    .error
                    .get_or_insert_with(|| Self::unavailable("draining"));
            } else if let Some(shard) = self.not_owned(shard) {
                not_owned.push(shard);
            } else {
                progress
                    .error
                    .get_or_insert_with(|| Self::unavailable("shard is being loaded"));
            }
        }
        if !not_owned.is_empty() {
            progress.error = Some(NeighbourError::NotOwner {
                service: "merger",
                shards: not_owned,
            });
        }
        if progress.calls == 0 {
            self.effects.push(Effect::Reply {
                batch,
                result: progress.error.map_or(Ok(()), Err),
            });
        } else {
            self.batches.insert(batch, progress);
        }
    }

    fn accept(&mut self, batch: u64, shard: ShardId, part: impl Iterator<Item = Routed>) {
        let Some(fence) = self.fence(shard) else { return };
        let mut stored = Vec::new();
        let mut alerts = Vec::new();
        for routed in part {
            let first = self.opens(&routed);
            let pending = pending_outputs(&routed.alert, routed.group.is_some() && !first);
            let group = routed.group.as_ref().map(|key| GroupMember {
                group: key.group,
                key: Arc::clone(&key.text),
                first,
            });
            stored.push(StoredAlert {
                pending: pending.cloned().collect(),
                alert: Arc::clone(&routed.alert),
                group,
            });
            alerts.push(Arriving {
                alert: routed.alert,
                key: routed.group,
                first,
            });
        }
        let call = self.next_call();
        self.accepts.insert(
            call,
            AcceptCall {
                batch,
                shard,
                epoch: fence.epoch,
                alerts,
            },
        );
        self.effects.push(Effect::Accept {
            call,
            fence,
            alerts: stored,
        });
    }

    pub(super) fn accepted(&mut self, call: u64, result: Result<Vec<Accepted>, StoreError>) {
        let Some(AcceptCall {
            batch,
            shard,
            epoch,
            alerts,
        }) = self.accepts.remove(&call)
        else {
            return;
        };
        self.note_store(result.as_ref().err());
        for arriving in alerts.iter().filter(|arriving| arriving.first) {
            if let Some(key) = &arriving.key {
                self.opening.remove(&key.group);
            }
        }
        // A shard that was lost meanwhile, and perhaps loaded again, has these alerts from the store.
        let ours = match self.shards.get_mut(&shard) {
            Some(owned) if owned.epoch == epoch => {
                owned.writes = owned.writes.saturating_sub(1);
                true
            }
            _ => false,
        };
        let error = match result {
            Ok(results) if ours => {
                let mut unknown = false;
                for (arriving, accepted) in alerts.iter().zip(results) {
                    match accepted {
                        Accepted::New => self.enter(shard, arriving),
                        Accepted::Duplicate => self.stats.duplicates += 1,
                        Accepted::Adopted { pending, group } => {
                            self.stats.duplicates += 1;
                            unknown |= self.adopt(shard, arriving.alert.id, &pending, group.as_ref());
                        }
                    }
                }
                self.hurry_without_first(&alerts);
                if unknown {
                    self.reload(shard);
                }
                self.bound_groups();
                None
            }
            Ok(_) => None,
            Err(error) => {
                if ours && matches!(error, StoreError::Fenced { .. }) {
                    self.fenced(shard);
                } else if ours && error.may_have_happened() {
                    self.reload(shard);
                }
                Some(Self::unavailable(error.to_string()))
            }
        };
        self.load_if_quiet(shard);
        self.batch_progress(batch, error);
    }

    /// Whether an alert is the first of a group, and goes out at once. From now on until it is durable, others of its
    /// key are not.
    fn opens(&mut self, routed: &Routed) -> bool {
        let Some(key) = routed.group.as_ref().filter(|_| routed.alert.sends_first()) else {
            return false;
        };
        !self.groups.has_first(key.group, routed.alert.created) && self.opening.insert(key.group)
    }

    /// Alerts came after one that was to go out at once, and that turned out to be known and sent long ago: a replay.
    /// So that they do not wait in place of it, they go out now.
    fn hurry_without_first(&mut self, alerts: &[Arriving]) {
        let now = self.clock.now();
        for Arriving { alert, key, .. } in alerts {
            if let Some(key) = key
                && alert.sends_first()
                && !self.opening.contains(&key.group)
                && !self.groups.has_first(key.group, alert.created)
                && self.groups.contains(key.group, alert.id)
            {
                self.groups.hurry(key.group, now);
            }
        }
    }

    /// An alert has become durable.
    fn enter(&mut self, shard: ShardId, arriving: &Arriving) {
        let Arriving { alert, key, first } = arriving;
        self.stats.accepted += 1;
        if let Some(key) = key {
            let member = Member {
                first: *first,
                ..self.member(alert)
            };
            if let Some(closing) = self.groups.add(shard, &alert.rule_name, key, member) {
                self.complete(closing);
            }
        }
        for output in pending_outputs(alert, key.is_some() && !first) {
            self.send(shard, alert, output);
        }
    }

    fn bound_groups(&mut self) {
        let mut over = false;
        while let Some(closing) = self.groups.pop_over_limit() {
            over = true;
            self.stats.closed_early += 1;
            self.complete(closing);
        }
        if over && !self.early {
            self.notice(Notice::ClosingEarly);
        }
        self.early = over;
    }

    fn batch_progress(&mut self, batch: u64, error: Option<NeighbourError>) {
        let Some(progress) = self.batches.get_mut(&batch) else {
            return;
        };
        progress.calls -= 1;
        if progress.error.is_none() {
            progress.error = error;
        }
        if progress.calls == 0
            && let Some(progress) = self.batches.remove(&batch)
        {
            self.effects.push(Effect::Reply {
                batch,
                result: progress.error.map_or(Ok(()), Err),
            });
        }
    }
}
