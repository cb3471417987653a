//! A whole process and a whole chain: health, admin, and three hops of acks.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_proto::{
    Admin, AdminError, AdminRequest, Alerts, Deliveries, Evaluated, NeighbourError, Records, v1,
};
use streamalert_service::{
    AdminClient, DispatcherClient, GrpcServer, MergerClient, ServerOptions, Shutdown, Supervisor, TaskKind,
};
use streamalert_types::{
    Alert, AlertBatch, AlertId, Delivery, DeliveryOutcome, OutputName, RecordBatch, Timestamp,
};
use streamalert_value::{Map, Value};
use support::{Fake, Node, batch, connect, free_address, options};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

async fn health(address: &str, service: &str) -> Result<ServingStatus, tonic::Code> {
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let response = HealthClient::new(channel)
        .check(request)
        .await
        .map_err(|status| status.code())?;
    let HealthCheckResponse { status } = response.into_inner();
    Ok(ServingStatus::try_from(status).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_speaks_for_the_services_that_run_here_until_they_drain() {
    let fake = Arc::new(Fake::default());
    let node = Node::start(ServerOptions::default(), Arc::clone(&fake)).await;
    assert_eq!(health(&node.address, "").await, Ok(ServingStatus::Serving));
    assert_eq!(
        health(&node.address, "streamalert.v1.RulesNode").await,
        Ok(ServingStatus::Serving)
    );
    assert_eq!(
        health(&node.address, "streamalert.v1.Merger").await,
        Err(tonic::Code::NotFound)
    );

    let channel = Endpoint::from_shared(format!("http://{}", node.address))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let request = HealthCheckRequest {
        service: "streamalert.v1.RulesNode".to_owned(),
    };
    let mut watch = HealthClient::new(channel)
        .watch(request)
        .await
        .unwrap()
        .into_inner();
    let said = |watch: Option<HealthCheckResponse>| ServingStatus::try_from(watch.unwrap().status).unwrap();
    assert_eq!(said(watch.message().await.unwrap()), ServingStatus::Serving);
    node.shutdown.begin("test");
    assert_eq!(said(watch.message().await.unwrap()), ServingStatus::NotServing);
}

struct Desk;

#[async_trait]
impl Admin for Desk {
    async fn ask(&self, request: AdminRequest) -> Result<String, AdminError> {
        match request {
            AdminRequest::ShowAlert(request) => Err(AdminError::NotFound { what: request.id }),
            AdminRequest::FlushGroups(_) => Err(AdminError::Unavailable {
                reason: "draining".into(),
            }),
            AdminRequest::ReplayDeadLetters(_) => Err(AdminError::Invalid {
                reason: "no ids".into(),
            }),
            other => Ok(format!("{other:?}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_is_answered_and_its_errors_keep_their_kind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = GrpcServer::new(ServerOptions::default(), Shutdown::new()).admin(Arc::new(Desk));
    tokio::spawn(server.serve(listener));
    let client = AdminClient::connect(&options(&address)).await.unwrap();
    let requests = [
        AdminRequest::ListAlerts(v1::ListAlertsRequest {
            rule: Some("root".into()),
            ..Default::default()
        }),
        AdminRequest::ListDeadLetters(v1::ListDeadLettersRequest {
            items_max: 3,
            ..Default::default()
        }),
        AdminRequest::ShowDeadLetter(v1::ShowDeadLetterRequest { id: "x".into() }),
        AdminRequest::RuleStats(v1::RuleStatsRequest::default()),
        AdminRequest::ServiceStats(v1::ServiceStatsRequest {}),
        AdminRequest::Status(v1::StatusRequest {}),
    ];
    for request in requests {
        assert_eq!(client.ask(request.clone()).await, Ok(format!("{request:?}")));
    }
    let show = AdminRequest::ShowAlert(v1::ShowAlertRequest { id: "a".into() });
    assert_eq!(
        client.ask(show).await,
        Err(AdminError::NotFound { what: "a".into() })
    );
    let flush = AdminRequest::FlushGroups(v1::FlushGroupsRequest::default());
    assert_eq!(
        client.ask(flush).await,
        Err(AdminError::Unavailable {
            reason: "draining".into()
        })
    );
    let replay = AdminRequest::ReplayDeadLetters(v1::ReplayDeadLettersRequest::default());
    assert_eq!(
        client.ask(replay).await,
        Err(AdminError::Invalid {
            reason: "no ids".into()
        })
    );
    let nobody = AdminClient::connect(&options(&free_address())).await;
    assert!(nobody.is_err_and(|error| error.is_retryable()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervised_process_serves_drains_and_ends_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = Shutdown::new();
    let mut supervisor = Supervisor::new(shutdown.clone());
    let fake = Arc::new(Fake::default());
    let server = GrpcServer::new(ServerOptions::default(), shutdown.clone()).records(fake);
    supervisor.spawn("grpc", TaskKind::Service, server.serve(listener));
    let process = tokio::spawn(supervisor.run());
    let connected = connect(options(&address));
    connected.client.evaluate(batch("a", 1)).await.unwrap();
    shutdown.begin("signal SIGTERM");
    assert_eq!(process.await.unwrap(), Ok(()));
}

/// A rules-node that raises one alert per record.
struct Rules(Arc<dyn Alerts>);

#[async_trait]
impl Records for Rules {
    async fn evaluate(&self, batch: RecordBatch) -> Result<Evaluated, NeighbourError> {
        let alerts = batch.records.iter().map(|record| {
            Arc::new(Alert {
                id: AlertId::new(record.id(), "always"),
                rule_name: "always".into(),
                rule_description: "".into(),
                created: Timestamp::EPOCH,
                cluster: record.source.cluster.clone(),
                log_source: Arc::clone(&record.log_type),
                log_type: "json".into(),
                source_entity: Arc::clone(&record.source.resource),
                source_service: Arc::clone(&record.source.service),
                outputs: BTreeSet::from([OutputName::history()]),
                publishers: Value::Null,
                context: Value::Map(Map::default()),
                merge_by_keys: Arc::from([]),
                merge_window_mins: 0,
                staged: false,
                record: record.json.clone(),
                traceparent: "".into(),
                rules_version: "".into(),
                merging: streamalert_types::Merging::default(),
            })
        });
        self.0
            .accept(AlertBatch {
                alerts: alerts.collect(),
            })
            .await?;
        Ok(Evaluated::default())
    }
}

/// A merger that answers when its deliveries have ended; some of them at once.
struct Merging(Arc<dyn Deliveries>, Semaphore);

#[async_trait]
impl Alerts for Merging {
    async fn accept(&self, batch: AlertBatch) -> Result<(), NeighbourError> {
        for alert in batch.alerts {
            let _turn = self.1.acquire().await.unwrap();
            self.0
                .deliver(Delivery {
                    alert,
                    output: OutputName::history(),
                    update: None,
                })
                .await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Outputs(Mutex<BTreeSet<AlertId>>);

#[async_trait]
impl Deliveries for Outputs {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        tokio::time::sleep(Duration::from_micros(500)).await;
        self.0.lock().unwrap().insert(delivery.alert.id);
        Ok(DeliveryOutcome::delivered(1))
    }
}

/// A service in a runtime of its own, killed and started again until dropped.
struct Restless(CancellationToken, Option<std::thread::JoinHandle<u32>>);

impl Restless {
    fn new(address: &str, every: Duration, build: impl Fn() -> GrpcServer + Send + 'static) -> Self {
        let stop = CancellationToken::new();
        let (address, stopped) = (address.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut kills = 0_u32;
            loop {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                let runtime = builder.worker_threads(1).enable_all().build().unwrap();
                let done = runtime.block_on(async {
                    let listener = loop {
                        match TcpListener::bind(&address).await {
                            Ok(listener) => break listener,
                            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                        }
                    };
                    tokio::spawn(build().serve(listener));
                    // Longer and longer lives, so that a machine under load gets something done, too.
                    let life = every * (1 + kills / 5);
                    tokio::time::timeout(life, stopped.cancelled()).await.is_ok()
                });
                runtime.shutdown_background();
                if done {
                    return kills;
                }
                kills += 1;
            }
        });
        Self(stop, Some(thread))
    }

    fn stop(mut self) -> u32 {
        self.0.cancel();
        self.1.take().map_or(0, |thread| thread.join().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_over_three_hops_hold_although_every_hop_is_killed_all_the_time() {
    let [rules, merger, dispatcher] = [(); 3].map(|()| free_address());
    let outputs = Arc::new(Outputs::default());
    let delivered = Arc::clone(&outputs);
    let server = || GrpcServer::new(ServerOptions::default(), Shutdown::new());
    let dispatching = Restless::new(&dispatcher, Duration::from_millis(130), move || {
        server().deliveries(Arc::clone(&outputs) as _)
    });
    let merging = Restless::new(&merger, Duration::from_millis(170), move || {
        let (client, task) = DispatcherClient::new(options(&dispatcher));
        tokio::spawn(task.run(CancellationToken::new()));
        server().alerts(Arc::new(Merging(Arc::new(client), Semaphore::new(16))))
    });
    let evaluating = Restless::new(&rules, Duration::from_millis(110), move || {
        let (client, task) = MergerClient::new(options(&merger));
        tokio::spawn(task.run(CancellationToken::new()));
        server().records(Arc::new(Rules(Arc::new(client))))
    });

    let client = connect(options(&rules)).client;
    let mut expected = BTreeSet::new();
    let mut submits = Vec::new();
    for number in 0..300 {
        let mut batch = batch("chain", 4);
        for (sub, record) in batch.records.iter_mut().enumerate() {
            record.sub = number * 4 + sub as u32;
            expected.insert(AlertId::new(record.id(), "always"));
        }
        let client = client.clone();
        submits.push(tokio::spawn(async move { client.evaluate(batch).await }));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for submit in submits {
        submit.await.unwrap().unwrap();
    }
    assert_eq!(*delivered.0.lock().unwrap(), expected);
    let kills = [evaluating, merging, dispatching].map(Restless::stop);
    assert!(kills.iter().all(|kills| *kills >= 3), "{kills:?}");
}
