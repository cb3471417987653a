mod cut;
mod links;
mod owners;
mod parcel;
mod view;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::{AbortHandle, Abortable, Aborted};
use futures::stream::FuturesUnordered;
use streamalert_proto::{Alerts, Deliveries, NeighbourError};
use streamalert_store::LeaseStore;
use streamalert_types::{AlertBatch, Delivery, DeliveryOutcome};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use cut::Sharded;
pub use owners::OwnersTask;

use self::links::Links;
use self::parcel::{Effect, Event, Parcel, ParcelOptions};
use self::view::View;
use crate::client::permits;
use crate::{AlertsExchange, BackoffOptions, ClientOptions, DeliveriesExchange};

/// All mergers, as one.
pub type ShardedAlerts = ShardedClient<AlertsExchange>;
/// All dispatchers, as one.
pub type ShardedDeliveries = ShardedClient<DeliveriesExchange>;

/// How the owners of slots are found and called.
#[derive(Debug, Clone)]
pub struct ShardedOptions {
    /// Slots of the deployment.
    pub slots: u16,
    /// How each node is called; its address is put in.
    pub client: ClientOptions,
    /// Weight of requests that may be unanswered, over all nodes, in bytes; further callers wait. `None`: callers
    /// have a bound of their own, such as one for each output, and one that waits must not hold up another.
    pub in_flight_bytes_max: Option<u64>,
    /// How often the lease table is read while all is well.
    pub refresh_every: Duration,
    /// How often it is read at most, when an owner is unknown or cannot be reached.
    pub refresh_pause: Duration,
    /// After so long without an answer a reading counts as failed.
    pub read_timeout: Duration,
    /// How long an owner that can be reached may take to answer after its slot has moved elsewhere.
    pub moved_patience: Duration,
    /// Between requests to owners that refused.
    pub backoff: BackoffOptions,
}

impl ShardedOptions {
    /// The defaults, for alerts: 64 MiB in flight, as one link had; an owner that has lost a shard can write no more and
    /// is given 2 seconds to say so.
    #[must_use]
    pub fn alerts(shards: u16, client: ClientOptions) -> Self {
        Self {
            slots: shards,
            client,
            in_flight_bytes_max: Some(64 << 20),
            refresh_every: Duration::from_secs(5),
            refresh_pause: Duration::from_millis(200),
            read_timeout: Duration::from_secs(5),
            moved_patience: Duration::from_secs(2),
            backoff: BackoffOptions {
                first: Duration::from_millis(100),
                max: Duration::from_secs(2),
            },
        }
    }

    /// The defaults, for deliveries: mergers bound what they have outstanding per output, so there is no bound here,
    /// nor on the links. A dispatcher that has lost an output may be in the middle of an attempt, which would be
    /// doubled elsewhere: it is given 15 seconds, half as long again as an attempt takes.
    #[must_use]
    pub fn deliveries(slots: u16, client: ClientOptions) -> Self {
        Self {
            client: ClientOptions {
                pending_batches_max: 1 << 20,
                pending_bytes_max: 1 << 40,
                ..client
            },
            in_flight_bytes_max: None,
            moved_patience: Duration::from_secs(15),
            ..Self::alerts(slots, ClientOptions::new(String::new(), 0))
        }
    }
}

/// Nodes that share slots by leases, as one neighbour: finds the owners, sends each its part, and starts over with
/// whatever is not answered when owners change. Clones share everything.
pub struct ShardedClient<X: Sharded> {
    inner: Arc<Inner<X>>,
}

struct Inner<X: Sharded> {
    options: ShardedOptions,
    room: Option<(Arc<Semaphore>, u32)>,
    view: watch::Sender<View>,
    refresh: Arc<Notify>,
    links: Links<X>,
    origin: Instant,
    /// Requests so far: seeds of their jitter.
    requests: AtomicU64,
}

impl<X: Sharded> Clone for ShardedClient<X> {
    fn clone(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner }
    }
}

impl<X: Sharded> std::fmt::Debug for ShardedClient<X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardedClient")
            .field("service", &X::SERVICE)
            .field("slots", &self.inner.options.slots)
            .finish_non_exhaustive()
    }
}

type Sending<A> = Pin<Box<dyn Future<Output = (u64, Arc<str>, Result<A, NeighbourError>)> + Send>>;

/// What of a request is under way.
struct Open<A> {
    sending: FuturesUnordered<Abortable<Sending<A>>>,
    aborts: BTreeMap<u64, AbortHandle>,
}

impl<X: Sharded> ShardedClient<X> {
    /// A client and the task that reads the lease table, which is to be run (by a supervisor). Nothing is sent before
    /// the task has read it.
    pub fn new(options: ShardedOptions, leases: Arc<dyn LeaseStore>) -> (Self, OwnersTask<X>) {
        let view = watch::Sender::new(View::new(options.slots));
        let refresh = Arc::new(Notify::new());
        let links_stop = CancellationToken::new();
        let room = options.in_flight_bytes_max.map(|bytes| {
            let room = permits(bytes);
            (Arc::new(Semaphore::new(room as usize)), room)
        });
        let links = Links::new(
            options.client.clone(),
            view.clone(),
            Arc::clone(&refresh),
            links_stop.clone(),
        );
        let inner = Arc::new(Inner {
            options,
            room,
            view,
            refresh,
            links,
            origin: Instant::now(),
            requests: AtomicU64::new(0),
        });
        let task = OwnersTask::new(Arc::clone(&inner), leases, links_stop);
        (Self { inner }, task)
    }

    /// Has `item` answered by whoever owns its slots, all of them. Waits while too much is in flight, while a slot has
    /// no owner, and while an owner cannot be reached and has no successor. Dropping the future gives up.
    ///
    /// # Errors
    /// [`NeighbourError::Refused`] when an owner says so, [`NeighbourError::Unavailable`] when the client is stopped.
    pub async fn submit(&self, item: X::Item) -> Result<X::Answer, NeighbourError> {
        let inner = &*self.inner;
        let _room = self.room(X::weight_bytes(&item)).await?;
        let pieces = X::cut(item, inner.options.slots);
        let request = inner.requests.fetch_add(1, Ordering::Relaxed);
        let parcel_options = ParcelOptions {
            service: X::SERVICE,
            moved_patience: inner.options.moved_patience,
            backoff: inner.options.backoff,
            seed: inner.options.client.seed.wrapping_add(request),
        };
        let mut parcel = Parcel::new(pieces.keys().copied(), parcel_options);
        let mut view = inner.view.subscribe();
        let mut open = Open {
            sending: FuturesUnordered::new(),
            aborts: BTreeMap::new(),
        };
        let mut answer = X::nothing();
        let mut event = Event::Look;
        loop {
            let effects = parcel.apply(inner.origin.elapsed(), event, &view.borrow_and_update());
            for effect in effects {
                match effect {
                    Effect::Finish(result) => {
                        result?;
                        return answer.ok_or_else(|| unavailable::<X>("nothing was asked"));
                    }
                    effect => self.carry_out(effect, &pieces, &mut open),
                }
            }
            let look = parcel.next_look().map(|at| inner.origin + at);
            event = tokio::select! {
                biased;
                Some(ended) = open.sending.next() => match ended {
                    Ok((part, address, result)) => {
                        open.aborts.remove(&part);
                        self.note(&address, &result);
                        let result = result.map(|given| answer = Some(given));
                        Event::Answered { part, result }
                    }
                    Err(Aborted) => Event::Look,
                },
                // The sender is in `inner`, which this has.
                _ = view.changed() => Event::Look,
                () = sleep_until(look.unwrap_or(inner.origin)), if look.is_some() => Event::Look,
            };
        }
    }

    async fn room(
        &self,
        weight_bytes: u64,
    ) -> Result<Option<tokio::sync::OwnedSemaphorePermit>, NeighbourError> {
        let Some((room, most)) = &self.inner.room else {
            return Ok(None);
        };
        let share = permits(weight_bytes).min(*most);
        let permit = Arc::clone(room).acquire_many_owned(share).await;
        permit.map(Some).map_err(|_| unavailable::<X>("client stopped"))
    }

    fn carry_out(&self, effect: Effect, pieces: &BTreeMap<u16, X::Piece>, open: &mut Open<X::Answer>) {
        match effect {
            Effect::Send { part, address, slots } => {
                let client = self.inner.links.get(&address);
                let parts: Vec<&X::Piece> = slots.iter().filter_map(|slot| pieces.get(slot)).collect();
                let item = X::join(&parts);
                let sending: Sending<X::Answer> = Box::pin(async move {
                    let result = match item {
                        Some(item) => client.submit(item).await,
                        None => Err(unavailable::<X>("nothing was asked")),
                    };
                    (part, address, result)
                });
                let (sending, abort) = futures::future::abortable(sending);
                open.sending.push(sending);
                open.aborts.insert(part, abort);
            }
            Effect::Drop { part } => {
                if let Some(abort) = open.aborts.remove(&part) {
                    abort.abort();
                }
            }
            Effect::Refresh => self.inner.refresh.notify_one(),
            Effect::Finish(_) => {}
        }
    }

    /// What an answer says of owners is known to all requests.
    fn note(&self, address: &str, result: &Result<X::Answer, NeighbourError>) {
        if let Err(NeighbourError::NotOwner { shards, .. }) = result {
            self.inner.view.send_if_modified(|view| {
                let refused = shards
                    .iter()
                    .map(|owned| view.refused(owned.shard, address, owned.address.as_deref()));
                refused.fold(false, |one, other| one | other)
            });
        }
    }
}

fn unavailable<X: Sharded>(reason: &str) -> NeighbourError {
    NeighbourError::Unavailable {
        service: X::SERVICE,
        reason: reason.to_owned(),
    }
}

#[async_trait]
impl Alerts for ShardedAlerts {
    async fn accept(&self, batch: AlertBatch) -> Result<(), NeighbourError> {
        self.submit(batch).await
    }
}

#[async_trait]
impl Deliveries for ShardedDeliveries {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        self.submit(delivery).await
    }
}
