//! Mergers behind gRPC that come, go and die under load, and rules-nodes that find the owners of shards by the lease
//! table.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamalert_merger::{Merger, MergerHandle, MergerOptions};
use streamalert_proto::{Alerts, Deliveries};
use streamalert_service::{
    BackoffOptions, ClientOptions, GrpcServer, ServerOptions, ShardedAlerts, ShardedOptions, Shutdown,
};
use streamalert_store::{AlertState, AlertStore, LeaseStore, MemoryStore};
use streamalert_types::Alert;
use support::{Bench, batch, ids};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Short, since these tests run in real time.
const TERM: Duration = Duration::from_millis(1500);

const SHARDS: u16 = 16;

/// A merger in a runtime of its own, so that it can be killed with all its tasks and sockets.
struct Node {
    runtime: Runtime,
    merger: MergerHandle,
    shutdown: Shutdown,
}

impl Node {
    async fn start(name: &str, bench: &Arc<Bench>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shutdown = Shutdown::new();
        let (started, merger) = oneshot::channel();
        let (bench, name, stop) = (Arc::clone(bench), name.to_owned(), shutdown.clone());
        runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let options = MergerOptions {
                node: name,
                shards: SHARDS,
                lease: TERM,
                address: Some(listener.local_addr().unwrap().to_string()),
                drain_patience: Duration::from_secs(1),
                ..support::options()
            };
            let store: Arc<dyn AlertStore> = Arc::new(bench.store.clone());
            let leases: Arc<dyn LeaseStore> = Arc::new(bench.store.inner().clone());
            let outputs: Arc<dyn Deliveries> = Arc::new(bench.outputs.clone());
            let merger = Merger::start(options, store, leases, outputs, Arc::new(bench.clock)).await;
            let (merger, task) = merger.unwrap();
            started.send(merger.clone()).ok();
            GrpcServer::new(ServerOptions::default(), stop)
                .alerts(Arc::new(merger))
                .serve(listener)
                .await
                .unwrap();
            drop(task);
        });
        Self {
            merger: merger.await.unwrap(),
            runtime,
            shutdown,
        }
    }

    /// As SIGKILL does.
    fn kill(self, bench: &Bench) {
        self.runtime.shutdown_background();
        bench.outputs.merger_killed();
    }

    /// As SIGTERM does.
    async fn drain(self) {
        self.merger.drain().await;
        self.shutdown.begin("told to");
        self.runtime.shutdown_background();
    }
}

fn rules_node(bench: &Bench, seed: u64) -> (ShardedAlerts, CancellationToken) {
    let backoff = BackoffOptions {
        first: Duration::from_millis(20),
        max: Duration::from_millis(200),
    };
    let client = ClientOptions {
        backoff,
        ..ClientOptions::new("", seed)
    };
    let options = ShardedOptions {
        refresh_every: Duration::from_millis(500),
        refresh_pause: Duration::from_millis(20),
        in_flight_bytes_max: Some(1 << 20),
        ..ShardedOptions::alerts(SHARDS, client)
    };
    let (client, task) = ShardedAlerts::new(options, Arc::new(bench.store.inner().clone()));
    let stop = CancellationToken::new();
    tokio::spawn(task.run(stop.clone()));
    (client, stop)
}

/// Batches of ten alerts through two rules-nodes; each is sent once and must be accepted, however long that takes.
fn load(bench: &Arc<Bench>, from: u128, batches: u128, acked: &Arc<Mutex<Vec<u128>>>) -> JoinSet<()> {
    let clients = [rules_node(bench, 1), rules_node(bench, 1000)];
    let mut open = JoinSet::new();
    for number in 0..batches {
        let first = from + number * 10;
        let alerts: Vec<Arc<Alert>> = (first..first + 10).map(|id| spread(bench.alert(id))).collect();
        let (client, stop) = clients[(number % 2) as usize].clone();
        let acked = Arc::clone(acked);
        open.spawn(async move {
            sleep(Duration::from_millis(u64::try_from(number).unwrap() * 8)).await;
            client.accept(batch(alerts)).await.unwrap();
            acked.lock().unwrap().extend(first..first + 10);
            drop(stop);
        });
    }
    open
}

/// With one output only, so that there is less to wait for.
fn spread(alert: Arc<Alert>) -> Arc<Alert> {
    let outputs = ["o:1".parse().unwrap()].into();
    Arc::new(Alert {
        outputs,
        ..Alert::clone(&alert)
    })
}

async fn finished(mut load: JoinSet<()>) {
    let all = async {
        while let Some(ended) = load.join_next().await {
            ended.unwrap();
        }
    };
    timeout(Duration::from_secs(60), all)
        .await
        .expect("everything is accepted within a minute");
}

/// Every alert up to `last` was delivered, none twice but those in flight at a kill, and is settled in the store.
async fn check(bench: &Bench, last: u128, acked: &Mutex<Vec<u128>>) {
    assert_eq!(acked.lock().unwrap().len() as u128, last);
    let everything = ids(1..=last);
    let all = async {
        while bench.outputs.delivered("o:1") != everything {
            sleep(Duration::from_millis(50)).await;
        }
        for id in &everything {
            let settled = |state| matches!(state, AlertState::Settled { .. });
            while !settled(bench.store.inner().view(*id).await.unwrap().unwrap().state) {
                sleep(Duration::from_millis(50)).await;
            }
        }
    };
    timeout(Duration::from_secs(60), all)
        .await
        .expect("everything is delivered within a minute");
    bench.outputs.assert_none_twice();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mergers_that_join_leave_and_die_under_load_lose_nothing_and_double_nothing() {
    let bench = Arc::new(Bench::on(MemoryStore::new()));
    let acked = Arc::default();
    // The load begins before there is any merger: it waits.
    let running = load(&bench, 1, 500, &acked);
    let one = Node::start("one", &bench).await;
    let two = Node::start("two", &bench).await;
    let half = async |least: usize| {
        while acked.lock().unwrap().len() < least {
            sleep(Duration::from_millis(20)).await;
        }
    };
    half(500).await;
    let three = Node::start("three", &bench).await;
    half(1500).await;
    two.kill(&bench);
    half(2500).await;
    one.drain().await;
    let four = Node::start("four", &bench).await;
    finished(running).await;
    check(&bench, 5000, &acked).await;
    three.drain().await;
    four.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_all_mergers_are_dead_alerts_wait() {
    let bench = Arc::new(Bench::on(MemoryStore::new()));
    let acked: Arc<Mutex<Vec<u128>>> = Arc::default();
    let one = Node::start("one", &bench).await;
    finished(load(&bench, 1, 10, &acked)).await;
    one.kill(&bench);
    let running = load(&bench, 101, 40, &acked);
    sleep(TERM / 2).await;
    assert_eq!(acked.lock().unwrap().len(), 100);
    let two = Node::start("two", &bench).await;
    finished(running).await;
    check(&bench, 500, &acked).await;
    two.drain().await;
}
