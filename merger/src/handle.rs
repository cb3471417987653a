use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use streamalert_proto::{Alerts, NeighbourError, NotOwned};
use streamalert_store::{KeeperHandle, LeaseChurn, ShardId};
use streamalert_types::{AlertBatch, Clock, Tracer};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::lane::{Condition, Message};
use crate::leases::key;
use crate::stats::MergerStats;
use crate::traces::Acceptance;
use streamalert_detect::merge::{Routed, Router};

/// The way to a running merger. Clones reach the same one.
#[derive(Clone)]
pub struct MergerHandle {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for MergerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MergerHandle")
            .field("shards", &self.inner.shards)
            .finish_non_exhaustive()
    }
}

struct Inner {
    lanes: Vec<mpsc::Sender<Message>>,
    keeper: KeeperHandle,
    lease: Duration,
    shards: u16,
    accept_bytes: Arc<Semaphore>,
    accept_bytes_max: u32,
    drain_patience: Duration,
    draining: AtomicBool,
    tracer: Tracer,
    clock: Arc<dyn Clock>,
}

impl MergerHandle {
    pub(crate) fn new(
        lanes: Vec<mpsc::Sender<Message>>,
        keeper: KeeperHandle,
        options: &crate::MergerOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let accept_bytes_max = u32::try_from(options.accept_bytes_max.max(1)).unwrap_or(u32::MAX);
        let permits = usize::try_from(accept_bytes_max)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Self {
            inner: Arc::new(Inner {
                lanes,
                keeper,
                lease: options.lease,
                shards: options.shards,
                accept_bytes: Arc::new(Semaphore::new(permits)),
                accept_bytes_max,
                drain_patience: options.drain_patience,
                draining: AtomicBool::new(false),
                tracer: options.tracer.clone(),
                clock,
            }),
        }
    }

    /// What the merger has done and has to do.
    pub async fn stats(&self) -> MergerStats {
        let mut sum = MergerStats::default();
        for stats in self.ask(Message::Stats).await.into_iter().flatten() {
            sum.add(&stats);
        }
        sum
    }

    /// How often shards came to this merger and went.
    #[must_use]
    pub fn lease_churn(&self) -> LeaseChurn {
        self.inner.keeper.churn()
    }

    /// Whether nothing is to be delivered at this moment. Groups may be open; see
    /// [`close_groups_now`](Self::close_groups_now).
    pub async fn idle(&self) -> bool {
        self.ask(Message::Idle)
            .await
            .into_iter()
            .all(|idle| idle.unwrap_or(true))
    }

    /// Waits until nothing is to be delivered. Does not end while an output is down: the dispatcher ends its
    /// deliveries one way or the other. Also returns when the merger has ended.
    pub async fn wait_idle(&self) {
        self.ask(|done| Message::When(Condition::Idle, done)).await;
    }

    /// Closes every open group without waiting for its window, and returns when all are closed: durable as one
    /// alert each, whose delivery has begun. For the end of a run over finished input.
    ///
    /// Ids of merged alerts derive from their oldest member, so a run over the same input that closed the same
    /// groups raises nothing anew.
    pub async fn close_groups_now(&self) {
        self.ask(Message::CloseAll).await;
    }

    /// Stops in good order. With other nodes there, offers each of them its part and serves on until they have
    /// had time to see that; then, shard by shard: accepts nothing more, finishes open writes, waits for outstanding
    /// deliveries for [`crate::MergerOptions::drain_patience`], writes their outcomes and gives the lease back.
    /// Open groups and undelivered alerts stay in the store. Ends after half a term and twice the patience even
    /// when the store does not answer.
    pub async fn drain(&self) {
        let patience = self.inner.drain_patience;
        let stopped = self.inner.keeper.stop();
        let limit = self.inner.lease / 2 + patience * 2;
        if tokio::time::timeout(limit, stopped).await.is_err() {
            tracing::warn!("leases not given back, they expire by themselves");
        }
        self.inner.draining.store(true, Ordering::Release);
        self.ask(|done| Message::Drain(patience, done)).await;
    }

    pub(crate) async fn wait_serving(&self) {
        self.ask(|done| Message::When(Condition::Serving, done)).await;
    }

    /// Asks every lane; `None` for one that has ended.
    async fn ask<T>(&self, message: impl Fn(oneshot::Sender<T>) -> Message) -> Vec<Option<T>> {
        let asked = self.inner.lanes.iter().map(|lane| {
            let (reply, answer) = oneshot::channel();
            let message = message(reply);
            async move {
                lane.send(message).await.ok()?;
                answer.await.ok()
            }
        });
        join_all(asked).await
    }

    /// With where the owners are, as far as the lease table says.
    fn not_owner(&self, mut shards: Vec<NotOwned>) -> NeighbourError {
        let leases = self.inner.keeper.leases();
        for owned in &mut shards {
            let lease = leases.get(&key(ShardId(owned.shard)));
            owned.address = lease.and_then(|lease| lease.address.clone());
        }
        NeighbourError::NotOwner {
            service: "merger",
            shards,
        }
    }

    fn split(&self, batch: AlertBatch) -> Vec<Vec<Routed>> {
        let lanes = self.inner.lanes.len();
        let mut router = Router::new(self.inner.shards);
        let mut parts: Vec<Vec<Routed>> = (0..lanes).map(|_| Vec::new()).collect();
        for alert in batch.alerts {
            let (routed, problem) = router.route(alert);
            if let Some(problem) = problem {
                let alert = &routed.alert;
                tracing::warn!(
                    alert = %alert.id, rule = %alert.rule_name, trace_id = alert.trace_id(), %problem,
                    "alert is not merged"
                );
            }
            parts[usize::from(routed.shard.0) % lanes].push(routed);
        }
        parts
    }
}

fn unavailable(reason: &str) -> NeighbourError {
    NeighbourError::Unavailable {
        service: "merger",
        reason: reason.to_owned(),
    }
}

#[async_trait]
impl Alerts for MergerHandle {
    async fn accept(&self, batch: AlertBatch) -> Result<(), NeighbourError> {
        if self.inner.draining.load(Ordering::Acquire) {
            return Err(unavailable("draining"));
        }
        let mut acceptance = Acceptance::begin(&self.inner.tracer, &*self.inner.clock);
        let weight: usize = batch.alerts.iter().map(|alert| alert.weight_bytes()).sum();
        // A batch heavier than the limit goes alone.
        let weight = u32::try_from(weight)
            .unwrap_or(u32::MAX)
            .min(self.inner.accept_bytes_max);
        let permit = Arc::clone(&self.inner.accept_bytes)
            .acquire_many_owned(weight)
            .await;
        let permit = Arc::new(permit.map_err(|_| unavailable("stopped"))?);
        let mut answers = Vec::with_capacity(self.inner.lanes.len());
        let parts = self.split(batch);
        acceptance.of(&self.inner.tracer, parts.iter().flatten());
        for (lane, alerts) in self.inner.lanes.iter().zip(parts) {
            if alerts.is_empty() {
                continue;
            }
            let (reply, answer) = oneshot::channel();
            let message = Message::Accept {
                alerts,
                permit: Arc::clone(&permit),
                reply,
            };
            lane.send(message).await.map_err(|_| unavailable("stopped"))?;
            answers.push(answer);
        }
        drop(permit);
        let mut not_owned = Vec::new();
        let mut problem = None;
        for answer in join_all(answers).await {
            match answer.map_err(|_| unavailable("stopped"))? {
                Ok(()) => {}
                Err(NeighbourError::NotOwner { shards, .. }) => not_owned.extend(shards),
                Err(error) => problem = Some(error),
            }
        }
        if problem.is_none() {
            acceptance.end(&self.inner.tracer, &*self.inner.clock, &not_owned);
        }
        if !not_owned.is_empty() {
            return Err(self.not_owner(not_owned));
        }
        problem.map_or(Ok(()), Err)
    }
}
