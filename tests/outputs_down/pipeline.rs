//! The services between those who raise alerts and the outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use streamalert_dispatcher::{
    DefaultPublisher, DeliveryOptions, Dispatcher, DispatcherHandle, DispatcherNode, DispatcherOptions,
    SlotOptions,
};
use streamalert_merger::{Merger, MergerHandle, MergerOptions, MergerTask};
use streamalert_proto::{Alerts, Deliveries, NeighbourError};
use streamalert_service::{
    ClientOptions, Dialer, GrpcServer, ServerOptions, ShardedDeliveries, ShardedOptions, Shutdown,
    StreamLimits,
};
use streamalert_store::{DeadLetterStore, MemoryStore};
use streamalert_types::{
    Alert, AlertBatch, AlertId, Clock, Delivery, DeliveryOutcome, OutputName, Timestamp,
};
use streamalert_value::{Map, Value};
use tokio::io::DuplexStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::figures::{Figures, Phase};
use crate::outputs::{HEALTHY, SICK, World};

/// Deliveries of an output that a merger hands over at a time: its default.
pub(crate) const IN_FLIGHT_MAX: usize = 64;

/// Bytes of those, fewer than so many alerts have.
pub(crate) const IN_FLIGHT_BYTES_MAX: usize = 100_000;

/// Deliveries that a dispatcher takes of an output.
pub(crate) const QUEUE_MAX: usize = 128;

/// Bytes of those, fewer than so many alerts have.
pub(crate) const QUEUE_BYTES_MAX: usize = 200_000;

/// Five alerts each time, and once a minute more than a window holds.
const EVERY: Duration = Duration::from_secs(1);
const COUNT: u64 = 5;
const BURST: u64 = 150;
const BURST_EVERY: u64 = 60;

/// How long the outputs are well, sick, and well again.
const PHASES: [(Phase, Duration); 3] = [
    (Phase::Before, Duration::from_mins(2)),
    (Phase::Down, Duration::from_mins(10)),
    (Phase::After, Duration::from_mins(3)),
];

/// How alerts come to the outputs.
pub(crate) enum Way {
    /// Everything is handed to the dispatcher at once, each by a caller of its own.
    Direct,
    /// A merger before the dispatcher, in one process.
    Merger,
    /// A merger and the owners of outputs, over gRPC with these limits.
    Network(StreamLimits),
    /// A merger, and between it and the dispatcher what must not be: one limit for all outputs together.
    OneRoom,
}

pub(crate) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        queue_items_max: QUEUE_MAX,
        queue_bytes_max: QUEUE_BYTES_MAX,
        ..DeliveryOptions::default()
    }
}

/// The wall clock, which goes with the simulated time.
#[derive(Debug)]
struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000_000).plus(self.0.elapsed())
    }
}

/// See [`Way::OneRoom`].
struct OneRoom {
    room: Semaphore,
    dispatcher: DispatcherHandle,
}

#[async_trait]
impl Deliveries for OneRoom {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        let _room = self.room.acquire().await.unwrap();
        self.dispatcher.deliver(delivery).await
    }
}

type Raised = BTreeMap<AlertId, (Phase, Instant)>;

pub(crate) struct Pipeline {
    world: Arc<World>,
    clock: Arc<SimulatedClock>,
    store: MemoryStore,
    dispatcher: DispatcherHandle,
    merger: Option<(MergerHandle, MergerTask)>,
    raised: Raised,
    /// Calls under way of those who raise alerts.
    calls: JoinSet<()>,
    figures: Figures,
}

impl Pipeline {
    /// Raises alerts for a quarter of an hour, and waits until all have arrived.
    pub(crate) async fn run(way: &Way, seed: u64, faults: bool) -> Figures {
        let mut pipeline = Self::start(way, seed).await;
        let begin = Instant::now();
        let mut ends = begin;
        let mut tick = 0;
        for (phase, lasts) in PHASES {
            pipeline.world.set_sick(faults && phase == Phase::Down);
            ends += lasts;
            while Instant::now() < ends {
                let count = if tick % BURST_EVERY == 0 { BURST } else { COUNT };
                pipeline.raise(phase, count);
                tick += 1;
                sleep_until(begin + EVERY * u32::try_from(tick).unwrap()).await;
                pipeline.look().await;
            }
        }
        let hour = Duration::from_hours(1);
        timeout(hour, pipeline.settled())
            .await
            .expect("everything arrives within the hour");
        pipeline.ended().await
    }

    async fn start(way: &Way, seed: u64) -> Self {
        let world = World::new(seed);
        let clock = Arc::new(SimulatedClock(Instant::now()));
        let store = MemoryStore::new();
        let (dispatcher, _task) = Dispatcher {
            options: DispatcherOptions::default(),
            outputs: world.registry(),
            publisher: Arc::new(DefaultPublisher),
            dead_letters: Arc::new(store.clone()),
            clock: clock.clone(),
            seed,
        }
        .start();
        let deliveries: Option<Arc<dyn Deliveries>> = match way {
            Way::Direct => None,
            Way::Merger => Some(Arc::new(dispatcher.clone())),
            Way::OneRoom => Some(Arc::new(OneRoom {
                room: Semaphore::new(IN_FLIGHT_MAX),
                dispatcher: dispatcher.clone(),
            })),
            Way::Network(limits) => {
                Some(over_network(*limits, &store, dispatcher.clone(), clock.clone()).await)
            }
        };
        let mut merger = None;
        if let Some(deliveries) = deliveries {
            let options = MergerOptions {
                shards: 16,
                output_deliveries_max: IN_FLIGHT_MAX,
                output_bytes_max: IN_FLIGHT_BYTES_MAX,
                ..MergerOptions::default()
            };
            let (alerts, leases) = (Arc::new(store.clone()), Arc::new(store.clone()));
            let started = Merger::start(options, alerts, leases, deliveries, clock.clone()).await;
            merger = Some(started.unwrap());
        }
        Self {
            world,
            clock,
            store,
            dispatcher,
            merger,
            raised: Raised::new(),
            calls: JoinSet::new(),
            figures: Figures {
                raised: Raised::new(),
                arrivals: BTreeMap::new(),
                repeated: 0,
                held_max: BTreeMap::new(),
                alert_bytes: 0,
                missing_max: BTreeMap::new(),
                was_down: BTreeSet::new(),
                dead_letters: 0,
            },
        }
    }

    /// Raises so many alerts for all outputs. Nobody waits for the one before.
    fn raise(&mut self, phase: Phase, count: u64) {
        let alerts: Vec<Arc<Alert>> = (0..count).map(|_| self.alert(phase)).collect();
        if let Some((merger, _)) = &self.merger {
            let merger = merger.clone();
            self.calls
                .spawn(async move { merger.accept(AlertBatch { alerts }).await.unwrap() });
            return;
        }
        for alert in alerts {
            for output in alert.outputs.iter() {
                let delivery = Delivery {
                    alert: Arc::clone(&alert),
                    output: output.clone(),
                    update: None,
                };
                let dispatcher = self.dispatcher.clone();
                self.calls.spawn(async move {
                    dispatcher.deliver(delivery).await.unwrap();
                });
            }
        }
    }

    fn alert(&mut self, phase: Phase) -> Arc<Alert> {
        let id = AlertId::from_u128(self.raised.len() as u128 + 1);
        self.raised.insert(id, (phase, Instant::now()));
        let outputs = HEALTHY.iter().chain(&SICK).map(|name| name.parse().unwrap());
        let alert = Alert {
            id,
            rule_name: "r".into(),
            rule_description: "".into(),
            created: self.clock.now(),
            cluster: None,
            log_source: "l:s".into(),
            log_type: "json".into(),
            source_entity: "e".into(),
            source_service: "s".into(),
            outputs: outputs.collect(),
            publishers: Value::Null,
            context: Value::Map(Map::new()),
            merge_by_keys: Arc::from([]),
            merge_window_mins: 0,
            staged: false,
            record: Bytes::from(format!(r#"{{"blob":"{}"}}"#, "b".repeat(1_400))),
            traceparent: "".into(),
            rules_version: "".into(),
            merging: streamalert_types::Merging::default(),
        };
        self.figures.alert_bytes = alert.weight_bytes();
        Arc::new(alert)
    }

    /// Notes what is held and what is missing.
    async fn look(&mut self) {
        while self.calls.try_join_next().is_some_and(|ended| {
            ended.unwrap();
            true
        }) {}
        let at_dispatcher = self.dispatcher.stats().outputs;
        let at_merger = match &self.merger {
            Some((merger, _)) => merger.stats().await.outputs,
            None => BTreeMap::new(),
        };
        for name in HEALTHY.iter().chain(&SICK).copied() {
            let output: OutputName = name.parse().unwrap();
            let stats = &at_dispatcher[&output];
            let there = stats.waiting + stats.retrying + stats.in_flight + stats.burying;
            let here = at_merger.get(&output).map_or(0, |stats| stats.outstanding);
            let held = self.figures.held_max.entry(name).or_default();
            *held = (*held).max(there).max(here);
            if stats.down {
                self.figures.was_down.insert(name);
            }
            let missing = (self.raised.len() - self.world.count(name)) as u64;
            let most = self.figures.missing_max.entry(name).or_default();
            *most = (*most).max(missing);
        }
    }

    async fn settled(&mut self) {
        while let Some(ended) = self.calls.join_next().await {
            ended.unwrap();
        }
        if let Some((merger, _)) = &self.merger {
            merger.wait_idle().await;
        }
        // whatever would come twice comes now
        sleep(Duration::from_mins(2)).await;
    }

    async fn ended(mut self) -> Figures {
        self.look().await;
        let arrivals = self.world.arrivals();
        let repeated = arrivals.values().filter(|came| came.len() > 1).count();
        Figures {
            raised: self.raised,
            repeated,
            arrivals,
            dead_letters: self.store.count().await.unwrap(),
            ..self.figures
        }
    }
}

/// A dispatcher that owns all outputs, and the way of a merger to it: the lease table, connections in memory, gRPC.
async fn over_network(
    limits: StreamLimits,
    store: &MemoryStore,
    dispatcher: DispatcherHandle,
    clock: Arc<SimulatedClock>,
) -> Arc<dyn Deliveries> {
    const SLOTS: u16 = 8;
    let (connections, incoming) = mpsc::channel::<io::Result<DuplexStream>>(4);
    let leases = Arc::new(store.clone());
    let slots = SlotOptions {
        slots: SLOTS,
        ..SlotOptions::new("one", Some("dispatcher:1".to_owned()))
    };
    let (node, task) = DispatcherNode::start(slots, dispatcher, leases.clone(), clock)
        .await
        .unwrap();
    tokio::spawn(task);
    let options = ServerOptions {
        limits,
        ..ServerOptions::default()
    };
    let server = GrpcServer::new(options, Shutdown::new()).deliveries(Arc::new(node));
    tokio::spawn(server.serve_incoming(ReceiverStream::new(incoming)));
    let connections = Arc::new(Mutex::new(connections));
    let client = ClientOptions {
        dialer: Dialer::new(move |_| {
            let connections = connections.lock().unwrap().clone();
            Box::pin(async move {
                let (near, far) = tokio::io::duplex(1 << 16);
                connections.send(Ok(far)).await.map_err(io::Error::other)?;
                Ok(Box::new(near) as Box<dyn streamalert_service::Io>)
            })
        }),
        ..ClientOptions::new("", 1)
    };
    let (client, task) = ShardedDeliveries::new(ShardedOptions::deliveries(SLOTS, client), leases);
    tokio::spawn(task.run(CancellationToken::new()));
    sleep(Duration::from_secs(30)).await;
    Arc::new(client)
}
