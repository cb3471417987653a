use std::collections::BTreeSet;

use streamalert_proto::NotOwned;
use streamalert_store::{GroupMember, ShardId};
use streamalert_types::{AlertId, OutputName};

use super::{Effect, Machine, Notice, Phase, Retry};

impl Machine {
    /// Another node may have the shard by now. What is outstanding at the dispatcher stays known, so that nothing is
    /// delivered twice if nobody has.
    pub(super) fn suspend(&mut self, shard: ShardId) {
        if let Some(owned) = self.shards.get_mut(&shard) {
            owned.phase = Phase::Suspended;
            self.handing_over.remove(&shard);
            self.notice(Notice::Suspended(shard));
        }
    }

    /// Nobody else has had it: what was open meanwhile may have happened or not, so it is read again.
    pub(super) fn resume(&mut self, shard: ShardId) {
        let Some(owned) = self.shards.get_mut(&shard) else {
            return;
        };
        if matches!(owned.phase, Phase::Suspended | Phase::HandingOver { .. }) {
            owned.phase = Phase::Quiescing;
            self.handing_over.remove(&shard);
            self.load_if_quiet(shard);
        }
    }

    /// Begins nothing more for the shard: no accept, no group, no delivery. What waits to be delivered again waits
    /// for the next owner.
    pub(super) fn hand_over(&mut self, shard: ShardId) {
        let until = self.clock.now().plus(self.options.drain_patience);
        let Some(owned) = self.shards.get_mut(&shard) else {
            self.effects.push(Effect::HandedOver(shard));
            return;
        };
        owned.phase = Phase::HandingOver { until };
        self.handing_over.insert(shard);
        self.unsettled.insert(shard);
        self.forget_closing(shard);
        for retry in self.retries.values() {
            if let Retry::Deliver(alert, output) = retry
                && self.outbox.shard_of(*alert, output) == Some(shard)
            {
                self.outbox.settled(*alert, output);
            }
        }
        let outbox = &mut self.outbox;
        self.held.retain(|(_, output), alert| {
            let ours = outbox.shard_of(*alert, output) == Some(shard);
            if ours {
                outbox.settled(*alert, output);
            }
            !ours
        });
    }

    pub(super) fn is_handing_over(&self, alert: AlertId, output: &OutputName) -> bool {
        !self.handing_over.is_empty()
            && self
                .outbox
                .shard_of(alert, output)
                .is_some_and(|shard| self.handing_over.contains(&shard))
    }

    /// Shards are handed over when no call is open, every known outcome is written, and none is to be expected
    /// soon. A store that does not answer ends it too: the next owner reads what is there.
    pub(super) fn finish_hand_overs(&mut self) {
        if self.handing_over.is_empty() {
            return;
        }
        let (now, patience) = (self.clock.now(), self.options.drain_patience);
        let outstanding: BTreeSet<ShardId> = self.outbox.outstanding_shards();
        let ended = |shard: &&ShardId| {
            let Some(owned) = self.shards.get(*shard) else {
                return true;
            };
            let Phase::HandingOver { until } = owned.phase else {
                return true;
            };
            let settled = owned.writes == 0 && !owned.settling && owned.outcomes.is_empty();
            let quiet = now >= until || !outstanding.contains(*shard);
            (settled && quiet) || now >= until.plus(patience)
        };
        let ended: Vec<ShardId> = self.handing_over.iter().filter(ended).copied().collect();
        for shard in ended {
            self.forget(shard);
            self.effects.push(Effect::HandedOver(shard));
        }
    }

    /// Why alerts of the shard are not accepted: it is another node's, or it is not ready yet.
    pub(super) fn not_owned(&self, shard: ShardId) -> Option<NotOwned> {
        let ours = self
            .shards
            .get(&shard)
            .is_some_and(|owned| matches!(owned.phase, Phase::Quiescing | Phase::Loading | Phase::Serving));
        (!ours).then_some(NotOwned {
            shard: shard.0,
            address: None,
        })
    }

    /// The store knows this alert as one of an earlier owner. Most were loaded with the shard; one that was written
    /// after that is known to nobody yet. Answers whether the shard must be loaded again for it.
    pub(super) fn adopt(
        &mut self,
        shard: ShardId,
        alert: AlertId,
        pending: &[OutputName],
        group: Option<&GroupMember>,
    ) -> bool {
        for output in pending {
            self.outbox.adopt(shard, alert, output);
        }
        let closing = || {
            let ready = self.ready.iter();
            let closes = self.closes.values().map(|call| &*call.group);
            let retries = self.retries.values().filter_map(|retry| match retry {
                Retry::Close(closing) => Some(closing),
                _ => None,
            });
            ready.chain(closes).chain(retries)
        };
        group.is_some_and(|noted| {
            let same = closing().filter(|closing| closing.noted_as == noted.group);
            !self.groups.contains(noted.group, alert)
                && !same
                    .into_iter()
                    .any(|closing| closing.members.iter().any(|member| member.id == alert))
        })
    }
}
