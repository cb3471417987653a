use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;
use std::sync::Arc;

use streamalert_types::{Alert, AlertId, GroupId, IdMap, OutputName, Timestamp};

use crate::lease::check_fence;
use crate::standing::{PageLimit, Standing, cursor_of, place_of};
use crate::{
    Accepted, AlertFilter, AlertView, DeliveryState, Fence, OutboxCursor, Pending, SettledDelivery, ShardId,
    StoreError, StoredAlert,
};

type Place = (Timestamp, AlertId);

/// The alerts of one shard of a [`crate::MemoryStore`] with every index that the queries need. What is found by id
/// alone is in hash maps; the rest is ordered, so that no answer depends on hashing.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    fence: Option<u64>,
    /// Of each alert the epoch that wrote it, where writes may come late; see
    /// [`crate::MemoryStore::with_late_writes`].
    written_under: Option<IdMap<AlertId, u64>>,
    entries: IdMap<AlertId, (Arc<Alert>, Standing)>,
    outbox: BTreeMap<OutputName, BTreeSet<Place>>,
    grouped: BTreeSet<Place>,
    /// By the time that they are kept until, the first on top.
    tombstones: BinaryHeap<Reverse<Place>>,
}

impl Alerts {
    pub(super) fn fence(&self) -> Option<u64> {
        self.fence
    }

    /// Refuses older epochs from now on.
    pub(super) fn raise_fence(&mut self, epoch: u64) {
        self.fence = self.fence.max(Some(epoch));
    }

    fn check(&mut self, fence: Fence) -> Result<(), StoreError> {
        if let Some(epoch) = check_fence(fence, self.fence)? {
            self.fence = Some(epoch);
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
            Some((_, standing)) if epoch < fence.epoch && standing.is_open() => Accepted::Adopted {
                pending: standing.pending.iter().cloned().collect(),
                group: standing.group.clone(),
            },
            _ => accepted,
        }
    }

    fn insert(&mut self, shard: ShardId, stored: StoredAlert) -> Accepted {
        let id = stored.alert.id;
        let Entry::Vacant(entry) = self.entries.entry(id) else {
            return Accepted::Duplicate;
        };
        let (alert, standing) = Standing::of(shard, stored);
        let place = (standing.created, id);
        for output in &standing.pending {
            if !self.outbox.contains_key(output) {
                self.outbox.insert(output.clone(), BTreeSet::new());
            }
            if let Some(places) = self.outbox.get_mut(output) {
                places.insert(place);
            }
        }
        if standing.group.is_some() {
            self.grouped.insert(place);
        }
        entry.insert((alert, standing));
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
            if standing.settle(&delivery.output, &delivery.outcome)
                && let Some(places) = self.outbox.get_mut(&delivery.output)
            {
                places.remove(&(standing.created, delivery.alert));
            }
            if standing.bury(tombstone_until) {
                self.tombstones.push(Reverse((tombstone_until, delivery.alert)));
            }
        }
        Ok(())
    }

    pub(super) fn close_group(
        &mut self,
        fence: Fence,
        group: GroupId,
        members: &[AlertId],
        merged: Option<StoredAlert>,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError> {
        self.check(fence)?;
        let merged_id = merged.as_ref().map(|merged| merged.alert.id);
        let accepted = merged.map_or(Accepted::New, |merged| self.insert(fence.shard, merged));
        for id in members {
            let Some((_, standing)) = self.entries.get_mut(id) else {
                continue;
            };
            if standing.leave(group) {
                self.grouped.remove(&(standing.created, *id));
                if standing.bury(tombstone_until) {
                    self.tombstones.push(Reverse((tombstone_until, *id)));
                }
            }
        }
        if accepted == Accepted::New
            && let Some(merged_id) = merged_id
            && let Some((_, standing)) = self.entries.get_mut(&merged_id)
            && standing.bury(tombstone_until)
        {
            self.tombstones.push(Reverse((tombstone_until, merged_id)));
        }
        Ok(accepted)
    }

    pub(super) fn pending(
        &self,
        output: &OutputName,
        after: Option<&OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Vec<Pending> {
        let Some(places) = self.outbox.get(output) else {
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

    pub(super) fn backlog(&self) -> BTreeMap<OutputName, u64> {
        let some = self.outbox.iter().filter(|(_, places)| !places.is_empty());
        some.map(|(output, places)| (output.clone(), places.len() as u64))
            .collect()
    }

    pub(super) fn grouped(&self, after: Option<Place>, items_max: usize) -> Vec<StoredAlert> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.grouped
            .range((from, Bound::Unbounded))
            .take(items_max)
            .filter_map(|(_, id)| self.entries.get(id))
            .map(|(alert, standing)| standing.stored(alert.clone()))
            .collect()
    }

    pub(super) fn fetch(&self, ids: &[AlertId]) -> Vec<Arc<Alert>> {
        ids.iter()
            .filter_map(|id| self.entries.get(id))
            .filter(|(_, standing)| standing.is_open())
            .map(|(alert, _)| alert.clone())
            .collect()
    }

    pub(super) fn delivery(&self, id: AlertId, output: &OutputName) -> DeliveryState {
        let known = self.entries.get(&id);
        known.map_or(DeliveryState::Unknown, |(_, standing)| standing.delivery(output))
    }

    pub(super) fn expire(
        &mut self,
        fence: Fence,
        now: Timestamp,
        items_max: usize,
    ) -> Result<u64, StoreError> {
        self.check(fence)?;
        let mut count = 0;
        while count < items_max
            && let Some(first) = self.tombstones.peek_mut().filter(|first| first.0.0 <= now)
        {
            let Reverse((_, id)) = PeekMut::pop(first);
            self.entries.remove(&id);
            if let Some(written_under) = &mut self.written_under {
                written_under.remove(&id);
            }
            count += 1;
        }
        Ok(count as u64)
    }

    /// In no order.
    pub(super) fn matching<'a>(
        &'a self,
        filter: &'a AlertFilter,
    ) -> impl Iterator<Item = &'a (Arc<Alert>, Standing)> {
        let since = filter.since.unwrap_or(Timestamp::from_micros(i64::MIN));
        let rule = |alert: &Alert| {
            filter
                .rule
                .as_deref()
                .is_none_or(|rule| rule == &*alert.rule_name)
        };
        self.entries.values().filter(move |(alert, standing)| {
            standing.created >= since && (!filter.open_only || standing.is_open()) && rule(alert)
        })
    }

    pub(super) fn view(&self, id: AlertId) -> Option<AlertView> {
        self.entries
            .get(&id)
            .map(|(alert, standing)| standing.view(alert.clone()))
    }
}
