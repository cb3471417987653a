//! A dispatcher among others: it serves the outputs whose slots it owns, and no others.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_proto::{Deliveries, NeighbourError, NotOwned};
use streamalert_store::coordinator::CoordinatorOptions;
use streamalert_store::{
    Keeper, KeeperHandle, KeeperOptions, LeaseChurn, LeaseStore, News, StoreError, create_leases,
};
use streamalert_types::{Clock, Delivery, DeliveryOutcome, OutputName, SlotId};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::DispatcherHandle;

/// What the keys of the slots begin with.
const PREFIX: &str = "dispatcher/";

/// The pause between two attempts to read or create the leases.
const PAUSE: Duration = Duration::from_secs(1);

/// How a dispatcher shares the outputs with others.
#[derive(Debug, Clone)]
pub struct SlotOptions {
    /// Who holds the leases; no other node has this name. The same name after a restart takes them back at once.
    pub node: String,
    /// Where mergers reach this dispatcher, as `host:port`.
    pub address: Option<String>,
    /// Slots of the deployment; the same for all mergers and dispatchers.
    pub slots: u16,
    /// How long a lease must stand still before another node takes it; renewed three times within that. Longer than
    /// an attempt may take, so that an attempt under way ends before another node begins one.
    pub lease: Duration,
    /// After so long without an answer a call about a lease counts as failed.
    pub call_timeout: Duration,
    /// How long a drain waits for attempts under way, beyond half a term.
    pub drain_patience: Duration,
}

impl SlotOptions {
    /// The defaults: 64 slots, 30 seconds.
    #[must_use]
    pub fn new(node: impl Into<String>, address: Option<String>) -> Self {
        Self {
            node: node.into(),
            address,
            slots: 64,
            lease: Duration::from_secs(30),
            call_timeout: Duration::from_secs(5),
            drain_patience: Duration::from_secs(20),
        }
    }
}

/// A dispatcher that owns some slots. Clones are the same one. Deliveries to outputs of other slots are answered with
/// [`NeighbourError::NotOwner`].
///
/// A slot that is handed over takes nothing more, ends its attempts under way, answers the rest with `NotOwner`, and
/// only then goes to its next owner: nothing is sent twice by that. What a dead node had comes again from the mergers.
#[derive(Clone)]
pub struct DispatcherNode {
    shared: Arc<Shared>,
}

struct Shared {
    dispatcher: DispatcherHandle,
    keeper: KeeperHandle,
    options: SlotOptions,
    owned: Vec<AtomicBool>,
}

impl fmt::Debug for DispatcherNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherNode")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl DispatcherNode {
    /// Makes sure that there are leases, and begins to take this node's share of them. The task ends after
    /// [`drain`](Self::drain); aborted, the node is as if killed, and others take its slots when they have expired.
    ///
    /// # Errors
    /// The store could not be reached for two terms, or does not take leases.
    pub async fn start(
        options: SlotOptions,
        dispatcher: DispatcherHandle,
        leases: Arc<dyn LeaseStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let deadline = Instant::now() + options.lease * 2;
        while let Err(problem) = create_leases(&*leases, PREFIX, options.slots.max(1)).await {
            if !problem.is_retryable() || Instant::now() >= deadline {
                return Err(problem);
            }
            tracing::warn!(%problem, "leases not available yet, waiting");
            sleep(PAUSE).await;
        }
        let keeper_options = KeeperOptions {
            coordinator: CoordinatorOptions {
                term: options.lease,
                ..CoordinatorOptions::new(&*options.node)
            },
            prefix: PREFIX.to_owned(),
            address: options.address.clone(),
            call_timeout: options.call_timeout,
        };
        let (keeper, handle, news) = Keeper::new(keeper_options, leases, clock);
        let owned = std::iter::repeat_with(|| AtomicBool::new(false));
        let node = Self {
            shared: Arc::new(Shared {
                dispatcher,
                keeper: handle,
                owned: owned.take(usize::from(options.slots.max(1))).collect(),
                options,
            }),
        };
        let shared = Arc::clone(&node.shared);
        let task = tokio::spawn(async move {
            let courier = shared.run(news);
            tokio::join!(keeper.run(), courier);
        });
        Ok((node, task))
    }

    /// Hands all slots over, then drains the dispatcher. Ends after a term and the patience even when the store does
    /// not answer. Safe to repeat.
    pub async fn drain(&self) {
        let options = &self.shared.options;
        let limit = options.lease / 2 + options.drain_patience;
        if timeout(limit, self.shared.keeper.stop()).await.is_err() {
            tracing::warn!("leases not given back, they expire by themselves");
        }
        for owned in &self.shared.owned {
            owned.store(false, Ordering::Release);
        }
        self.shared.dispatcher.drain().await;
    }

    /// How often slots came to this node and went.
    #[must_use]
    pub fn lease_churn(&self) -> LeaseChurn {
        self.shared.keeper.churn()
    }

    /// Slots that it serves now.
    #[must_use]
    pub fn slots(&self) -> usize {
        let owned = self.shared.owned.iter();
        owned.filter(|owned| owned.load(Ordering::Acquire)).count()
    }
}

impl Shared {
    fn slot_of(&self, output: &OutputName) -> SlotId {
        SlotId::of(output, self.options.slots)
    }

    fn owns(&self, slot: SlotId) -> bool {
        let owned = self.owned.get(usize::from(slot.0));
        owned.is_some_and(|owned| owned.load(Ordering::Acquire))
    }

    fn set(&self, slot: SlotId, owns: bool) {
        if let Some(owned) = self.owned.get(usize::from(slot.0)) {
            owned.store(owns, Ordering::Release);
        }
    }

    fn not_owner(&self, slot: SlotId) -> NeighbourError {
        let leases = self.keeper.leases();
        let lease = leases.get(&format!("{PREFIX}{}", slot.0));
        let owned = NotOwned {
            shard: slot.0,
            address: lease.and_then(|lease| lease.address.clone()),
        };
        NeighbourError::NotOwner {
            service: "dispatcher",
            shards: vec![owned],
        }
    }

    /// Carries news of the keeper to the outputs, until the keeper has ended. Attempts under way are waited for beside
    /// that: a slow output must not hold up the slots of others.
    async fn run(&self, mut news: mpsc::UnboundedReceiver<News>) {
        let mut releases = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(released) = releases.join_next() => {
                    if let Ok(Some(key)) = released {
                        self.keeper.handed_over(key);
                    }
                }
                news = news.recv() => match news {
                    Some(news) => self.pass(news, &mut releases).await,
                    None => return,
                },
            }
        }
    }

    async fn pass(&self, news: News, releases: &mut JoinSet<Option<String>>) {
        match news {
            News::Own(lease) => {
                if let Some(slot) = slot_of(&lease.key) {
                    self.dispatcher
                        .resume(|output| self.slot_of(output) == slot)
                        .await;
                    self.set(slot, true);
                }
            }
            News::HandOver { key, .. } => {
                let Some(slot) = slot_of(&key) else {
                    self.keeper.handed_over(key);
                    return;
                };
                self.set(slot, false);
                let release = self
                    .dispatcher
                    .release(|output| self.slot_of(output) == slot)
                    .await;
                releases.spawn(async move { release.ended().await.then_some(key) });
            }
            News::Lost { key, .. } => {
                if let Some(slot) = slot_of(&key) {
                    self.set(slot, false);
                    // What is under way ends by itself; the next owner does not wait for it.
                    drop(
                        self.dispatcher
                            .release(|output| self.slot_of(output) == slot)
                            .await,
                    );
                }
            }
            News::Checkpointed { .. } | News::Started => {}
        }
    }
}

fn slot_of(key: &str) -> Option<SlotId> {
    key.strip_prefix(PREFIX)?.parse().ok().map(SlotId)
}

#[async_trait]
impl Deliveries for DispatcherNode {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        let shared = &*self.shared;
        let slot = shared.slot_of(&delivery.output);
        if !shared.owns(slot) {
            return Err(shared.not_owner(slot));
        }
        match shared.dispatcher.deliver(delivery).await {
            Err(error) if error.is_retryable() && !shared.owns(slot) => Err(shared.not_owner(slot)),
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests;
