use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_proto::{Deliveries, NeighbourError};
use streamalert_store::DeadLetterStore;
use streamalert_types::{Alert, Clock, Delivery, DeliveryOutcome, OutputName, Tracer};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::actor::{Caller, Message, OutputActor, SharedStats, Surroundings};
use crate::registry::{Unavailable, unavailable_options};
use crate::{
    DeliveryOptions, DispatcherStats, LinkTemplates, MemoryReferences, OutputRegistry, Publisher, References,
};

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
    /// Remembers where incidents are.
    pub references: Arc<dyn References>,
}

impl Default for DispatcherOptions {
    fn default() -> Self {
        Self {
            publish_timeout: Duration::from_secs(10),
            outputs: BTreeMap::new(),
            tracer: Tracer::default(),
            links: Arc::default(),
            references: Arc::new(MemoryReferences::default()),
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
            references: self.options.references,
        };
        let mut actors = JoinSet::new();
        let mut spawn = |name: &str, output, options: DeliveryOptions, seed| {
            let lane = Room::new(&options);
            let (actor, sender, stats) =
                OutputActor::new(name.to_owned(), output, options, surroundings.clone(), seed);
            actors.spawn(actor.run());
            Lane {
                room: lane,
                sender,
                stats,
            }
        };
        let reason = "no output of this name is configured".to_owned();
        let nowhere = Arc::new(Unavailable { reason });
        let unconfigured = spawn("(unconfigured)", nowhere, unavailable_options(), self.seed);
        let mut lanes = BTreeMap::new();
        for (index, (name, registered)) in self.outputs.into_outputs().into_iter().enumerate() {
            let options = self
                .options
                .outputs
                .get(&name)
                .cloned()
                .unwrap_or(registered.options);
            let seed = self.seed.wrapping_add(index as u64 + 1);
            let lane = spawn(name.as_str(), registered.output, options, seed);
            lanes.insert(name, lane);
        }
        let (ended, has_ended) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Some(ended) = actors.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "the actor of an output ended badly, its deliveries are refused");
                }
            }
            ended.send_replace(true);
        });
        (
            DispatcherHandle {
                shared: Arc::new(Shared {
                    lanes,
                    unconfigured,
                    has_ended,
                }),
            },
            task,
        )
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
}

struct Shared {
    lanes: BTreeMap<OutputName, Lane>,
    unconfigured: Lane,
    has_ended: watch::Receiver<bool>,
}

/// The running dispatcher, as others see it. Clones are the same dispatcher.
#[derive(Clone)]
pub struct DispatcherHandle {
    shared: Arc<Shared>,
}

impl fmt::Debug for DispatcherHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.shared.lanes.keys()).finish()
    }
}

impl DispatcherHandle {
    /// Ends attempts under way (each has a time limit), begins no more, and answers everything else with
    /// [`NeighbourError::Unavailable`]: it is still in the merger's store and comes again. Returns when all
    /// actors have ended. Safe to repeat.
    pub async fn drain(&self) {
        for lane in self.lanes() {
            // closed = it has ended already
            let _ = lane.sender.send(Message::Drain).await;
            lane.room.items.close();
            lane.room.bytes.close();
        }
        let mut has_ended = self.shared.has_ended.clone();
        // an error means that the supervising task is gone, and all actors with it
        let _ = has_ended.wait_for(|ended| *ended).await;
    }

    /// Lets go of what it has for the outputs that are `wanted`: attempts under way end, everything else is answered
    /// with [`NeighbourError::Unavailable`], and so is what comes from now on.
    pub(crate) async fn release(&self, wanted: impl Fn(&OutputName) -> bool) -> Release {
        let mut ends = Vec::new();
        for (_, lane) in self.shared.lanes.iter().filter(|(name, _)| wanted(name)) {
            let (released, end) = oneshot::channel();
            if lane.sender.send(Message::Release(released)).await.is_ok() {
                ends.push(end);
            }
        }
        Release { ends }
    }

    /// Takes deliveries to the outputs that are `wanted` again.
    pub(crate) async fn resume(&self, wanted: impl Fn(&OutputName) -> bool) {
        for (_, lane) in self.shared.lanes.iter().filter(|(name, _)| wanted(name)) {
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
                .lanes
                .iter()
                .map(|(name, lane)| (name.clone(), lane.stats.get()))
                .collect(),
            unconfigured: self.shared.unconfigured.stats.get(),
        }
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.shared.lanes.values().chain([&self.shared.unconfigured])
    }
}

#[async_trait]
impl Deliveries for DispatcherHandle {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        let Delivery { alert, output } = delivery;
        let lane = self
            .shared
            .lanes
            .get(&output)
            .unwrap_or(&self.shared.unconfigured);
        let room = lane.room.take(&alert).await?;
        let (reply, outcome) = oneshot::channel();
        let message = Message::Deliver {
            alert,
            output,
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
