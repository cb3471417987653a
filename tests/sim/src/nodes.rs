//! The services, each on a node of its own, as the binary would start them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use streamalert_classifier::{Classifier, ClassifierOptions, ClassifierParts, Taker};
use streamalert_dispatcher::{
    Backoff, DefaultPublisher, DeliveryOptions, Dispatcher, DispatcherNode, DispatcherOptions,
    OutputRegistry, SlotOptions,
};
use streamalert_merger::{Merger, MergerOptions};
use streamalert_rules_node::{RulesNode, RulesNodeOptions, RulesNodeParts};
use streamalert_schema::{Limits, SchemaSet, Selection};
use streamalert_service::{
    BackoffOptions, ClientOptions, GrpcServer, KeepAlive, RulesNodeClient, ServerOptions, ShardedAlerts,
    ShardedDeliveries, ShardedOptions, Shutdown,
};
use streamalert_types::{OutputName, Source};
use streamalert_value::Value;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::mergers::{Mergers, NotedMerger};
use crate::mutants::Mutant;
use crate::net::{PORT, dialer, listen};
use crate::outputs::NotedOutput;
use crate::rules::ScriptedRules;
use crate::script::{LOG_TYPE, output, source};
use crate::source::ScriptedSource;
use crate::store::NodeStore;
use crate::world::World;

/// Virtual shards of the mergers.
pub(crate) const SHARDS: u16 = 8;

/// A lease that stands still for so long may be taken.
pub(crate) const TERM: Duration = Duration::from_secs(10);

/// Slots of the dispatchers.
const SLOTS: u16 = 8;

/// As [`TERM`] for the slots of outputs: longer than an attempt may take.
const SLOT_TERM: Duration = Duration::from_secs(15);

/// A process that does not end in good order within this time is killed.
const END_PATIENCE: Duration = Duration::from_secs(40);

/// Before a process that could not start is started again.
const START_PAUSE: Duration = Duration::from_secs(1);

/// A node that is being started.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) world: World,
}

struct Started {
    store: NodeStore,
    stop: CancellationToken,
    shutdown: Shutdown,
    seed: u64,
}

impl Node {
    fn start(&self) -> Started {
        let (stop, shutdown) = (CancellationToken::new(), Shutdown::new());
        let starts = self.world.node(&self.name, |node| {
            node.starts += 1;
            node.dying = false;
            node.stop = stop.clone();
            node.shutdown = shutdown.clone();
            node.starts
        });
        self.world.note(&format!("{} starts", self.name));
        let hash = blake3::hash(format!("{} {} {starts}", self.world.seed, self.name).as_bytes());
        let mut seed = [0; 8];
        seed.copy_from_slice(&hash.as_bytes()[..8]);
        Started {
            store: NodeStore {
                node: self.name.clone(),
                world: self.world.clone(),
            },
            stop,
            shutdown,
            seed: u64::from_le_bytes(seed),
        }
    }

    /// Reads partition `script`, a payload every `pace`.
    pub(crate) async fn classifier(self, script: usize, pace: Duration) -> turmoil::Result {
        let Started {
            store, stop, seed, ..
        } = self.start();
        let clock = Arc::new(self.world.clock(&self.name));
        let (records, task) = RulesNodeClient::new(client("r0", seed));
        tokio::spawn(task.run(CancellationToken::new()));
        let reader = ScriptedSource::open(store.clone(), script, pace).await;
        tokio::spawn(reader.write_checkpoints());
        let (selections, taker_clock) = (selections(), clock.clone());
        let takers = move || {
            Taker::new(
                selections.clone(),
                Limits::default(),
                64 << 10,
                taker_clock.clone(),
            )
        };
        let parts = ClassifierParts {
            sources: vec![Box::new(reader)],
            takers: Arc::new(takers),
            records: Arc::new(records),
            dead_letters: Arc::new(store),
            clock,
        };
        let options = ClassifierOptions {
            threads: 0,
            ..ClassifierOptions::default()
        };
        let (classifier, task) = Classifier::start(options, parts);
        stop.cancelled().await;
        classifier.drain();
        // What is not acknowledged by then is read again.
        let _ = timeout(END_PATIENCE, task.ended()).await;
        Ok(())
    }

    /// Evaluates rules and sends alerts to the mergers.
    pub(crate) async fn rules_node(self) -> turmoil::Result {
        let Started {
            store,
            stop,
            shutdown,
            seed,
        } = self.start();
        let options = ShardedOptions::alerts(SHARDS, client("", seed));
        let (alerts, task) = ShardedAlerts::new(options, Arc::new(store.clone()));
        tokio::spawn(task.run(CancellationToken::new()));
        let parts = RulesNodeParts {
            runtime: Arc::new(ScriptedRules::new()),
            alerts: Arc::new(Mergers {
                world: self.world.clone(),
                alerts,
            }),
            dead_letters: Arc::new(store),
            threat_intel: None,
            clock: Arc::new(self.world.clock(&self.name)),
        };
        let node = RulesNode::new(RulesNodeOptions::default(), parts);
        let server = GrpcServer::new(server_options(), shutdown.clone()).records(Arc::new(node));
        serve(server, stop, shutdown, std::future::ready(())).await
    }

    /// Merges.
    pub(crate) async fn merger(self) -> turmoil::Result {
        let Started {
            store,
            stop,
            shutdown,
            seed,
        } = self.start();
        let sharded = ShardedOptions::deliveries(SLOTS, client("", seed));
        let (deliveries, task) = ShardedDeliveries::new(sharded, Arc::new(store.clone()));
        tokio::spawn(task.run(CancellationToken::new()));
        let options = MergerOptions {
            node: self.name.clone(),
            shards: SHARDS,
            lease: TERM,
            address: Some(format!("{}:{PORT}", self.name)),
            output_deliveries_max: 64,
            window_grace: if self.world.is(Mutant::IgnoresWindows) {
                Duration::from_hours(1)
            } else {
                MergerOptions::default().window_grace
            },
            ..MergerOptions::default()
        };
        let (handle, task) = loop {
            let started = Merger::start(
                options.clone(),
                Arc::new(store.clone()),
                Arc::new(store.clone()),
                Arc::new(deliveries.clone()),
                Arc::new(self.world.clock(&self.name)),
            );
            match started.await {
                Ok(started) => break started,
                Err(error) => self.world.note(&format!("{} cannot start: {error}", self.name)),
            }
            sleep(START_PAUSE).await;
        };
        self.world.note(&format!("{} serves", self.name));
        let noted = NotedMerger {
            world: self.world.clone(),
            handle: handle.clone(),
        };
        let server = GrpcServer::new(server_options(), shutdown.clone()).alerts(Arc::new(noted));
        let tasks = tokio::spawn(task.join());
        serve(server, stop, shutdown, async move { handle.drain().await }).await?;
        match timeout(END_PATIENCE, tasks).await {
            Ok(Ok(Err(problem))) => Err(problem.into()),
            _ => Ok(()),
        }
    }

    /// Delivers.
    pub(crate) async fn dispatcher(self) -> turmoil::Result {
        let Started {
            store,
            stop,
            shutdown,
            seed,
        } = self.start();
        let mut outputs = OutputRegistry::default();
        for name in [OutputName::history(), output("sim:a"), output("sim:b")] {
            let noted = NotedOutput {
                name: name.to_string(),
                world: self.world.clone(),
            };
            outputs.insert(name, Arc::new(noted), delivery_options());
        }
        let dispatcher = Dispatcher {
            options: DispatcherOptions::default(),
            outputs,
            publisher: Arc::new(DefaultPublisher),
            dead_letters: Arc::new(store.clone()),
            clock: Arc::new(self.world.clock(&self.name)),
            seed,
        };
        let (handle, _task) = dispatcher.start();
        let (node, _task) = loop {
            let options = SlotOptions {
                slots: SLOTS,
                lease: SLOT_TERM,
                ..SlotOptions::new(&*self.name, Some(format!("{}:{PORT}", self.name)))
            };
            let clock = Arc::new(self.world.clock(&self.name));
            match DispatcherNode::start(options, handle.clone(), Arc::new(store.clone()), clock).await {
                Ok(started) => break started,
                Err(error) => self.world.note(&format!("{} cannot start: {error}", self.name)),
            }
            sleep(START_PAUSE).await;
        };
        let server = GrpcServer::new(server_options(), shutdown.clone()).deliveries(Arc::new(node.clone()));
        serve(server, stop, shutdown, async move { node.drain().await }).await
    }
}

/// Serves until told to stop; then `drain`, while serving goes on, and the rest of what is under way.
async fn serve(
    server: GrpcServer,
    stop: CancellationToken,
    shutdown: Shutdown,
    drain: impl Future<Output = ()>,
) -> turmoil::Result {
    let serving = server.serve_incoming(listen().await?);
    let ending = async {
        stop.cancelled().await;
        let _ = timeout(END_PATIENCE, drain).await;
        shutdown.begin("told to stop");
        sleep(END_PATIENCE).await;
    };
    tokio::select! {
        biased;
        served = serving => Ok(served?),
        () = ending => Ok(()),
    }
}

const KEEP_ALIVE: KeepAlive = KeepAlive {
    interval: Duration::from_secs(2),
    timeout: Duration::from_secs(2),
};

fn client(node: &str, seed: u64) -> ClientOptions {
    ClientOptions {
        dialer: dialer(),
        connect_timeout: Duration::from_secs(2),
        keep_alive: KEEP_ALIVE,
        backoff: BackoffOptions {
            first: Duration::from_millis(100),
            max: Duration::from_secs(2),
        },
        ..ClientOptions::new(format!("{node}:{PORT}"), seed)
    }
}

fn server_options() -> ServerOptions {
    ServerOptions {
        keep_alive: KEEP_ALIVE,
        ..ServerOptions::default()
    }
}

fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        backoff: Backoff {
            first: Duration::from_millis(200),
            max: Duration::from_secs(5),
        },
        concurrency: 2,
        queue_items_max: 64,
        ..DeliveryOptions::default()
    }
}

fn selections() -> Arc<HashMap<Source, Selection>> {
    let definition =
        br#"{"parser":"json","schema":{"k":"string","all":"string","n":"integer","plain":"integer",
        "grouped":"integer","first":"integer","staged":"integer","staged_grouped":"integer"}}"#;
    let definition = Value::parse_json(definition).expect("a literal");
    let (schemas, problems) = SchemaSet::compile(&[(LOG_TYPE.to_owned(), definition)]);
    assert!(problems.is_empty(), "the schema of the simulation: {problems:?}");
    Arc::new(HashMap::from([(Source::clone(&source()), schemas.select_all())]))
}
