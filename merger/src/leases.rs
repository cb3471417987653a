//! Takes, renews and gives back the leases of the shards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use streamalert_store::{Fence, Lease, LeaseAnswer, LeaseStore, ShardId, StoreError};
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
    /// Of wanted shards: what was seen of their leases, and since when.
    pub(crate) seen: BTreeMap<ShardId, ((u64, u64), Instant)>,
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
        if self.wanted.is_empty() {
            return None;
        }
        let free = match self.list_free().await {
            Ok(free) => free,
            Err(problem) => return Some(problem),
        };
        let (store, node, now) = (&self.store, &self.node, self.clock.now());
        let take = |(shard, lease): (ShardId, Lease)| async move {
            (shard, store.take(&lease, node, None, now).await)
        };
        let results: Vec<_> = stream::iter(free)
            .map(take)
            .buffer_unordered(CALLS_MAX)
            .collect()
            .await;
        let mut problem = None;
        for (shard, result) in results {
            match result.map(LeaseAnswer::written) {
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

    /// What is wanted and may be taken: nobody's, this node's from before, or unchanged for a whole term.
    async fn list_free(&mut self) -> Result<Vec<(ShardId, Lease)>, StoreError> {
        let listed = self.store.list("merger/").await?;
        let mut leases: BTreeMap<String, Lease> = listed
            .into_iter()
            .map(|lease| (lease.key.clone(), lease))
            .collect();
        let missing: Vec<Lease> = self
            .wanted
            .iter()
            .map(|shard| key(*shard))
            .filter(|key| !leases.contains_key(key))
            .map(Lease::free)
            .collect();
        self.store.create(missing.clone()).await?;
        leases.extend(missing.into_iter().map(|lease| (lease.key.clone(), lease)));
        let mut free = Vec::new();
        for shard in &self.wanted {
            let Some(lease) = leases.remove(&key(*shard)) else {
                continue;
            };
            let sight = (lease.epoch, lease.counter);
            let (seen, since) = self.seen.entry(*shard).or_insert((sight, Instant::now()));
            if *seen != sight {
                (*seen, *since) = (sight, Instant::now());
            }
            let expired = since.elapsed() >= self.duration;
            if expired || lease.owner.as_deref().is_none_or(|owner| owner == self.node) {
                free.push((*shard, lease));
            }
        }
        Ok(free)
    }

    /// A lease that cannot be renewed for want of the store stays ours until another node takes it; the fence
    /// guards the writes.
    async fn renew_held(&mut self) {
        let (store, now) = (&self.store, self.clock.now());
        let renew = |(shard, lease): (ShardId, Lease)| async move { (shard, store.renew(&lease, now).await) };
        let results: Vec<_> = stream::iter(self.held.clone())
            .map(renew)
            .buffer_unordered(CALLS_MAX)
            .collect()
            .await;
        let mut failed = None;
        for (shard, result) in results {
            match result.map(LeaseAnswer::written) {
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
        let (store, now) = (&self.store, self.clock.now());
        let release = |lease: Lease| async move { store.release(&lease, None, now).await };
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
