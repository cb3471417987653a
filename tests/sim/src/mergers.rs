//! The mergers as a rules-node sees them, and the defects of mutants on the way to them.

use std::sync::Arc;

use async_trait::async_trait;
use streamalert_merger::MergerHandle;
use streamalert_proto::{Alerts, NeighbourError};
use streamalert_service::ShardedAlerts;
use streamalert_types::{Alert, AlertBatch};

use crate::mutants::Mutant;
use crate::script::Rule;
use crate::world::World;

/// All mergers, found by the lease table.
#[derive(Clone)]
pub(crate) struct Mergers {
    pub(crate) world: World,
    pub(crate) alerts: ShardedAlerts,
}

#[async_trait]
impl Alerts for Mergers {
    async fn accept(&self, mut batch: AlertBatch) -> Result<(), NeighbourError> {
        for alert in &mut batch.alerts {
            *alert = mutated(&self.world, alert);
        }
        if self.world.is(Mutant::AcksEarly) {
            let mergers = self.alerts.clone();
            tokio::spawn(async move { mergers.accept(batch).await });
            return Ok(());
        }
        self.alerts.accept(batch).await
    }
}

fn mutated(world: &World, alert: &Arc<Alert>) -> Arc<Alert> {
    let mut changed = Alert::clone(alert);
    if world.is(Mutant::MixesKeys) && alert.merge_enabled() {
        changed.merge_by_keys = Arc::from(["all".to_owned()]);
    }
    if world.is(Mutant::SendsStaged)
        && alert.staged
        && let Some(rule) = Rule::named(&alert.rule_name)
    {
        changed.staged = false;
        changed.outputs.extend(rule.outputs());
    }
    Arc::new(changed)
}

/// A merger that notes what it acknowledges.
pub(crate) struct NotedMerger {
    pub(crate) world: World,
    pub(crate) handle: MergerHandle,
}

#[async_trait]
impl Alerts for NotedMerger {
    async fn accept(&self, batch: AlertBatch) -> Result<(), NeighbourError> {
        let accepted = self.handle.accept(batch.clone()).await;
        if accepted.is_ok() {
            let mut inner = self.world.inner();
            for alert in &batch.alerts {
                if let Some(rule) = Rule::named(&alert.rule_name) {
                    inner.history.acked.insert(alert.id, rule);
                }
            }
        }
        accepted
    }
}
