use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_proto::{Deliveries, NeighbourError};
use streamalert_store::DeadLetterStore;
use streamalert_types::{Alert, Clock, Delivery, DeliveryOutcome, OutputName, Tracer};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::actor::{Caller, Message, OutputActor, SharedStats, Surroundings};
use crate::registry::{Unavailable, unavailable_options};
use crate::{DeliveryOptions, DispatcherStats, LinkTemplates, Output, OutputRegistry, Publisher};

const SERVICE: &str = "dispatcher";

/// Settings of the dispatcher as a whole; those of single outputs come with the registry.
#[derive(Clone)]
pub struct DispatcherOptions {
    /// For one publication. Publishers have limits of their own; this one is for a publisher that hangs.
    pub publish_timeout: Duration,
    /// Instead of what the registry says, by output.
    pub outputs: BTreeMap<OutputName, DeliveryOptions>,
    /// Tells of every attempt.
    pub tracer: Tracer,
    /// Where alerts and traces can be looked at.
    pub links: Arc<LinkTemplates>,
}

impl Default for DispatcherOptions {
    fn default() -> Self {
        Self {
            publish_timeout: Duration::from_secs(10),
            outputs: BTreeMap::new(),
            tracer: Tracer::default(),
            links: Arc::default(),
        }
    }
}

impl fmt::Debug for DispatcherOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherOptions")
            .field("publish_timeout", &self.publish_timeout)
            .field("outputs", &self.outputs)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

/// What a dispatcher is made of.
pub struct Dispatcher {
    /// Settings.
    pub options: DispatcherOptions,
    /// Where alerts may go.
    pub outputs: OutputRegistry,
    /// Makes publications of alerts that name publishers.
    pub publisher: Arc<dyn Publisher>,
    /// Takes what cannot be delivered.
    pub dead_letters: Arc<dyn DeadLetterStore>,
    /// The wall clock, for the dead letters' dates.
    pub clock: Arc<dyn Clock>,
    /// Of the jitter.
    pub seed: u64,
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// Starts one actor per output. The task ends after [`DispatcherHandle::drain`], or when all handles are
    /// gone, once attempts under way have ended; it is to be awaited before the runtime stops.
    #[must_use]
    pub fn start(self) -> (DispatcherHandle, JoinHandle<()>) {
        let surroundings = Surroundings {
            publisher: self.publisher,
            publish_timeout: self.options.publish_timeout,
            dead_letters: self.dead_letters,
            clock: self.clock,
            tracer: self.options.tracer,
            links: self.options.links,
        };
        // Unbounded, because a configuration has so many outputs and no more, and the task below only takes them over.
        let (new_actors, mut actors_to_run) = mpsc::unbounded_channel::<OutputActor>();
        let nursery = Nursery {
            surroundings,
            new_actors,
            next_seed: AtomicU64::new(self.seed),
        };
        let reason = "no output of this name is configured".to_owned();
        let nowhere = Arc::new(Unavailable { reason });
        let unconfigured = nursery.lane("(unconfigured)", nowhere, unavailable_options(), 0);
        let mut lanes = BTreeMap::new();
        for (name, registered) in self.outputs.into_outputs() {
            let own = self.options.outputs.get(&name).cloned();
            let options = own.unwrap_or(registered.options);
            let lane = nursery.lane(name.as_str(), registered.output, options, registered.fingerprint);
            lanes.insert(name, Arc::new(lane));
        }
        let (ended, has_ended) = watch::channel(false);
        let mut actors = JoinSet::new();
        while let Ok(actor) = actors_to_run.try_recv() {
            actors.spawn(actor.run());
        }
        let task = tokio::spawn(async move {
            loop {
                let joined = tokio::select! {
                    biased;
                    Some(actor) = actors_to_run.recv() => {
                        actors.spawn(actor.run());
                        continue;
                    }
                    joined = actors.join_next() => joined,
                };
                match joined {
                    Some(Ok(())) => {}
                    Some(Err(error)) => {
                        tracing::error!(%error, "the actor of an output ended badly, its deliveries are refused");
                    }
                    None => break,
                }
            }
            ended.send_replace(true);
        });
        (
            DispatcherHandle {
                shared: Arc::new(Shared {
                    lanes: RwLock::new(lanes),
                    unconfigured,
                    has_ended,
                    nursery,
                }),
            },
            task,
        )
    }
}

/// Makes actors, at the start and when outputs are added.
struct Nursery {
    surroundings: Surroundings,
    new_actors: mpsc::UnboundedSender<OutputActor>,
    next_seed: AtomicU64,
}

impl Nursery {
    fn lane(&self, name: &str, output: Arc<dyn Output>, options: DeliveryOptions, fingerprint: u64) -> Lane {
        let room = Room::new(&options);
        let made_from = RwLock::new((fingerprint, options.clone()));
        let seed = self.next_seed.fetch_add(1, Ordering::Relaxed);
        let (actor, sender, stats) =
            OutputActor::new(name.to_owned(), output, options, self.surroundings.clone(), seed);
        // after the end nobody takes it, and deliveries to it are answered as when draining
        let _ = self.new_actors.send(actor);
        Lane {
            room,
            sender,
            stats,
            made_from,
        }
    }
}

/// What came of replacing the outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputChanges {
    /// Outputs that were not there before.
    pub added: Vec<OutputName>,
    /// Those whose settings, secrets or pace are others now.
    pub changed: Vec<OutputName>,
    /// Those that are there no longer.
    pub removed: Vec<OutputName>,
}

impl OutputChanges {
    /// Whether everything is as before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Room in the queue of one output.
struct Room {
    items: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

impl Room {
    fn new(options: &DeliveryOptions) -> Self {
        let bytes_max = u32::try_from(options.queue_bytes_max).unwrap_or(u32::MAX).max(1);
        Self {
            items: Arc::new(Semaphore::new(
                options.queue_items_max.clamp(1, Semaphore::MAX_PERMITS),
            )),
            bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            bytes_max,
        }
    }

    /// Waits until there is room for `alert`. One that is larger than all of the room gets all of it.
    async fn take(&self, alert: &Alert) -> Result<[tokio::sync::OwnedSemaphorePermit; 2], NeighbourError> {
        let weight = u32::try_from(alert.weight_bytes())
            .unwrap_or(u32::MAX)
            .clamp(1, self.bytes_max);
        let item = Arc::clone(&self.items).acquire_owned().await;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(weight).await;
        match (item, bytes) {
            (Ok(item), Ok(bytes)) => Ok([item, bytes]),
            _ => Err(unavailable("draining")),
        }
    }
}

impl Lane {
    /// Ends attempts under way, begins no more, and lets everything else go.
    async fn drain(&self) {
        // closed = it has ended already
        let _ = self.sender.send(Message::Drain).await;
        self.room.items.close();
        self.room.bytes.close();
    }

    /// Takes note of what it is made from now. Whether that is something else than before.
    fn is_made_anew(&self, fingerprint: u64, pace: &DeliveryOptions) -> bool {
        let mut made_from = self.made_from.write().unwrap_or_else(PoisonError::into_inner);
        if made_from.0 == fingerprint && made_from.1 == *pace {
            return false;
        }
        *made_from = (fingerprint, pace.clone());
        true
    }
}

/// Outputs that are letting go of what they have.
pub(crate) struct Release {
    ends: Vec<oneshot::Receiver<()>>,
}

impl Release {
    /// Waits until nothing is under way any more: `true`, or [`DispatcherHandle::resume`] came first: `false`.
    pub(crate) async fn ended(self) -> bool {
        let mut all = true;
        for end in self.ends {
            all &= end.await.is_ok();
        }
        all
    }
}

/// The way to the actor of one output.
struct Lane {
    room: Room,
    sender: mpsc::Sender<Message>,
    stats: Arc<SharedStats>,
    /// The fingerprint of its configuration, and its pace, to see whether they have changed.
    made_from: RwLock<(u64, DeliveryOptions)>,
}

struct Shared {
    lanes: RwLock<BTreeMap<OutputName, Arc<Lane>>>,
    unconfigured: Lane,
    has_ended: watch::Receiver<bool>,
    nursery: Nursery,
}

impl Shared {
    fn lane(&self, output: &OutputName) -> Option<Arc<Lane>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.get(output).cloned()
    }

    /// Those of now; no lock is held while they are worked on.
    fn lanes(&self) -> BTreeMap<OutputName, Arc<Lane>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.clone()
    }
}

/// The running dispatcher, as others see it. Clones are the same dispatcher.
#[derive(Clone)]
pub struct DispatcherHandle {
    shared: Arc<Shared>,
}

impl fmt::Debug for DispatcherHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.shared.lanes().keys()).finish()
    }
}

impl DispatcherHandle {
    /// Ends attempts under way (each has a time limit), begins no more, and answers everything else with
    /// [`NeighbourError::Unavailable`]: it is still in the merger's store and comes again. Returns when all
    /// actors have ended. Safe to repeat.
    pub async fn drain(&self) {
        for lane in self.shared.lanes().values() {
            lane.drain().await;
        }
        self.shared.unconfigured.drain().await;
        let mut has_ended = self.shared.has_ended.clone();
        // an error means that the supervising task is gone, and all actors with it
        let _ = has_ended.wait_for(|ended| *ended).await;
    }

    /// Lets go of what it has for the outputs that are `wanted`: attempts under way end, everything else is answered
    /// with [`NeighbourError::Unavailable`], and so is what comes from now on.
    pub(crate) async fn release(&self, wanted: impl Fn(&OutputName) -> bool) -> Release {
        let mut ends = Vec::new();
        for (_, lane) in self.shared.lanes().iter().filter(|(name, _)| wanted(name)) {
            let (released, end) = oneshot::channel();
            if lane.sender.send(Message::Release(released)).await.is_ok() {
                ends.push(end);
            }
        }
        Release { ends }
    }

    /// Takes deliveries to the outputs that are `wanted` again.
    pub(crate) async fn resume(&self, wanted: impl Fn(&OutputName) -> bool) {
        for (_, lane) in self.shared.lanes().iter().filter(|(name, _)| wanted(name)) {
            // closed = it has ended already
            let _ = lane.sender.send(Message::Resume).await;
        }
    }

    /// Figures of every output.
    #[must_use]
    pub fn stats(&self) -> DispatcherStats {
        DispatcherStats {
            outputs: self
                .shared
                .lanes()
                .iter()
                .map(|(name, lane)| (name.clone(), lane.stats.get()))
                .collect(),
            unconfigured: self.shared.unconfigured.stats.get(),
        }
    }

    /// Makes `outputs` those that alerts may be delivered to, paced as `options` says, or as the registry does. Attempts
    /// under way end at the output as it was; what waits goes to the new one. Of an output that is there no longer, what
    /// waits is answered with [`NeighbourError::Unavailable`], and what comes again becomes a dead letter. One whose
    /// configuration did not change is left alone. How much may wait stays as it was.
    pub async fn replace(
        &self,
        outputs: OutputRegistry,
        options: &BTreeMap<OutputName, DeliveryOptions>,
    ) -> OutputChanges {
        let mut changes = OutputChanges::default();
        let mut before = self.shared.lanes();
        let mut after = BTreeMap::new();
        let mut messages = Vec::new();
        for (name, registered) in outputs.into_outputs() {
            let pace = options.get(&name).cloned().unwrap_or(registered.options);
            let Some(lane) = before.remove(&name) else {
                let nursery = &self.shared.nursery;
                let lane = nursery.lane(name.as_str(), registered.output, pace, registered.fingerprint);
                changes.added.push(name.clone());
                after.insert(name, Arc::new(lane));
                continue;
            };
            if lane.is_made_anew(registered.fingerprint, &pace) {
                changes.changed.push(name.clone());
                messages.push((
                    Arc::clone(&lane),
                    Message::Replace(registered.output, Box::new(pace)),
                ));
            }
            after.insert(name, lane);
        }
        changes.removed.extend(before.keys().cloned());
        *self.shared.lanes.write().unwrap_or_else(PoisonError::into_inner) = after;
        for (lane, message) in messages {
            // closed = it has ended already
            let _ = lane.sender.send(message).await;
        }
        for lane in before.into_values() {
            lane.drain().await;
        }
        changes
    }
}

#[async_trait]
impl Deliveries for DispatcherHandle {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        let Delivery {
            alert,
            output,
            update,
        } = delivery;
        let configured = self.shared.lane(&output);
        let lane = configured.as_deref().unwrap_or(&self.shared.unconfigured);
        let room = lane.room.take(&alert).await?;
        let (reply, outcome) = oneshot::channel();
        let message = Message::Deliver {
            alert,
            output,
            update,
            caller: Caller { reply, _room: room },
        };
        lane.sender
            .send(message)
            .await
            .map_err(|_| unavailable("draining"))?;
        match outcome.await {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Err(unavailable("draining")),
            Err(_) => Err(unavailable("the output's actor has stopped")),
        }
    }
}

fn unavailable(reason: &str) -> NeighbourError {
    NeighbourError::Unavailable {
        service: SERVICE,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
