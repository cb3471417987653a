//! Takes, renews and gives back the leases of the shards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use streamalert_store::{Fence, Lease, LeaseStore, ShardId, StoreError};
use streamalert_types::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::lane::Message;
use crate::service::StartError;

/// Lease calls open at the same time: enough that a store with group commit writes all in a few commits.
const CALLS_MAX: usize = 64;

/// The pause between two attempts to take leases that others hold.
const ACQUIRE_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the leases of this node.
pub(crate) struct Keeper {
    pub(crate) store: Arc<dyn LeaseStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) node: String,
    pub(crate) duration: Duration,
    pub(crate) lanes: Vec<mpsc::Sender<Message>>,
    pub(crate) held: BTreeMap<ShardId, Lease>,
    /// Shards that are to be ours and are not.
    pub(crate) wanted: BTreeSet<ShardId>,
    /// Shards whose writes the store refused.
    pub(crate) lost: mpsc::UnboundedReceiver<ShardId>,
    /// Asks for the leases to be given back; answered when that is done.
    pub(crate) release: mpsc::Receiver<oneshot::Sender<()>>,
}

impl Keeper {
    /// Takes all leases. Waits for those that another node holds until they would have expired twice.
    pub(crate) async fn take_all(&mut self) -> Result<(), StartError> {
        let deadline = Instant::now() + self.duration * 2;
        loop {
            let problem = self.acquire_wanted().await;
            if self.wanted.is_empty() {
                return Ok(());
            }
            match problem {
                Some(problem) if !problem.is_retryable() => return Err(StartError::Store(problem)),
                Some(problem) if Instant::now() >= deadline => return Err(StartError::Store(problem)),
                None if Instant::now() >= deadline => {
                    let shard = self.wanted.first().map_or(0, |shard| shard.0);
                    return Err(StartError::LeaseHeld {
                        shard,
                        shards: self.wanted.len(),
                    });
                }
                problem => warn!(
                    shards = self.wanted.len(),
                    ?problem,
                    "leases not available yet, waiting"
                ),
            }
            tokio::time::sleep(ACQUIRE_PAUSE).await;
        }
    }

    /// Renews the leases until asked to give them back.
    pub(crate) async fn run(mut self) {
        let period = self.duration / 3;
        let mut next = Instant::now() + period;
        loop {
            tokio::select! {
                biased;
                Some(done) = self.release.recv() => {
                    self.release_all().await;
                    let _ = done.send(());
                    return;
                }
                Some(shard) = self.lost.recv() => {
                    self.held.remove(&shard);
                    self.wanted.insert(shard);
                }
                () = tokio::time::sleep_until(next) => {
                    next = Instant::now() + period;
                    self.renew_held().await;
                    if let Some(problem) = self.acquire_wanted().await {
                        warn!(%problem, shards = self.wanted.len(), "leases cannot be taken");
                    }
                }
            }
        }
    }

    /// Tries to take what is wanted and tells the lanes. Answers the last problem of the store.
    async fn acquire_wanted(&mut self) -> Option<StoreError> {
        let (store, node, duration) = (&self.store, &self.node, self.duration);
        let now = self.clock.now();
        let acquire =
            |shard: ShardId| async move { (shard, store.acquire(&key(shard), node, now, duration).await) };
        let results: Vec<_> = stream::iter(self.wanted.clone())
            .map(acquire)
            .buffer_unordered(CALLS_MAX)
            .collect()
            .await;
        let mut problem = None;
        for (shard, result) in results {
            match result {
                Ok(Some(lease)) => {
                    let fence = Fence {
                        shard,
                        epoch: lease.epoch,
                    };
                    self.wanted.remove(&shard);
                    self.held.insert(shard, lease);
                    self.tell(shard, Message::Own(fence)).await;
                }
                Ok(None) => {}
                Err(error) => problem = Some(error),
            }
        }
        problem
    }

    /// A lease that cannot be renewed for want of the store stays ours until another node takes it; the fence
    /// guards the writes.
    async fn renew_held(&mut self) {
        let (store, duration) = (&self.store, self.duration);
        let now = self.clock.now();
        let renew = |(shard, lease): (ShardId, Lease)| async move {
            (shard, store.renew(&lease, now, duration).await)
        };
        let results: Vec<_> = stream::iter(self.held.clone())
            .map(renew)
            .buffer_unordered(CALLS_MAX)
            .collect()
            .await;
        let mut failed = None;
        for (shard, result) in results {
            match result {
                Ok(Some(lease)) => {
                    self.held.insert(shard, lease);
                }
                Ok(None) => {
                    self.held.remove(&shard);
                    self.wanted.insert(shard);
                    self.tell(shard, Message::Lost(shard)).await;
                }
                Err(problem) => failed = Some(problem),
            }
        }
        if let Some(problem) = failed {
            error!(%problem, "leases cannot be renewed");
        }
    }

    async fn release_all(&mut self) {
        let store = &self.store;
        let release = |lease: Lease| async move { store.release(&lease).await };
        let leases: Vec<Lease> = std::mem::take(&mut self.held).into_values().collect();
        let results: Vec<_> = stream::iter(leases)
            .map(release)
            .buffer_unordered(CALLS_MAX)
            .collect()
            .await;
        match results.into_iter().find_map(Result::err) {
            Some(problem) => warn!(%problem, "leases not given back, they expire by themselves"),
            None => info!("leases given back"),
        }
    }

    async fn tell(&self, shard: ShardId, message: Message) {
        // A lane that has ended needs to know nothing.
        let _ = self.lanes[usize::from(shard.0) % self.lanes.len()]
            .send(message)
            .await;
    }
}

fn key(shard: ShardId) -> String {
    format!("merger/{}", shard.0)
}
