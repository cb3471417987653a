//! The mergers as a rules-node sees them, and the defects of mutants on the way to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use streamalert_merger::MergerHandle;
use streamalert_merger::pure::Router;
use streamalert_proto::{Alerts, NeighbourError};
use streamalert_service::MergerClient;
use streamalert_types::{Alert, AlertBatch};
use tokio::time::timeout;

use crate::mutants::Mutant;
use crate::script::Rule;
use crate::world::World;

/// How long one merger is waited for before another one is asked.
const PATIENCE: Duration = Duration::from_secs(4);

/// Sends each alert to the merger that has its shard, as far as that is known.
#[derive(Clone)]
pub(crate) struct Mergers {
    pub(crate) world: World,
    pub(crate) shards: u16,
    pub(crate) clients: Vec<MergerClient>,
    /// By shard, which of them accepted last.
    pub(crate) owners: Arc<Mutex<BTreeMap<u16, usize>>>,
}

impl Mergers {
    async fn accept_part(&self, shard: u16, alerts: Vec<Arc<Alert>>) -> Result<(), NeighbourError> {
        let known = {
            let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.get(&shard).copied().unwrap_or(0)
        };
        let mut problem = NeighbourError::Unavailable {
            service: "merger",
            reason: "none answers".to_owned(),
        };
        for at in 0..self.clients.len() {
            let at = (known + at) % self.clients.len();
            let batch = AlertBatch {
                alerts: alerts.clone(),
            };
            match timeout(PATIENCE, self.clients[at].accept(batch)).await {
                Ok(Ok(())) => {
                    let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
                    owners.insert(shard, at);
                    return Ok(());
                }
                Ok(Err(error)) if error.is_retryable() => problem = error,
                Ok(Err(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Err(problem)
    }

    async fn accept_all(&self, batch: AlertBatch) -> Result<(), NeighbourError> {
        let mut router = Router::new(self.shards);
        let mut parts: BTreeMap<u16, Vec<Arc<Alert>>> = BTreeMap::new();
        for alert in batch.alerts {
            let (routed, _) = router.route(alert);
            parts.entry(routed.shard.0).or_default().push(routed.alert);
        }
        let parts = parts
            .into_iter()
            .map(|(shard, alerts)| self.accept_part(shard, alerts));
        join_all(parts).await.into_iter().collect()
    }
}

#[async_trait]
impl Alerts for Mergers {
    async fn accept(&self, mut batch: AlertBatch) -> Result<(), NeighbourError> {
        for alert in &mut batch.alerts {
            *alert = mutated(&self.world, alert);
        }
        if self.world.is(Mutant::AcksEarly) {
            let mergers = self.clone();
            tokio::spawn(async move { while mergers.accept_all(batch.clone()).await.is_err() {} });
            return Ok(());
        }
        self.accept_all(batch).await
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
