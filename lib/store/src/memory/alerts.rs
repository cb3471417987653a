use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use streamalert_types::{Alert, AlertId, GroupId, OutputName, Timestamp};

use crate::lease::check_fence;
use crate::standing::{PageLimit, Standing, cursor_of, place_of};
use crate::{
    Accepted, AlertFilter, AlertView, Fence, OutboxCursor, Pending, SettledDelivery, ShardId, StoreError,
    StoredAlert,
};

type Place = (Timestamp, AlertId);

/// The alerts of a [`crate::MemoryStore`] with every index that the queries need.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    fences: BTreeMap<ShardId, u64>,
    /// Of each alert the epoch that wrote it, where writes may come late; see
    /// [`crate::MemoryStore::with_late_writes`].
    written_under: Option<BTreeMap<AlertId, u64>>,
    entries: BTreeMap<AlertId, (Arc<Alert>, Standing)>,
    by_created: BTreeSet<Place>,
    outbox: BTreeMap<(ShardId, OutputName), BTreeSet<Place>>,
    grouped: BTreeSet<(ShardId, Place)>,
    tombstones: BTreeSet<(ShardId, Place)>,
}

impl Alerts {
    pub(super) fn fence(&self, shard: ShardId) -> Option<u64> {
        self.fences.get(&shard).copied()
    }

    /// Refuses older epochs from now on.
    pub(super) fn raise_fence(&mut self, shard: ShardId, epoch: u64) {
        let seen = self.fences.entry(shard).or_default();
        *seen = epoch.max(*seen);
    }

    fn check(&mut self, fence: Fence) -> Result<(), StoreError> {
        if let Some(epoch) = check_fence(fence, self.fence(fence.shard))? {
            self.fences.insert(fence.shard, epoch);
        }
        Ok(())
    }

    pub(super) fn accept(
        &mut self,
        fence: Fence,
        alerts: Vec<StoredAlert>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let checked = self.check(fence);
        if self.written_under.is_none() {
            checked.clone()?;
        }
        let accepted = alerts
            .into_iter()
            .map(|stored| self.insert_or_adopt(fence, stored))
            .collect();
        checked.map(|()| accepted)
    }

    pub(super) fn allow_late_writes(&mut self) {
        self.written_under.get_or_insert_default();
    }

    fn insert_or_adopt(&mut self, fence: Fence, stored: StoredAlert) -> Accepted {
        let id = stored.alert.id;
        let accepted = self.insert(fence.shard, stored);
        let Some(written_under) = &mut self.written_under else {
            return accepted;
        };
        let epoch = *written_under.entry(id).or_insert(fence.epoch);
        match self.entries.get(&id) {
            Some((_, standing))
                if epoch < fence.epoch && standing.shard == fence.shard && standing.is_open() =>
            {
                Accepted::Adopted {
                    pending: standing.pending.iter().cloned().collect(),
                    group: standing.group.clone(),
                }
            }
            _ => accepted,
        }
    }

    fn insert(&mut self, shard: ShardId, stored: StoredAlert) -> Accepted {
        let id = stored.alert.id;
        if self.entries.contains_key(&id) {
            return Accepted::Duplicate;
        }
        let standing = Standing::new(shard, &stored);
        let place = (standing.created, id);
        self.by_created.insert(place);
        for output in &standing.pending {
            self.outbox
                .entry((shard, output.clone()))
                .or_default()
                .insert(place);
        }
        if standing.group.is_some() {
            self.grouped.insert((shard, place));
        }
        self.entries.insert(id, (stored.alert, standing));
        Accepted::New
    }

    pub(super) fn settle(
        &mut self,
        fence: Fence,
        settled: &[SettledDelivery],
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.check(fence)?;
        for delivery in settled {
            let Some((_, standing)) = self.entries.get_mut(&delivery.alert) else {
                continue;
            };
            if standing.shard != fence.shard {
                continue;
            }
            let place = (standing.created, delivery.alert);
            if standing.settle(&delivery.output, &delivery.outcome) {
                remove_place(&mut self.outbox, (fence.shard, delivery.output.clone()), place);
            }
            if standing.bury(tombstone_until) {
                self.tombstones
                    .insert((fence.shard, (tombstone_until, delivery.alert)));
            }
        }
        Ok(())
    }

    pub(super) fn close_group(
        &mut self,
        fence: Fence,
        group: GroupId,
        members: &[AlertId],
        merged: StoredAlert,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError> {
        self.check(fence)?;
        let merged_id = merged.alert.id;
        let accepted = self.insert(fence.shard, merged);
        for id in members {
            let Some((_, standing)) = self.entries.get_mut(id) else {
                continue;
            };
            if standing.shard == fence.shard && standing.leave(group) {
                self.grouped.remove(&(fence.shard, (standing.created, *id)));
                if standing.bury(tombstone_until) {
                    self.tombstones.insert((fence.shard, (tombstone_until, *id)));
                }
            }
        }
        if accepted == Accepted::New
            && let Some((_, standing)) = self.entries.get_mut(&merged_id)
            && standing.bury(tombstone_until)
        {
            self.tombstones
                .insert((fence.shard, (tombstone_until, merged_id)));
        }
        Ok(accepted)
    }

    pub(super) fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<&OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Vec<Pending> {
        let Some(places) = self.outbox.get(&(shard, output.clone())) else {
            return Vec::new();
        };
        let from = after.and_then(place_of).map_or(Bound::Unbounded, Bound::Excluded);
        let mut limit = PageLimit::new(items_max, bytes_max);
        places
            .range((from, Bound::Unbounded))
            .map(|(created, id)| (cursor_of(*created, *id), self.alert(*id)))
            .take_while(|(_, alert)| limit.admits(alert.weight_bytes()))
            .map(|(cursor, alert)| Pending { cursor, alert })
            .collect()
    }

    fn alert(&self, id: AlertId) -> Arc<Alert> {
        self.entries
            .get(&id)
            .expect("every index entry is removed with its alert")
            .0
            .clone()
    }

    pub(super) fn backlog(&self, shard: ShardId) -> BTreeMap<OutputName, u64> {
        self.outbox
            .iter()
            .filter(|((of, _), _)| *of == shard)
            .map(|((_, output), places)| (output.clone(), places.len() as u64))
            .collect()
    }

    pub(super) fn grouped(&self, shard: ShardId, after: Option<Place>, items_max: usize) -> Vec<StoredAlert> {
        let first = (shard, (Timestamp::from_micros(i64::MIN), AlertId::from_u128(0)));
        let from = after.map_or(Bound::Included(first), |place| Bound::Excluded((shard, place)));
        self.grouped
            .range((from, Bound::Unbounded))
            .take_while(|(of, _)| *of == shard)
            .take(items_max)
            .filter_map(|(_, (_, id))| self.entries.get(id))
            .map(|(alert, standing)| standing.stored(alert.clone()))
            .collect()
    }

    pub(super) fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Vec<Arc<Alert>> {
        ids.iter()
            .filter_map(|id| self.entries.get(id))
            .filter(|(_, standing)| standing.shard == shard && standing.is_open())
            .map(|(alert, _)| alert.clone())
            .collect()
    }

    pub(super) fn expire(
        &mut self,
        fence: Fence,
        now: Timestamp,
        items_max: usize,
    ) -> Result<u64, StoreError> {
        self.check(fence)?;
        let first = (
            fence.shard,
            (Timestamp::from_micros(i64::MIN), AlertId::from_u128(0)),
        );
        let due: Vec<_> = self
            .tombstones
            .range(first..)
            .take_while(|(shard, (expires, _))| *shard == fence.shard && *expires <= now)
            .take(items_max)
            .copied()
            .collect();
        for tombstone in &due {
            self.tombstones.remove(tombstone);
            let id = tombstone.1.1;
            if let Some((_, standing)) = self.entries.remove(&id) {
                self.by_created.remove(&(standing.created, id));
            }
            if let Some(written_under) = &mut self.written_under {
                written_under.remove(&id);
            }
        }
        Ok(due.len() as u64)
    }

    pub(super) fn list(&self, filter: &AlertFilter, items_max: usize) -> Vec<AlertView> {
        let since = filter.since.unwrap_or(Timestamp::from_micros(i64::MIN));
        self.by_created
            .range((since, AlertId::from_u128(0))..)
            .rev()
            .filter_map(|(_, id)| self.entries.get(id))
            .filter(|(_, standing)| !filter.open_only || standing.is_open())
            .filter(|(alert, _)| {
                filter
                    .rule
                    .as_deref()
                    .is_none_or(|rule| rule == &*alert.rule_name)
            })
            .take(items_max)
            .map(|(alert, standing)| standing.view(alert.clone()))
            .collect()
    }

    pub(super) fn view(&self, id: AlertId) -> Option<AlertView> {
        self.entries
            .get(&id)
            .map(|(alert, standing)| standing.view(alert.clone()))
    }
}

fn remove_place(
    outbox: &mut BTreeMap<(ShardId, OutputName), BTreeSet<Place>>,
    key: (ShardId, OutputName),
    place: Place,
) {
    if let Some(places) = outbox.get_mut(&key) {
        places.remove(&place);
        if places.is_empty() {
            outbox.remove(&key);
        }
    }
}
