use std::sync::Arc;
use std::time::Duration;

use streamalert_proto::NeighbourError;
use streamalert_store::{Fence, Pending, SettledDelivery, ShardId, StoreError};
use streamalert_types::{Alert, AlertId, DeliveryOutcome, IdSet, OutputName};

use crate::stats::OutputStats;

use super::{Effect, Machine, Notice, Phase, Retry};

/// Outcomes written in one commit.
const SETTLE_ITEMS_MAX: usize = 1_000;

/// The pause before a page that could not be read is tried again.
const PAGE_PAUSE: Duration = Duration::from_secs(1);

/// The pause after the dispatcher refused a delivery for good. It is kept and tried again, since only an operator
/// can tell what to do with it.
const REFUSED_PAUSE: Duration = Duration::from_mins(5);

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
            self.effects.push(Effect::Deliver(delivery));
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
            && !self.draining
        {
            self.effects.push(Effect::Deliver(delivery));
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
        self.effects.extend(deliveries.into_iter().map(Effect::Deliver));
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
        let accepted = accepts.flat_map(|call| call.alerts.iter().map(|(alert, _)| alert.id));
        let closes = self
            .closes
            .values()
            .filter(|call| call.group.shard == shard && Some(call.epoch) == epoch);
        accepted.chain(closes.map(super::CloseCall::merged)).collect()
    }
}
