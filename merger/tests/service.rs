//! The merger as its neighbours see it, on the memory store, with time standing still but for sleepers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

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
    Alert, AlertBatch, AlertId, Clock, Delivery, DeliveryOutcome, OutputName, Timestamp,
};
use streamalert_value::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The wall clock of tests: runs with tokio's paused time.
#[derive(Debug, Clone, Copy)]
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000).plus(self.0.elapsed())
    }
}

type Key = (AlertId, OutputName);

/// A dispatcher that takes its time and notes what it delivered.
#[derive(Debug, Clone)]
struct Outputs {
    state: Arc<Mutex<State>>,
    dead: watch::Sender<BTreeSet<String>>,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    delivered: BTreeMap<Key, u32>,
    in_flight: BTreeSet<Key>,
    /// In flight when the merger was killed: these may come twice.
    excused: BTreeSet<Key>,
    at: BTreeMap<Key, Timestamp>,
    unavailable: u32,
    clock: TestClock,
}

impl Outputs {
    fn new(clock: TestClock) -> Self {
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

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap())
    }

    fn kill(&self, output: &str) {
        self.dead.send_modify(|dead| {
            dead.insert(output.to_owned());
        });
    }

    fn revive(&self, output: &str) {
        self.dead.send_modify(|dead| {
            dead.remove(output);
        });
    }

    fn delivered(&self, output: &str) -> BTreeSet<AlertId> {
        self.state(|state| {
            let to = state.delivered.keys().filter(|(_, to)| to.as_str() == output);
            to.map(|(id, _)| *id).collect()
        })
    }

    fn merger_killed(&self) {
        self.state(|state| {
            let in_flight = std::mem::take(&mut state.in_flight);
            state.excused.extend(in_flight);
        });
    }

    fn assert_none_twice(&self) {
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
        Ok(DeliveryOutcome::Delivered { attempts: 1 })
    }
}

struct Bench {
    clock: TestClock,
    store: FaultyStore<MemoryStore>,
    outputs: Outputs,
}

impl Bench {
    fn new() -> Self {
        let clock = TestClock(Instant::now());
        Self {
            clock,
            store: FaultyStore::new(MemoryStore::new()),
            outputs: Outputs::new(clock),
        }
    }

    fn faults(&self) -> Faults {
        self.store.faults()
    }

    async fn try_start(&self, options: MergerOptions) -> Result<(MergerHandle, MergerTask), StartError> {
        let alerts: Arc<dyn AlertStore> = Arc::new(self.store.clone());
        let leases: Arc<dyn LeaseStore> = Arc::new(self.store.inner().clone());
        Merger::start(
            options,
            alerts,
            leases,
            Arc::new(self.outputs.clone()),
            Arc::new(self.clock),
        )
        .await
    }

    async fn start(&self) -> (MergerHandle, MergerTask) {
        self.try_start(options()).await.unwrap()
    }

    fn alert(&self, id: u128) -> Arc<Alert> {
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
        })
    }

    fn merge_alert(&self, id: u128, k: u64) -> Arc<Alert> {
        Arc::new(Alert {
            merge_by_keys: Arc::from(["k".to_owned()]),
            merge_window_mins: 5,
            record: Bytes::from(format!(r#"{{"k":{k}}}"#)),
            ..Alert::clone(&self.alert(id))
        })
    }
}

fn options() -> MergerOptions {
    MergerOptions {
        shards: 8,
        output_deliveries_max: 10,
        ..MergerOptions::default()
    }
}

fn batch(alerts: impl IntoIterator<Item = Arc<Alert>>) -> AlertBatch {
    AlertBatch {
        alerts: alerts.into_iter().collect(),
    }
}

fn ids(of: impl IntoIterator<Item = u128>) -> BTreeSet<AlertId> {
    of.into_iter().map(AlertId::from_u128).collect()
}

/// As a rules-node does: again until it is acknowledged.
async fn accept(merger: &MergerHandle, batch: AlertBatch) {
    while let Err(error) = merger.accept(batch.clone()).await {
        assert!(error.is_retryable());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until everything is delivered, which must not take for ever.
async fn idle(merger: &MergerHandle) {
    let day = Duration::from_hours(24);
    tokio::time::timeout(day, merger.wait_idle())
        .await
        .expect("everything is delivered within a day");
}

async fn close_groups(merger: &MergerHandle) {
    let day = Duration::from_hours(24);
    tokio::time::timeout(day, merger.close_groups_now())
        .await
        .expect("all groups are closed within a day");
}

#[tokio::test(start_paused = true)]
async fn far_more_alerts_than_windows_hold_are_all_delivered_once() {
    let bench = Bench::new();
    let (merger, _task) = bench.start().await;
    for chunk in 0..20_u128 {
        accept(&merger, batch((1..=50).map(|id| bench.alert(chunk * 50 + id)))).await;
    }
    let stats = merger.stats().await;
    assert!(
        stats.outputs.values().all(|output| output.outstanding <= 10),
        "{stats:?}"
    );
    assert!(stats.backlog() > 2_000 && !merger.idle().await);
    idle(&merger).await;
    for output in ["o:1", "o:2", "aws-firehose:alerts"] {
        assert_eq!(bench.outputs.delivered(output), ids(1..=1_000));
    }
    bench.outputs.assert_none_twice();
    let stats = merger.stats().await;
    assert_eq!(
        (stats.accepted, stats.outstanding(), stats.backlog()),
        (1_000, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_acknowledged_only_when_it_is_durable() {
    let bench = Bench::new();
    let (merger, _task) = bench.start().await;
    bench.faults().set_hanging(true);
    let accepting = tokio::spawn({
        let (merger, alert) = (merger.clone(), bench.alert(1));
        async move { merger.accept(batch([alert])).await }
    });
    sleep(Duration::from_mins(5)).await;
    assert!(!accepting.is_finished());
    assert!(bench.outputs.delivered("o:1").is_empty());
    bench.faults().set_hanging(false);
    accepting.await.unwrap().unwrap();
    idle(&merger).await;
    assert_eq!(bench.outputs.delivered("o:1"), ids([1]));
}

#[tokio::test(start_paused = true)]
async fn a_full_store_refuses_and_serves_again_once_there_is_room() {
    let bench = Bench::new();
    let (merger, _task) = bench.start().await;
    bench.faults().set_full(true);
    for _ in 0..3 {
        let error = merger.accept(batch([bench.alert(1)])).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    bench.faults().set_full(false);
    merger.accept(batch([bench.alert(1)])).await.unwrap();
    idle(&merger).await;
    bench.outputs.assert_none_twice();
}

#[tokio::test(start_paused = true)]
async fn outcomes_and_groups_that_cannot_be_written_are_written_once_there_is_room() {
    let bench = Bench::new();
    let (merger, task) = bench.start().await;
    accept(&merger, batch((1..=5).map(|id| bench.alert(id)))).await;
    accept(&merger, batch([bench.merge_alert(6, 7)])).await;
    bench.faults().set_full(true);
    sleep(Duration::from_mins(6)).await;
    assert_eq!(bench.outputs.delivered("o:1"), ids(1..=5));
    let stats = merger.stats().await;
    assert_eq!((stats.outstanding(), stats.closing_groups), (16, 1), "{stats:?}");
    bench.faults().set_full(false);
    idle(&merger).await;
    assert_eq!(bench.outputs.delivered("o:1").len(), 6);
    drop(task);
    let (merger, _task) = bench.start().await;
    idle(&merger).await;
    bench.outputs.assert_none_twice();
    bench.outputs.state(|state| assert!(state.excused.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_dead_output_delays_no_other_and_gets_everything_when_it_is_back() {
    let bench = Bench::new();
    let (merger, _task) = bench.start().await;
    bench.outputs.kill("o:1");
    for id in 1..=200 {
        accept(&merger, batch([bench.alert(id)])).await;
    }
    sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.outputs.delivered("o:2"), ids(1..=200));
    assert!(bench.outputs.delivered("o:1").is_empty());
    let stats = merger.stats().await;
    assert_eq!(stats.outputs[&"o:1".parse().unwrap()].outstanding, 10);
    bench.outputs.revive("o:1");
    idle(&merger).await;
    assert_eq!(bench.outputs.delivered("o:1"), ids(1..=200));
    bench.outputs.assert_none_twice();
}

#[tokio::test(start_paused = true)]
async fn a_group_is_sent_when_its_window_ends_and_little_later() {
    let bench = Bench::new();
    let (merger, _task) = bench.start().await;
    let start = bench.clock.now();
    accept(&merger, batch([bench.merge_alert(1, 7)])).await;
    sleep(Duration::from_secs(100)).await;
    accept(&merger, batch([bench.merge_alert(2, 7)])).await;
    idle(&merger).await;
    assert!(bench.outputs.delivered("o:1").is_empty());
    assert_eq!(merger.stats().await.grouped_alerts, 2);
    sleep(Duration::from_secs(203)).await;
    assert_eq!(bench.outputs.delivered("o:1").len(), 1);
    let window = Duration::from_secs(300) + options().window_grace;
    let (sent, bound) = (window, window + Duration::from_millis(1_200));
    bench.outputs.state(|state| {
        let of_group = state
            .at
            .iter()
            .find(|((_, output), _)| output.as_str() == "o:1")
            .unwrap();
        let after = of_group.1.since(start);
        assert!(after >= sent && after <= bound, "{after:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn closing_groups_now_ends_a_run_without_waiting_and_a_second_run_raises_nothing() {
    let bench = Bench::new();
    let (merger, task) = bench.start().await;
    let input = batch((1..=30).map(|id| bench.merge_alert(id, u64::try_from(id % 4).unwrap())));
    let begun = Instant::now();
    accept(&merger, input.clone()).await;
    close_groups(&merger).await;
    idle(&merger).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(bench.outputs.delivered("o:1").len(), 4);
    merger.drain().await;
    task.join().await.unwrap();
    let (merger, _task) = bench.start().await;
    accept(&merger, input).await;
    close_groups(&merger).await;
    idle(&merger).await;
    assert_eq!(merger.stats().await.duplicates, 30);
    bench.outputs.assert_none_twice();
}

#[tokio::test(start_paused = true)]
async fn lost_and_refused_writes_lose_and_double_nothing() {
    let bench = Bench::new();
    let (merger, _task) = bench.start().await;
    let mut rng = StdRng::seed_from_u64(3);
    for round in 0..100_u128 {
        match rng.random_range(0..6) {
            0 => bench.faults().fail_after(rng.random_range(1..4)),
            1 => bench.faults().fail_before(rng.random_range(1..4)),
            2 => bench.faults().fail_reads(rng.random_range(1..4)),
            3 => bench.outputs.state(|state| state.unavailable = 3),
            _ => {}
        }
        let alerts = (1..=10).map(|at| {
            let id = round * 10 + at;
            if id % 2 == 0 {
                bench.alert(id)
            } else {
                bench.merge_alert(id, u64::try_from(id % 7).unwrap())
            }
        });
        accept(&merger, batch(alerts)).await;
        sleep(Duration::from_secs(rng.random_range(0..20))).await;
    }
    close_groups(&merger).await;
    idle(&merger).await;
    let sent = bench.outputs.delivered("o:1");
    let plain = ids((1..=1_000).filter(|id| id % 2 == 0));
    let merged: BTreeSet<AlertId> = sent.difference(&plain).copied().collect();
    assert!(!merged.is_empty() && plain.is_subset(&sent));
    let everything: BTreeSet<AlertId> = merged.union(&ids(1..=1_000)).copied().collect();
    assert_eq!(bench.outputs.delivered("aws-firehose:alerts"), everything);
    assert_eq!(bench.outputs.delivered("o:1"), bench.outputs.delivered("o:2"));
    bench.outputs.assert_none_twice();
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_and_started_again_every_alert_is_delivered_and_none_twice_but_those_in_flight()
{
    let bench = Bench::new();
    let mut rng = StdRng::seed_from_u64(11);
    let mut next = 1_u128;
    for _ in 0..60 {
        let (merger, task) = bench.start().await;
        let lifetime = Duration::from_millis(rng.random_range(0..400));
        let work = async {
            loop {
                let alerts = (next..next + 5).map(|id| {
                    if id % 2 == 0 {
                        bench.alert(id)
                    } else {
                        bench.merge_alert(id, u64::try_from(id % 5).unwrap())
                    }
                });
                // Killed before the answer: sent again by the next life, as the source would.
                accept(&merger, batch(alerts)).await;
                next += 5;
                sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(lifetime, work).await;
        drop(task);
        bench.outputs.merger_killed();
        sleep(Duration::from_secs(30)).await;
    }
    let (merger, _task) = bench.start().await;
    close_groups(&merger).await;
    idle(&merger).await;
    let history = bench.outputs.delivered("aws-firehose:alerts");
    assert!(next > 200 && ids(1..next).is_subset(&history));
    let merged: BTreeSet<AlertId> = history
        .iter()
        .filter(|id| id.as_u128() >= next + 5)
        .copied()
        .collect();
    let plain = ids((1..next).filter(|id| id % 2 == 0));
    let expected: BTreeSet<AlertId> = merged.union(&plain).copied().collect();
    assert!(expected.is_subset(&bench.outputs.delivered("o:1")));
    bench.outputs.assert_none_twice();
    let grouped: BTreeSet<AlertId> = ids((1..next).filter(|id| id % 2 == 1));
    assert!(grouped.is_disjoint(&bench.outputs.delivered("o:1")));
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_out_and_gives_the_leases_back() {
    let bench = Bench::new();
    let (merger, task) = bench.start().await;
    accept(&merger, batch((1..=5).map(|id| bench.alert(id)))).await;
    merger.drain().await;
    task.join().await.unwrap();
    assert!(merger.accept(batch([bench.alert(9)])).await.is_err());
    let other = MergerOptions {
        node: "other".to_owned(),
        ..options()
    };
    let begun = Instant::now();
    let (merger, _task) = bench.try_start(other).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(
        merger.stats().await.outstanding(),
        0,
        "all five were settled before the end"
    );
    bench.outputs.assert_none_twice();
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_ever_for_a_dead_output() {
    let bench = Bench::new();
    let (merger, task) = bench.start().await;
    bench.outputs.kill("o:1");
    accept(&merger, batch([bench.alert(1)])).await;
    let begun = Instant::now();
    merger.drain().await;
    task.join().await.unwrap();
    assert!(begun.elapsed() <= options().drain_patience + Duration::from_secs(2));
    drop(merger);
    bench.outputs.merger_killed();
    bench.outputs.revive("o:1");
    let (merger, _task) = bench.start().await;
    idle(&merger).await;
    assert_eq!(bench.outputs.delivered("o:1"), ids([1]));
}

#[tokio::test(start_paused = true)]
async fn a_second_node_waits_for_the_leases_of_a_living_one_and_takes_those_of_a_dead_one() {
    let bench = Bench::new();
    let (merger, task) = bench.start().await;
    accept(&merger, batch([bench.merge_alert(1, 7)])).await;
    let other = MergerOptions {
        node: "other".to_owned(),
        ..options()
    };
    let refused = bench.try_start(other.clone()).await.unwrap_err();
    assert_eq!(refused, StartError::LeaseHeld { shard: 0, shards: 8 });
    drop(task);
    bench.outputs.merger_killed();
    let (merger, _task) = bench.try_start(other).await.unwrap();
    assert_eq!(merger.stats().await.grouped_alerts, 1);
    close_groups(&merger).await;
    idle(&merger).await;
    assert_eq!(bench.outputs.delivered("o:1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_lost_its_leases_acknowledges_nothing() {
    let bench = Bench::new();
    let (merger, _task) = bench.start().await;
    let leases = bench.store.inner();
    let at = bench.clock.now();
    for lease in LeaseStore::list(leases, "merger/").await.unwrap() {
        let answer = leases.take(&lease, "thief", None, at).await.unwrap();
        assert!(answer.written().is_some());
    }
    for id in 1..=20 {
        let error = merger.accept(batch([bench.alert(id)])).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    assert!(bench.outputs.delivered("o:1").is_empty());
}
