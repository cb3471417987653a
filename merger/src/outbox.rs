use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use streamalert_store::{OutboxCursor, Pending, ShardId};
use streamalert_types::{Alert, AlertId, Delivery, IdMap, IdSet, OutputName};

/// Limits of the window of one output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowLimits {
    pub(crate) deliveries_max: usize,
    pub(crate) bytes_max: usize,
}

/// A page of one output's backlog to be read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageRequest {
    pub(crate) shard: ShardId,
    pub(crate) output: OutputName,
    pub(crate) after: Option<OutboxCursor>,
    pub(crate) items_max: usize,
    pub(crate) bytes_max: usize,
}

/// Everything that is to be delivered: per output a bounded window of deliveries at the dispatcher, and the
/// backlog that stays in the store. Outputs share nothing, so a dead one delays no other.
///
/// A delivery stays in its window until its outcome is durable. The backlog is read by scans from the oldest on,
/// which skip what is in the window; the counts are estimates that a finished scan corrects, so a wrong count
/// costs a scan, never an alert.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: WindowLimits,
    outputs: BTreeMap<OutputName, Window>,
}

#[derive(Debug, Default)]
struct Window {
    slots: IdMap<AlertId, Slot>,
    bytes: usize,
    backlog: BTreeMap<ShardId, Backlog>,
    /// A page is being read, or none is to be read for a while.
    reading: bool,
    /// Settled while a page is being read: the page may have been read before that and must not bring them
    /// back. Never more than a window holds.
    settled_since_read: IdSet<AlertId>,
    /// The shard whose backlog was read last: the next one comes next.
    last_read: Option<ShardId>,
}

#[derive(Debug)]
struct Slot {
    shard: ShardId,
    alert: Arc<Alert>,
    failures: u32,
    /// The outcome is known and being written.
    ended: bool,
}

/// What one output has in one shard of the store, beyond the window.
#[derive(Debug, Default)]
struct Backlog {
    count: u64,
    after: Option<OutboxCursor>,
    /// Came after the scan had begun; the scan may have passed their place.
    since_scan: u64,
}

impl Outbox {
    pub(crate) fn new(limits: WindowLimits) -> Self {
        Self {
            limits,
            outputs: BTreeMap::new(),
        }
    }

    /// A new durable (alert, output): to be delivered now, or left in the store.
    pub(crate) fn add(
        &mut self,
        shard: ShardId,
        alert: &Arc<Alert>,
        output: &OutputName,
    ) -> Option<Delivery> {
        let limits = self.limits;
        if !self.outputs.contains_key(output) {
            self.outputs.insert(output.clone(), Window::default());
        }
        let window = self.outputs.get_mut(output)?;
        if window.backlog.is_empty() && window.has_room(limits, alert.weight_bytes()) {
            return window.take(shard, alert, output);
        }
        let backlog = window.backlog.entry(shard).or_default();
        backlog.count += 1;
        backlog.since_scan += 1;
        None
    }

    /// An alert that the store knows as undelivered and that may be known here or not: unless it is outstanding, the
    /// next scan of the backlog looks for it. The scan passes over what ends meanwhile, so none goes out twice.
    pub(crate) fn adopt(&mut self, shard: ShardId, alert: AlertId, output: &OutputName) {
        let window = self.outputs.entry(output.clone()).or_default();
        if !window.slots.contains_key(&alert) {
            let backlog = window.backlog.entry(shard).or_default();
            backlog.count += 1;
            backlog.since_scan += 1;
        }
    }

    /// The shard of an outstanding delivery.
    pub(crate) fn shard_of(&self, alert: AlertId, output: &OutputName) -> Option<ShardId> {
        Some(self.outputs.get(output)?.slots.get(&alert)?.shard)
    }

    /// Shards with deliveries whose outcome is not known yet.
    pub(crate) fn outstanding_shards(&self) -> BTreeSet<ShardId> {
        let slots = self.outputs.values().flat_map(|window| window.slots.values());
        slots.filter(|slot| !slot.ended).map(|slot| slot.shard).collect()
    }

    /// What the store has undelivered of a shard just loaded, by output.
    pub(crate) fn load(&mut self, shard: ShardId, counts: BTreeMap<OutputName, u64>) {
        for (output, count) in counts {
            let window = self.outputs.entry(output).or_default();
            let known = window.slots.values().filter(|slot| slot.shard == shard).count() as u64;
            let count = count.saturating_sub(known);
            window.backlog.insert(
                shard,
                Backlog {
                    count,
                    after: None,
                    since_scan: 0,
                },
            );
        }
    }

    /// Forgets a shard's backlog, and with `deliveries` what is outstanding of it as well.
    pub(crate) fn forget(&mut self, shard: ShardId, deliveries: bool) {
        for window in self.outputs.values_mut() {
            window.backlog.remove(&shard);
            if deliveries {
                let bytes = &mut window.bytes;
                window.slots.retain(|_, slot| {
                    let keep = slot.shard != shard;
                    if !keep {
                        *bytes -= slot.alert.weight_bytes();
                    }
                    keep
                });
            }
        }
    }

    /// Pages worth reading now: one per output at a time, when half of its window is free. `readable` tells
    /// whether a shard is ours.
    pub(crate) fn pages(&mut self, readable: impl Fn(ShardId) -> bool) -> Vec<PageRequest> {
        let limits = self.limits;
        let mut pages = Vec::new();
        for (output, window) in &mut self.outputs {
            if window.reading || window.backlog.is_empty() {
                continue;
            }
            if window.slots.len() * 2 > limits.deliveries_max || window.bytes * 2 > limits.bytes_max {
                continue;
            }
            let Some(shard) = window.next_shard(&readable) else {
                continue;
            };
            let Some(backlog) = window.backlog.get_mut(&shard) else {
                continue;
            };
            if backlog.after.is_none() {
                backlog.since_scan = 0;
            }
            window.reading = true;
            window.last_read = Some(shard);
            pages.push(PageRequest {
                shard,
                output: output.clone(),
                after: backlog.after.clone(),
                items_max: (limits.deliveries_max - window.slots.len()).max(1),
                bytes_max: (limits.bytes_max - window.bytes).max(1),
            });
        }
        pages
    }

    /// A page has been read: what of it is to be delivered. `arriving` are alerts whose commit is not confirmed
    /// yet; the store shows them already, but they enter the outbox with their confirmation, not twice. When one of
    /// these was met the second answer is true: read no further until [`Outbox::resume`], as the next page would
    /// say the same until the commit is confirmed.
    pub(crate) fn page(
        &mut self,
        shard: ShardId,
        output: &OutputName,
        items: Vec<Pending>,
        arriving: &IdSet<AlertId>,
    ) -> (Vec<Delivery>, bool) {
        let Some(window) = self.outputs.get_mut(output) else {
            return (Vec::new(), false);
        };
        window.reading = false;
        let settled = std::mem::take(&mut window.settled_since_read);
        let Some(backlog) = window.backlog.get_mut(&shard) else {
            return (Vec::new(), false);
        };
        let Some(last) = items.last() else {
            backlog.after = None;
            backlog.count = backlog.since_scan;
            if backlog.count == 0 {
                window.backlog.remove(&shard);
            }
            return (Vec::new(), false);
        };
        backlog.after = Some(last.cursor.clone());
        let (mut found, mut passed) = (0, 0);
        let mut deliveries = Vec::with_capacity(items.len());
        for item in items {
            if settled.contains(&item.alert.id) {
                continue;
            }
            if arriving.contains(&item.alert.id) {
                passed += 1;
            } else if let Some(delivery) = window.take(shard, &item.alert, output) {
                found += 1;
                deliveries.push(delivery);
            }
        }
        if let Some(backlog) = window.backlog.get_mut(&shard) {
            backlog.count = backlog.count.saturating_sub(found);
            backlog.since_scan += passed;
        }
        window.reading = passed > 0;
        (deliveries, passed > 0)
    }

    /// Pages may be read again: the last one could not be read, or counted for nothing because its shard was lost or
    /// loaded again meanwhile, or the pause after it is over.
    pub(crate) fn resume(&mut self, output: &OutputName) {
        if let Some(window) = self.outputs.get_mut(output) {
            window.reading = false;
            window.settled_since_read.clear();
        }
    }

    /// A delivery has its outcome; answers its shard. `None` when it is not outstanding any more.
    pub(crate) fn ended(&mut self, alert: AlertId, output: &OutputName) -> Option<ShardId> {
        let slot = self.outputs.get_mut(output)?.slots.get_mut(&alert)?;
        if std::mem::replace(&mut slot.ended, true) {
            None
        } else {
            Some(slot.shard)
        }
    }

    /// A delivery was not taken by the dispatcher; answers how often in a row now.
    pub(crate) fn failed(&mut self, alert: AlertId, output: &OutputName) -> Option<u32> {
        let slot = self.outputs.get_mut(output)?.slots.get_mut(&alert)?;
        slot.failures = slot.failures.saturating_add(1);
        Some(slot.failures)
    }

    /// The same delivery once more, unless it is gone.
    pub(crate) fn again(&self, alert: AlertId, output: &OutputName) -> Option<Delivery> {
        let slot = self.outputs.get(output)?.slots.get(&alert)?;
        Some(Delivery {
            alert: Arc::clone(&slot.alert),
            output: output.clone(),
            update: None,
        })
    }

    /// The outcome is durable.
    pub(crate) fn settled(&mut self, alert: AlertId, output: &OutputName) {
        if let Some(window) = self.outputs.get_mut(output)
            && let Some(slot) = window.slots.remove(&alert)
        {
            window.bytes -= slot.alert.weight_bytes();
            if window.reading {
                window.settled_since_read.insert(alert);
            }
        }
    }

    /// Whether nothing is to be delivered.
    pub(crate) fn is_empty(&self) -> bool {
        self.outputs
            .values()
            .all(|window| window.slots.is_empty() && window.backlog.is_empty())
    }

    /// Deliveries whose outcome is not known yet.
    pub(crate) fn outstanding(&self) -> usize {
        self.outputs.values().map(Window::outstanding).sum()
    }

    /// (output, outstanding at the dispatcher, left in the store).
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&OutputName, u64, u64)> {
        self.outputs.iter().map(|(output, window)| {
            let backlog = window.backlog.values().map(|backlog| backlog.count).sum();
            (output, window.slots.len() as u64, backlog)
        })
    }
}

impl Window {
    fn has_room(&self, limits: WindowLimits, weight_bytes: usize) -> bool {
        self.slots.is_empty()
            || (self.slots.len() < limits.deliveries_max && self.bytes + weight_bytes <= limits.bytes_max)
    }

    fn take(&mut self, shard: ShardId, alert: &Arc<Alert>, output: &OutputName) -> Option<Delivery> {
        if self.slots.contains_key(&alert.id) {
            return None;
        }
        let slot = Slot {
            shard,
            alert: Arc::clone(alert),
            failures: 0,
            ended: false,
        };
        self.slots.insert(alert.id, slot);
        self.bytes += alert.weight_bytes();
        Some(Delivery {
            alert: Arc::clone(alert),
            output: output.clone(),
            update: None,
        })
    }

    fn next_shard(&self, readable: impl Fn(ShardId) -> bool) -> Option<ShardId> {
        let later = self
            .backlog
            .keys()
            .filter(|shard| self.last_read.is_none_or(|last| **shard > last));
        later
            .chain(self.backlog.keys())
            .copied()
            .find(|shard| readable(*shard))
    }

    fn outstanding(&self) -> usize {
        self.slots.values().filter(|slot| !slot.ended).count()
    }
}

#[cfg(test)]
mod tests;
