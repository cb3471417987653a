use std::collections::BTreeMap;
use std::time::Duration;

use streamalert_store::{Fence, SettledDelivery, ShardId, StoreError, StoredAlert};
use streamalert_types::{Alert, OutputName, Timestamp};

use crate::groups::Member;
use streamalert_detect::merge::GroupKey;

use super::{Effect, Machine, Notice, Retry};

/// Tombstones forgotten in one commit: short enough not to hold up those that accept.
const EXPIRE_ITEMS_MAX: usize = 1_000;

/// A shard that this lane has the lease of.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) epoch: u64,
    pub(super) phase: Phase,
    /// Counts loadings, so that an answer of an earlier one is recognised.
    pub(super) load: u64,
    pub(super) load_failures: u32,
    /// Accept and close calls to the store that are open.
    pub(super) writes: u32,
    /// Outcomes not yet handed to the store.
    pub(super) outcomes: Vec<SettledDelivery>,
    /// A settle call is open, with these.
    pub(super) settling: bool,
    pub(super) in_settle: Vec<SettledDelivery>,
    pub(super) settle_failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A write may or may not have happened; waits for the open calls to end, then loads.
    Quiescing,
    /// Being read from the store.
    Loading,
    /// Accepts, groups and delivers.
    Serving,
    /// Another node may have it by now; waits to learn.
    Suspended,
    /// Ends what is open, until this steady time at most; then another node goes on.
    HandingOver {
        /// Deliveries are not waited for beyond this.
        until: Timestamp,
    },
}

impl Machine {
    pub(super) fn own(&mut self, fence: Fence) {
        if self
            .shards
            .get(&fence.shard)
            .is_some_and(|owned| owned.epoch == fence.epoch)
        {
            return self.resume(fence.shard);
        }
        self.forget(fence.shard);
        let shard = Shard {
            epoch: fence.epoch,
            phase: Phase::Loading,
            load: 0,
            load_failures: 0,
            writes: 0,
            outcomes: Vec::new(),
            settling: false,
            in_settle: Vec::new(),
            settle_failures: 0,
        };
        self.shards.insert(fence.shard, shard);
        self.load(fence.shard);
    }

    pub(super) fn lose(&mut self, shard: ShardId) {
        if self.shards.contains_key(&shard) {
            self.forget(shard);
            self.notice(Notice::ShardLost(shard));
        }
    }

    /// The store refused a write for its epoch.
    pub(super) fn fenced(&mut self, shard: ShardId) {
        if let Some(fence) = self.fence(shard) {
            self.lose(shard);
            self.effects.push(Effect::LeaseLost(fence));
        }
    }

    /// A write may or may not have happened, so memory and store may differ: read the shard again once no call
    /// is open on it. Until then it accepts nothing.
    pub(super) fn reload(&mut self, shard: ShardId) {
        let Some(owned) = self.shards.get_mut(&shard) else {
            return;
        };
        if owned.phase == Phase::Serving {
            owned.phase = Phase::Quiescing;
            self.notice(Notice::Reloading(shard));
        }
        self.load_if_quiet(shard);
    }

    pub(super) fn load_if_quiet(&mut self, shard: ShardId) {
        let Some(owned) = self.shards.get_mut(&shard) else {
            return;
        };
        if owned.phase == Phase::Quiescing && owned.writes == 0 && !owned.settling {
            owned.phase = Phase::Loading;
            self.load(shard);
        }
    }

    /// Begins to load. What is outstanding at the dispatcher stays outstanding.
    pub(super) fn load(&mut self, shard: ShardId) {
        self.sequence += 1;
        let load = self.sequence;
        let Some(owned) = self
            .shards
            .get_mut(&shard)
            .filter(|owned| owned.phase == Phase::Loading)
        else {
            return;
        };
        if std::mem::replace(&mut owned.load, load) != 0 {
            self.groups.forget(shard);
            self.outbox.forget(shard, false);
            self.forget_closing(shard);
        }
        self.effects.push(Effect::LoadGrouped {
            load,
            shard,
            after: None,
        });
    }

    fn loading(&self, load: u64, shard: ShardId) -> bool {
        self.shards
            .get(&shard)
            .is_some_and(|owned| owned.load == load && owned.phase == Phase::Loading)
    }

    pub(super) fn grouped(&mut self, load: u64, shard: ShardId, page: Result<Vec<StoredAlert>, StoreError>) {
        if !self.loading(load, shard) {
            return;
        }
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.load_failed(shard, &error),
        };
        let Some(last) = page.last() else {
            self.effects.push(Effect::LoadBacklog { load, shard });
            return;
        };
        let after = Some((last.alert.created, last.alert.id));
        for stored in &page {
            if let Some(noted) = &stored.group {
                let key = GroupKey {
                    group: noted.group,
                    text: noted.key.clone(),
                };
                let member = Member {
                    first: noted.first,
                    ..self.member(&stored.alert)
                };
                if let Some(closing) = self.groups.add(shard, &stored.alert.rule_name, &key, member) {
                    self.complete(closing);
                }
            }
        }
        self.effects.push(Effect::LoadGrouped { load, shard, after });
    }

    pub(super) fn backlog(
        &mut self,
        load: u64,
        shard: ShardId,
        counts: Result<BTreeMap<OutputName, u64>, StoreError>,
    ) {
        if !self.loading(load, shard) {
            return;
        }
        let counts = match counts {
            Ok(counts) => counts,
            Err(error) => return self.load_failed(shard, &error),
        };
        self.note_store(None);
        self.outbox.load(shard, counts);
        if let Some(owned) = self.shards.get_mut(&shard) {
            owned.phase = Phase::Serving;
            owned.load_failures = 0;
            self.unsettled.insert(shard);
        }
        self.notice(Notice::Serving(shard));
    }

    fn load_failed(&mut self, shard: ShardId, error: &StoreError) {
        self.note_store(Some(error));
        if let Some(owned) = self.shards.get_mut(&shard) {
            owned.load_failures = owned.load_failures.saturating_add(1);
            let failures = owned.load_failures;
            self.retry(failures, Retry::Load(shard));
        }
    }

    /// Nothing of the shard remains in memory.
    pub(super) fn forget(&mut self, shard: ShardId) {
        self.shards.remove(&shard);
        self.handing_over.remove(&shard);
        self.unsettled.remove(&shard);
        self.groups.forget(shard);
        self.outbox.forget(shard, true);
        self.forget_closing(shard);
    }

    pub(super) fn forget_closing(&mut self, shard: ShardId) {
        self.ready.retain(|closing| closing.shard != shard);
        self.retries
            .retain(|_, retry| !matches!(retry, Retry::Close(closing) if closing.shard == shard));
    }

    /// What memory keeps of an alert in a group.
    pub(super) fn member(&self, alert: &Alert) -> Member {
        let window = Duration::from_secs(u64::from(alert.merge_window_mins) * 60) + self.options.window_grace;
        Member {
            created: alert.created,
            id: alert.id,
            window_mins: alert.merge_window_mins,
            weight_bytes: u32::try_from(alert.weight_bytes()).unwrap_or(u32::MAX),
            due: self.clock.due(alert.created.plus(window), window),
            first: false,
        }
    }

    pub(super) fn expire_by_timer(&mut self, now: Timestamp) {
        if now >= self.expire_due && self.expire_next.is_empty() && !self.draining {
            // The first look is one period after the start.
            if self.expire_due != Timestamp::EPOCH {
                self.expire_next.extend(self.shards.keys());
            }
            self.expire_due = now.plus(self.options.expire_every);
        }
        self.expire();
    }

    fn expire(&mut self) {
        while !self.expiring && !self.draining {
            let Some(shard) = self.expire_next.front().copied() else {
                return;
            };
            if !self.is_served(shard) {
                self.expire_next.pop_front();
            } else if let Some(fence) = self.fence(shard) {
                self.expiring = true;
                self.effects.push(Effect::Expire {
                    fence,
                    items_max: EXPIRE_ITEMS_MAX,
                });
            }
        }
    }

    pub(super) fn expired(&mut self, shard: ShardId, result: Result<u64, StoreError>) {
        self.expiring = false;
        self.note_store(result.as_ref().err());
        match result {
            Ok(count) => {
                self.stats.expired += count;
                if count < EXPIRE_ITEMS_MAX as u64 {
                    self.expire_next.pop_front();
                }
                self.expire();
            }
            Err(StoreError::Fenced { .. }) => {
                self.expire_next.pop_front();
                self.fenced(shard);
                self.expire();
            }
            // The rest waits for the next period: nothing hangs on it.
            Err(_) => self.expire_next.clear(),
        }
    }
}
