//! A merger between a memory store and outputs that note what they got.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use streamalert_merger::{Merger, MergerHandle, MergerOptions, MergerTask, StartError};
use streamalert_proto::{Alerts, Deliveries, NeighbourError};
use streamalert_store::{AlertStore, Faults, FaultyStore, LeaseStore, MemoryStore};
use streamalert_types::{
    Alert, AlertBatch, AlertId, Clock, Delivery, DeliveryOutcome, Merging, OutputName, Timestamp,
};
use streamalert_value::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The wall clock of tests: runs with tokio's paused time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestClock(pub(crate) Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000).plus(self.0.elapsed())
    }
}

pub(crate) type Key = (AlertId, OutputName);

/// A dispatcher that takes its time and notes what it delivered.
#[derive(Debug, Clone)]
pub(crate) struct Outputs {
    state: Arc<Mutex<State>>,
    dead: watch::Sender<BTreeSet<String>>,
}

#[derive(Debug)]
pub(crate) struct State {
    rng: StdRng,
    delivered: BTreeMap<Key, u32>,
    in_flight: BTreeSet<Key>,
    /// In flight when the merger was killed: these may come twice.
    pub(crate) excused: BTreeSet<Key>,
    pub(crate) at: BTreeMap<Key, Timestamp>,
    pub(crate) unavailable: u32,
    clock: TestClock,
}

impl Outputs {
    pub(crate) fn new(clock: TestClock) -> Self {
        let state = State {
            rng: StdRng::seed_from_u64(7),
            delivered: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            excused: BTreeSet::new(),
            at: BTreeMap::new(),
            unavailable: 0,
            clock,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            dead: watch::Sender::new(BTreeSet::new()),
        }
    }

    pub(crate) fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap())
    }

    pub(crate) fn kill(&self, output: &str) {
        self.dead.send_modify(|dead| {
            dead.insert(output.to_owned());
        });
    }

    pub(crate) fn revive(&self, output: &str) {
        self.dead.send_modify(|dead| {
            dead.remove(output);
        });
    }

    pub(crate) fn delivered(&self, output: &str) -> BTreeSet<AlertId> {
        self.state(|state| {
            let to = state.delivered.keys().filter(|(_, to)| to.as_str() == output);
            to.map(|(id, _)| *id).collect()
        })
    }

    pub(crate) fn merger_killed(&self) {
        self.state(|state| {
            let in_flight = std::mem::take(&mut state.in_flight);
            state.excused.extend(in_flight);
        });
    }

    pub(crate) fn assert_none_twice(&self) {
        self.state(|state| {
            for (key, times) in &state.delivered {
                assert!(
                    *times == 1 || state.excused.contains(key),
                    "{key:?} delivered {times} times"
                );
            }
        });
    }
}

#[async_trait]
impl Deliveries for Outputs {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        let key = (delivery.alert.id, delivery.output.clone());
        let (pause, refuse) = self.state(|state| {
            let refuse = state.unavailable > 0;
            state.unavailable = state.unavailable.saturating_sub(1);
            if !refuse {
                state.in_flight.insert(key.clone());
            }
            (Duration::from_millis(state.rng.random_range(0..50)), refuse)
        });
        if refuse {
            return Err(NeighbourError::Unavailable {
                service: "dispatcher",
                reason: "told to".to_owned(),
            });
        }
        let name = delivery.output.as_str().to_owned();
        let mut dead = self.dead.subscribe();
        dead.wait_for(|dead| !dead.contains(&name)).await.unwrap();
        sleep(pause).await;
        self.state(|state| {
            let now = state.clock.now();
            *state.delivered.entry(key.clone()).or_default() += 1;
            state.at.insert(key.clone(), now);
        });
        // Delivered, but the merger does not know yet.
        sleep(pause).await;
        self.state(|state| state.in_flight.remove(&key));
        Ok(DeliveryOutcome::delivered(1))
    }
}

pub(crate) struct Bench {
    pub(crate) clock: TestClock,
    pub(crate) store: FaultyStore<MemoryStore>,
    leases: FaultyStore<MemoryStore>,
    pub(crate) outputs: Outputs,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::on(MemoryStore::new())
    }

    pub(crate) fn on(store: MemoryStore) -> Self {
        let clock = TestClock(Instant::now());
        Self {
            clock,
            leases: FaultyStore::new(store.clone()),
            store: FaultyStore::new(store),
            outputs: Outputs::new(clock),
        }
    }

    pub(crate) fn lease_faults(&self) -> Faults {
        self.leases.faults()
    }

    pub(crate) fn faults(&self) -> Faults {
        self.store.faults()
    }

    pub(crate) async fn try_start(
        &self,
        options: MergerOptions,
    ) -> Result<(MergerHandle, MergerTask), StartError> {
        let alerts: Arc<dyn AlertStore> = Arc::new(self.store.clone());
        let leases: Arc<dyn LeaseStore> = Arc::new(self.leases.clone());
        Merger::start(
            options,
            alerts,
            leases,
            Arc::new(self.outputs.clone()),
            Arc::new(self.clock),
        )
        .await
    }

    pub(crate) async fn start(&self) -> (MergerHandle, MergerTask) {
        self.try_start(options()).await.unwrap()
    }

    pub(crate) fn alert(&self, id: u128) -> Arc<Alert> {
        Arc::new(Alert {
            id: AlertId::from_u128(id),
            rule_name: "r".into(),
            rule_description: "".into(),
            created: self.clock.now(),
            cluster: None,
            log_source: "l:s".into(),
            log_type: "json".into(),
            source_entity: "e".into(),
            source_service: "s".into(),
            outputs: [
                OutputName::history(),
                "o:1".parse().unwrap(),
                "o:2".parse().unwrap(),
            ]
            .into(),
            publishers: Value::Null,
            context: Value::Map(Map::new()),
            merge_by_keys: Arc::from([]),
            merge_window_mins: 0,
            staged: false,
            record: Bytes::from_static(b"{}"),
            traceparent: "".into(),
            rules_version: "".into(),
            merging: Merging::default(),
        })
    }

    pub(crate) fn merge_alert(&self, id: u128, k: u64) -> Arc<Alert> {
        Arc::new(Alert {
            merge_by_keys: Arc::from(["k".to_owned()]),
            merge_window_mins: 5,
            record: Bytes::from(format!(r#"{{"k":{k}}}"#)),
            ..Alert::clone(&self.alert(id))
        })
    }
}

pub(crate) fn options() -> MergerOptions {
    MergerOptions {
        shards: 8,
        output_deliveries_max: 10,
        ..MergerOptions::default()
    }
}

pub(crate) fn batch(alerts: impl IntoIterator<Item = Arc<Alert>>) -> AlertBatch {
    AlertBatch {
        alerts: alerts.into_iter().collect(),
    }
}

pub(crate) fn ids(of: impl IntoIterator<Item = u128>) -> BTreeSet<AlertId> {
    of.into_iter().map(AlertId::from_u128).collect()
}

/// As a rules-node does: again until it is acknowledged.
pub(crate) async fn accept(merger: &MergerHandle, batch: AlertBatch) {
    while let Err(error) = merger.accept(batch.clone()).await {
        assert!(error.is_retryable());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until everything is delivered, which must not take for ever.
pub(crate) async fn idle(merger: &MergerHandle) {
    let day = Duration::from_hours(24);
    tokio::time::timeout(day, merger.wait_idle())
        .await
        .expect("everything is delivered within a day");
}

pub(crate) async fn close_groups(merger: &MergerHandle) {
    let day = Duration::from_hours(24);
    tokio::time::timeout(day, merger.close_groups_now())
        .await
        .expect("all groups are closed within a day");
}
