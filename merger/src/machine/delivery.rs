use std::sync::Arc;
use std::time::Duration;

use streamalert_proto::NeighbourError;
use streamalert_store::{DeliveryState, Fence, Pending, SettledDelivery, ShardId, StoreError};
use streamalert_types::{Alert, AlertId, Delivery, DeliveryOutcome, IdSet, Merging, OutputName, Update};

use crate::stats::OutputStats;

use super::{Effect, Machine, Notice, Phase, Retry};

/// Outcomes written in one commit.
const SETTLE_ITEMS_MAX: usize = 1_000;

/// The pause before a page that could not be read is tried again.
const PAGE_PAUSE: Duration = Duration::from_secs(1);

/// The pause after the dispatcher refused a delivery for good. It is kept and tried again, since only an operator
/// can tell what to do with it.
const REFUSED_PAUSE: Duration = Duration::from_mins(5);

/// How often an update looks whether the outcome that it waits for is there. It is told when it is; this is for outcomes
/// that came by other ways.
const HELD_PAUSE: Duration = Duration::from_secs(30);

impl Machine {
    /// A new durable (alert, output).
    pub(super) fn send(&mut self, shard: ShardId, alert: &Arc<Alert>, output: &OutputName) {
        let leaving = self
            .shards
            .get(&shard)
            .is_some_and(|owned| matches!(owned.phase, Phase::Suspended | Phase::HandingOver { .. }));
        if self.draining || leaving {
            return;
        }
        if let Some(delivery) = self.outbox.add(shard, alert, output) {
            self.begin(shard, delivery);
        }
    }

    /// Hands a delivery over. One that goes on with an incident needs to know first what the output has of it.
    fn begin(&mut self, shard: ShardId, delivery: Delivery) {
        let effect = match delivery.alert.merging {
            Merging::Follows(first) => Effect::Look {
                shard,
                first,
                alert: delivery.alert.id,
                output: delivery.output,
            },
            Merging::Together | Merging::FirstAtOnce => Effect::Deliver(delivery),
        };
        self.effects.push(effect);
    }

    /// What an output has of an incident is known: an update goes there, or waits, or opens the incident itself where
    /// the alert that was to open it became a dead letter, or never went.
    pub(super) fn looked(
        &mut self,
        first: AlertId,
        alert: AlertId,
        output: OutputName,
        state: Result<DeliveryState, StoreError>,
    ) {
        self.note_store(state.as_ref().err());
        if self.draining || self.is_handing_over(alert, &output) {
            return self.outbox.settled(alert, &output);
        }
        let update = match state {
            Ok(DeliveryState::Pending) => {
                self.held.insert((first, output.clone()), alert);
                return self.retry_after(HELD_PAUSE, Retry::Held(first, output));
            }
            Ok(DeliveryState::Ended(outcome)) => Update::of(&outcome),
            Ok(DeliveryState::Unknown) => None,
            Err(_) => {
                if let Some(failures) = self.outbox.failed(alert, &output) {
                    self.retry(failures, Retry::Deliver(alert, output));
                }
                return;
            }
        };
        if let Some(delivery) = self.outbox.again(alert, &output) {
            self.effects
                .push(Effect::Deliver(Delivery { update, ..delivery }));
        }
    }

    /// An outcome may be known now: who waits for it looks again.
    pub(super) fn let_go(&mut self, first: AlertId, output: &OutputName) {
        if !self.held.is_empty()
            && let Some(alert) = self.held.remove(&(first, output.clone()))
        {
            self.deliver_again(alert, output);
        }
    }

    /// Nothing new begins. What waits to be delivered again waits for the next start.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        for retry in self.retries.values() {
            if let Retry::Deliver(alert, output) = retry {
                self.outbox.settled(*alert, output);
            }
        }
        for ((_, output), alert) in std::mem::take(&mut self.held) {
            self.outbox.settled(alert, &output);
        }
    }

    pub(super) fn delivered(
        &mut self,
        alert: AlertId,
        output: OutputName,
        result: Result<DeliveryOutcome, NeighbourError>,
    ) {
        match result {
            Ok(outcome) => {
                self.note_dispatcher(None);
                let Some(shard) = self.outbox.ended(alert, &output) else {
                    return;
                };
                let figures = self.figures(&output);
                match &outcome {
                    DeliveryOutcome::Delivered { .. } => figures.delivered += 1,
                    DeliveryOutcome::DeadLettered { .. } => figures.dead_lettered += 1,
                }
                if let Some(owned) = self.shards.get_mut(&shard) {
                    owned.outcomes.push(SettledDelivery {
                        alert,
                        output,
                        outcome,
                    });
                    self.unsettled.insert(shard);
                }
            }
            Err(_) if self.draining || self.is_handing_over(alert, &output) => {
                self.outbox.settled(alert, &output)
            }
            Err(error) => {
                let Some(failures) = self.outbox.failed(alert, &output) else {
                    return;
                };
                if let NeighbourError::Refused { reason, .. } = error {
                    self.figures(&output).refused += 1;
                    self.notice(Notice::Refused {
                        alert,
                        output: output.clone(),
                        reason,
                    });
                    self.retry_after(REFUSED_PAUSE, Retry::Deliver(alert, output));
                } else {
                    self.note_dispatcher(Some(&error));
                    self.retry(failures, Retry::Deliver(alert, output));
                }
            }
        }
    }

    fn figures(&mut self, output: &OutputName) -> &mut OutputStats {
        self.stats.outputs.entry(output.clone()).or_default()
    }

    pub(super) fn deliver_again(&mut self, alert: AlertId, output: &OutputName) {
        if let Some(delivery) = self.outbox.again(alert, output)
            && let Some(shard) = self.outbox.shard_of(alert, output)
            && !self.draining
        {
            self.begin(shard, delivery);
        }
    }

    /// Writes the outcomes that have gathered: one open call per shard, the next takes what gathers meanwhile.
    pub(super) fn settle_outcomes(&mut self) {
        let tombstone_until = self.tombstone_until();
        for shard in std::mem::take(&mut self.unsettled) {
            let Some(fence) = self.fence(shard) else { continue };
            let Some(owned) = self.shards.get_mut(&shard) else {
                continue;
            };
            // Elsewhere the end of the call or of the loading looks again.
            let writes = matches!(owned.phase, Phase::Serving | Phase::HandingOver { .. });
            if owned.settling || !writes || owned.outcomes.is_empty() {
                continue;
            }
            owned.settling = true;
            let count = owned.outcomes.len().min(SETTLE_ITEMS_MAX);
            owned.in_settle.extend(owned.outcomes.drain(..count));
            let settled = owned.in_settle.clone();
            self.effects.push(Effect::Settle {
                fence,
                settled,
                tombstone_until,
            });
        }
    }

    pub(super) fn settled(&mut self, fence: Fence, result: Result<(), StoreError>) {
        let shard = fence.shard;
        self.note_store(result.as_ref().err());
        let Some(owned) = self
            .shards
            .get_mut(&shard)
            .filter(|owned| owned.epoch == fence.epoch)
        else {
            return;
        };
        owned.settling = false;
        let batch = std::mem::take(&mut owned.in_settle);
        match result {
            Ok(()) => {
                owned.settle_failures = 0;
                for settled in batch {
                    self.outbox.settled(settled.alert, &settled.output);
                    self.let_go(settled.alert, &settled.output);
                }
                self.unsettled.insert(shard);
            }
            Err(StoreError::Fenced { .. }) => self.fenced(shard),
            // Repeating it is harmless, whether or not it happened.
            Err(_) => {
                owned.outcomes.splice(0..0, batch);
                owned.settle_failures = owned.settle_failures.saturating_add(1);
                let failures = owned.settle_failures;
                self.retry(failures, Retry::Settle(shard));
            }
        }
        self.load_if_quiet(shard);
    }

    pub(super) fn read_pages(&mut self) {
        if self.draining {
            return;
        }
        let shards = &self.shards;
        let served = |shard: ShardId| {
            shards
                .get(&shard)
                .is_some_and(|owned| owned.phase == Phase::Serving)
        };
        for request in self.outbox.pages(served) {
            let load = self.shards.get(&request.shard).map_or(0, |owned| owned.load);
            self.effects.push(Effect::Page {
                load,
                shard: request.shard,
                output: request.output,
                after: request.after,
                items_max: request.items_max,
                bytes_max: request.bytes_max,
            });
        }
    }

    pub(super) fn paged(
        &mut self,
        load: u64,
        shard: ShardId,
        output: OutputName,
        page: Result<Vec<Pending>, StoreError>,
    ) {
        self.note_store(page.as_ref().err());
        let current = self
            .shards
            .get(&shard)
            .is_some_and(|owned| owned.load == load && owned.phase == Phase::Serving);
        let items = match page {
            Ok(items) if current => items,
            Ok(_) => return self.outbox.resume(&output),
            // The output counts as being read until then.
            Err(_) => return self.retry_after(PAGE_PAUSE, Retry::Page(output)),
        };
        if self.draining {
            return;
        }
        let arriving = self.arriving(shard);
        let (deliveries, pause) = self.outbox.page(shard, &output, items, &arriving);
        for delivery in deliveries {
            self.begin(shard, delivery);
        }
        if pause {
            self.retry(1, Retry::Page(output));
        }
    }

    /// Alerts of open calls: the store may show them before it has answered. Calls of an earlier epoch do not count,
    /// as their answers add nothing.
    fn arriving(&self, shard: ShardId) -> IdSet<AlertId> {
        let epoch = self.shards.get(&shard).map(|owned| owned.epoch);
        let accepts = self
            .accepts
            .values()
            .filter(|call| call.shard == shard && Some(call.epoch) == epoch);
        let accepted = accepts.flat_map(|call| call.alerts.iter().map(|arriving| arriving.alert.id));
        let closes = self
            .closes
            .values()
            .filter(|call| call.group.shard == shard && Some(call.epoch) == epoch);
        accepted.chain(closes.map(super::CloseCall::merged)).collect()
    }
}
