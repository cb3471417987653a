//! Fakes for the tests of this crate.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its part"
)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use streamalert_proto::{Evaluated, NeighbourError, Records};
use streamalert_service::{
    BackoffOptions, ClientOptions, GrpcServer, RulesNodeClient, ServeError, ServerOptions, Shutdown,
};
use streamalert_types::{DataType, Position, Record, RecordBatch, Sequence, Source};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A rules-node in memory. The name of a batch (its trace context) says what becomes of it.
#[derive(Default)]
pub struct Fake {
    pub delay: Option<Duration>,
    pub running: AtomicUsize,
    pub most_running: AtomicUsize,
    pub last: Mutex<Option<RecordBatch>>,
    pub names: Mutex<Vec<String>>,
    pub held: watch::Sender<Option<String>>,
}

impl Fake {
    /// Batches of this name do not end until released.
    pub fn hold(&self, name: &str) {
        self.held.send_replace(Some(name.to_owned()));
    }

    pub fn release(&self) {
        self.held.send_replace(None);
    }

    /// How many batches have ended, repetitions included.
    pub fn seen(&self) -> usize {
        self.names.lock().unwrap().len()
    }

    pub fn distinct(&self) -> usize {
        self.names.lock().unwrap().iter().collect::<BTreeSet<_>>().len()
    }
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Records for Fake {
    async fn evaluate(&self, batch: RecordBatch) -> Result<Evaluated, NeighbourError> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = Running(&self.running);
        self.most_running.fetch_max(running, Ordering::SeqCst);
        let name = batch.traceparent.clone();
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay).await;
        }
        let mut held = self.held.subscribe();
        held.wait_for(|held| held.as_ref() != Some(&name)).await.unwrap();
        self.names.lock().unwrap().push(name.clone());
        // Every second record is one whose trace is kept.
        let kept = (0..).step_by(2).take(batch.records.len().div_ceil(2)).collect();
        *self.last.lock().unwrap() = Some(batch);
        match name.as_str() {
            "refuse" => Err(NeighbourError::Refused {
                service: "rules-node",
                reason: "not for us".into(),
            }),
            "unavailable" => Err(NeighbourError::Unavailable {
                service: "rules-node",
                reason: "later".into(),
            }),
            "panic" => panic!("a defect"),
            _ => Ok(Evaluated { kept }),
        }
    }
}

pub fn record(number: u64, json: Bytes) -> Record {
    let source = Source {
        service: "kinesis".into(),
        resource: "logs".into(),
        cluster: Some("prod".into()),
    };
    Record {
        source: Arc::new(source),
        position: Position {
            partition: "shard-0".into(),
            sequence: Sequence::Offset(number),
        },
        sub: 0,
        log_type: "cloudtrail:events".into(),
        data_type: DataType::Json,
        json,
    }
}

pub fn batch(name: &str, records: u64) -> RecordBatch {
    let records = (0..records).map(|number| record(number, format!("{{\"number\":{number}}}").into()));
    RecordBatch {
        records: records.collect(),
        traceparent: name.to_owned(),
    }
}

pub fn batch_of_bytes(bytes: usize) -> RecordBatch {
    let json = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    RecordBatch {
        records: vec![record(0, json.into())],
        traceparent: "large".into(),
    }
}

/// An address where nobody listens.
pub fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

pub fn options(address: &str) -> ClientOptions {
    let backoff = BackoffOptions {
        first: Duration::from_millis(5),
        max: Duration::from_millis(50),
    };
    ClientOptions {
        backoff,
        ..ClientOptions::new(address, 1)
    }
}

pub struct Connected {
    pub client: RulesNodeClient,
    pub stop: CancellationToken,
}

pub fn connect(options: ClientOptions) -> Connected {
    let (client, task) = RulesNodeClient::new(options);
    let stop = CancellationToken::new();
    tokio::spawn(task.run(stop.clone()));
    Connected { client, stop }
}

pub struct Node {
    pub address: String,
    pub shutdown: Shutdown,
    pub task: JoinHandle<Result<(), ServeError>>,
}

impl Node {
    pub async fn start(options: ServerOptions, fake: Arc<Fake>) -> Self {
        Self::start_at("127.0.0.1:0", options, fake).await
    }

    pub async fn start_at(address: &str, options: ServerOptions, fake: Arc<Fake>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = Shutdown::new();
        let server = GrpcServer::new(options, shutdown.clone()).records(fake);
        Self {
            address,
            shutdown,
            task: tokio::spawn(server.serve(listener)),
        }
    }

    /// A server in a runtime of its own, so that it can be killed with all its tasks and sockets.
    pub fn kill_able(address: &str, options: ServerOptions, fake: Arc<Fake>) -> Killable {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = address.to_owned();
        runtime.spawn(async move {
            // The one before may still be going down.
            let listener = loop {
                match TcpListener::bind(&address).await {
                    Ok(listener) => break listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            };
            GrpcServer::new(options, Shutdown::new())
                .records(fake)
                .serve(listener)
                .await
        });
        Killable(runtime)
    }
}

pub struct Killable(tokio::runtime::Runtime);

impl Killable {
    pub fn kill(self) {
        self.0.shutdown_background();
    }
}

/// Waits for what other tasks bring about.
pub async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..4000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("did not happen within 20 s");
}
