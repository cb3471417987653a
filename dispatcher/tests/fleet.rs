//! Dispatchers behind gRPC that die and leave with deliveries in flight, and mergers that find the owners of outputs by
//! the lease table.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use streamalert_dispatcher::{
    DefaultPublisher, DeliveryOptions, Dispatcher, DispatcherNode, DispatcherOptions, Output, OutputRegistry,
    Publication, Receipt, SendError, SlotOptions,
};
use streamalert_proto::Deliveries;
use streamalert_service::{
    BackoffOptions, ClientOptions, GrpcServer, ServerOptions, ShardedDeliveries, ShardedOptions, Shutdown,
};
use streamalert_store::MemoryStore;
use streamalert_types::{Alert, AlertId, Delivery, DeliveryOutcome, ManualClock, Merging, Timestamp};
use streamalert_value::{Map, Value};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Short, since these tests run in real time.
const TERM: Duration = Duration::from_millis(1500);

const OUTPUTS: u32 = 12;

/// What the outputs of all nodes got.
#[derive(Debug, Default)]
struct Outputs {
    got: Mutex<BTreeMap<String, u32>>,
    in_flight: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Outputs {
    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }
}

struct Recording {
    node: String,
    outputs: Arc<Outputs>,
}

#[async_trait]
impl Output for Recording {
    async fn send(&self, _: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let in_flight = |change: &dyn Fn(&mut BTreeSet<String>)| {
            change(
                self.outputs
                    .in_flight
                    .lock()
                    .unwrap()
                    .entry(self.node.clone())
                    .or_default(),
            );
        };
        in_flight(&|keys| {
            keys.insert(key.to_owned());
        });
        sleep(Duration::from_millis(10)).await;
        *self
            .outputs
            .got
            .lock()
            .unwrap()
            .entry(key.to_owned())
            .or_default() += 1;
        sleep(Duration::from_millis(10)).await;
        in_flight(&|keys| {
            keys.remove(key);
        });
        Ok(Receipt::default())
    }
}

/// A dispatcher in a runtime of its own, so that it can be killed with all its tasks and sockets.
struct Node {
    name: String,
    runtime: Runtime,
    dispatcher: DispatcherNode,
    shutdown: Shutdown,
}

impl Node {
    async fn start(name: &str, store: &MemoryStore, outputs: &Arc<Outputs>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shutdown = Shutdown::new();
        let (started, dispatcher) = oneshot::channel();
        let (store, outputs) = (store.clone(), Arc::clone(outputs));
        let (node, stop) = (name.to_owned(), shutdown.clone());
        runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut registry = OutputRegistry::default();
            for number in 0..OUTPUTS {
                let made = Recording {
                    node: node.clone(),
                    outputs: Arc::clone(&outputs),
                };
                let options = DeliveryOptions {
                    concurrency: 2,
                    ..DeliveryOptions::default()
                };
                registry.insert(format!("o:{number}").parse().unwrap(), Arc::new(made), options);
            }
            let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
            let (handle, _task) = Dispatcher {
                options: DispatcherOptions::default(),
                outputs: registry,
                publisher: Arc::new(DefaultPublisher),
                dead_letters: Arc::new(store.clone()),
                clock: clock.clone(),
                seed: 1,
            }
            .start();
            let address = listener.local_addr().unwrap().to_string();
            let options = SlotOptions {
                slots: 16,
                lease: TERM,
                ..SlotOptions::new(node, Some(address))
            };
            let leases = Arc::new(store);
            let (dispatcher, _keeping) = DispatcherNode::start(options, handle, leases, clock)
                .await
                .unwrap();
            started.send(dispatcher.clone()).ok();
            GrpcServer::new(ServerOptions::default(), stop)
                .deliveries(Arc::new(dispatcher))
                .serve(listener)
                .await
                .unwrap();
        });
        Self {
            name: name.to_owned(),
            dispatcher: dispatcher.await.unwrap(),
            runtime,
            shutdown,
        }
    }

    /// As SIGKILL does. Answers what was in flight, which may come twice.
    fn kill(self, outputs: &Outputs) -> BTreeSet<String> {
        self.runtime.shutdown_background();
        let mut in_flight = outputs.in_flight.lock().unwrap();
        in_flight.remove(&self.name).unwrap_or_default()
    }

    /// As SIGTERM does.
    async fn drain(self) {
        self.dispatcher.drain().await;
        self.shutdown.begin("told to");
        self.runtime.shutdown_background();
    }
}

fn delivery(number: u32) -> Delivery {
    let alert = Alert {
        id: AlertId::from_u128(u128::from(number) + 1),
        rule_name: "r".into(),
        rule_description: "".into(),
        created: Timestamp::EPOCH,
        cluster: None,
        log_source: "l:s".into(),
        log_type: "json".into(),
        source_entity: "e".into(),
        source_service: "s".into(),
        outputs: [].into(),
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: Arc::from([]),
        merge_window_mins: 0,
        staged: false,
        record: Bytes::from_static(b"{}"),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    };
    Delivery {
        alert: Arc::new(alert),
        output: format!("o:{}", number % OUTPUTS).parse().unwrap(),
        update: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dispatchers_that_die_and_leave_with_deliveries_in_flight_lose_nothing_and_double_nothing() {
    const COUNT: u32 = 6000;
    let (store, outputs) = (MemoryStore::new(), Arc::<Outputs>::default());
    let backoff = BackoffOptions {
        first: Duration::from_millis(20),
        max: Duration::from_millis(200),
    };
    let client = ClientOptions {
        backoff,
        ..ClientOptions::new("", 1)
    };
    let options = ShardedOptions {
        refresh_every: Duration::from_millis(500),
        refresh_pause: Duration::from_millis(20),
        ..ShardedOptions::deliveries(16, client)
    };
    let (client, task) = ShardedDeliveries::new(options, Arc::new(store.clone()));
    let stop = CancellationToken::new();
    tokio::spawn(task.run(stop.clone()));
    let mut open = JoinSet::new();
    for number in 0..COUNT {
        let client = client.clone();
        open.spawn(async move {
            let outcome = client.deliver(delivery(number)).await.unwrap();
            assert!(matches!(outcome, DeliveryOutcome::Delivered { .. }));
        });
    }
    let one = Node::start("one", &store, &outputs).await;
    let reached = async |least: usize| {
        while outputs.count() < least {
            sleep(Duration::from_millis(10)).await;
        }
    };
    reached(200).await;
    let two = Node::start("two", &store, &outputs).await;
    reached(1500).await;
    let excused = one.kill(&outputs);
    reached(3000).await;
    let three = Node::start("three", &store, &outputs).await;
    reached(4500).await;
    two.drain().await;
    let all = async {
        while let Some(ended) = open.join_next().await {
            ended.unwrap();
        }
    };
    timeout(Duration::from_secs(60), all)
        .await
        .expect("everything is delivered within a minute");
    let got = outputs.got.lock().unwrap().clone();
    assert_eq!(got.len(), COUNT as usize);
    for (key, times) in got {
        assert!(times == 1 || excused.contains(&key), "{key} came {times} times");
    }
    three.drain().await;
    stop.cancel();
}
