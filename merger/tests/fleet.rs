//! Several mergers on one store that come, go and die under load.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamalert_merger::{MergerHandle, MergerOptions, MergerTask};
use streamalert_proto::{Alerts, NeighbourError};
use streamalert_store::{AlertState, AlertStore, LeaseStore, MemoryStore};
use streamalert_types::{Alert, AlertId};
use support::{Bench, batch, close_groups, idle, ids, options};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const TERM: Duration = Duration::from_secs(30);

/// Mergers, and a rules-node that asks one after the other until one accepts.
#[derive(Clone)]
struct Fleet {
    bench: Arc<Bench>,
    mergers: Arc<Mutex<Vec<MergerHandle>>>,
    /// How long each alert waited for its acknowledgement, by its number.
    waited: Arc<Mutex<Vec<Duration>>>,
}

impl Fleet {
    fn new(store: MemoryStore) -> Self {
        Self {
            bench: Arc::new(Bench::on(store)),
            mergers: Arc::default(),
            waited: Arc::default(),
        }
    }

    async fn join(&self, name: &str) -> (MergerHandle, MergerTask) {
        let options = MergerOptions {
            node: name.to_owned(),
            shards: 24,
            address: Some(format!("{name}:4000")),
            lease: TERM,
            ..options()
        };
        let (handle, task) = self.bench.try_start(options).await.unwrap();
        self.mergers.lock().unwrap().push(handle.clone());
        (handle, task)
    }

    fn forget(&self, at: usize) {
        self.mergers.lock().unwrap().remove(at);
    }

    async fn accept(&self, alert: Arc<Alert>) {
        let begun = Instant::now();
        loop {
            let mergers = self.mergers.lock().unwrap().clone();
            for merger in mergers {
                match timeout(Duration::from_secs(5), merger.accept(batch([alert.clone()]))).await {
                    Ok(Ok(())) => return self.waited.lock().unwrap().push(begun.elapsed()),
                    Ok(Err(error)) => assert!(error.is_retryable(), "{error}"),
                    Err(_) => {}
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Alerts number `from` on, one every 25 ms, every second one to be merged; each is sent on its own, so that one
    /// that waits delays no other.
    fn load(&self, from: u128, count: u128) -> JoinHandle<()> {
        let fleet = self.clone();
        tokio::spawn(async move {
            let mut open = Vec::new();
            for id in from..from + count {
                let alert = if id % 2 == 0 {
                    fleet.bench.alert(id)
                } else {
                    let record = format!(r#"{{"k":{},"n":{id}}}"#, id % 40);
                    Arc::new(Alert {
                        record: record.into(),
                        ..Alert::clone(&fleet.bench.merge_alert(id, 0))
                    })
                };
                let fleet = fleet.clone();
                open.push(tokio::spawn(async move { fleet.accept(alert).await }));
                sleep(Duration::from_millis(25)).await;
            }
            for accepting in open {
                accepting.await.unwrap();
            }
        })
    }

    fn longest_wait(&self) -> Duration {
        let waited = std::mem::take(&mut *self.waited.lock().unwrap());
        waited.into_iter().max().unwrap_or_default()
    }

    async fn shards(&self) -> Vec<u64> {
        let mergers = self.mergers.lock().unwrap().clone();
        let mut shards = Vec::new();
        for merger in mergers {
            shards.push(merger.stats().await.shards);
        }
        shards
    }

    async fn epochs(&self) -> Vec<u64> {
        let leases = LeaseStore::list(self.bench.store.inner(), "merger/")
            .await
            .unwrap();
        leases.iter().map(|lease| lease.epoch).collect()
    }

    /// Every alert up to `last` is settled, plain ones were delivered once, and grouped ones are in one group each.
    async fn check(&self, last: u128) {
        let mergers = self.mergers.lock().unwrap().clone();
        for merger in &mergers {
            close_groups(merger).await;
        }
        for merger in &mergers {
            idle(merger).await;
        }
        let store = self.bench.store.inner();
        let sent = self.bench.outputs.delivered("o:1");
        let plain = ids((1..=last).filter(|id| id % 2 == 0));
        assert!(
            plain.is_subset(&sent),
            "{:?}",
            plain.difference(&sent).collect::<Vec<_>>()
        );
        let mut members = Vec::new();
        for merged in sent.difference(&plain) {
            let view = store.view(*merged).await.unwrap().unwrap();
            members.extend(members_of(&view.alert));
        }
        let count = members.len();
        let members: BTreeSet<AlertId> = members.into_iter().collect();
        assert_eq!(members.len(), count, "an alert is in two groups");
        assert_eq!(members, ids((1..=last).filter(|id| id % 2 == 1)));
        for id in (1..=last).map(AlertId::from_u128) {
            let view = store.view(id).await.unwrap().unwrap();
            assert!(matches!(view.state, AlertState::Settled { .. }), "{view:?}");
        }
        self.bench.outputs.assert_none_twice();
    }
}

/// The members of a merged alert, by the number in each of their records.
fn members_of(alert: &Alert) -> Vec<AlertId> {
    let text = std::str::from_utf8(&alert.record).unwrap();
    let number = |rest: &str| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        AlertId::from_u128(digits.parse().unwrap())
    };
    text.split("\"n\":").skip(1).map(number).collect()
}

#[tokio::test(start_paused = true)]
async fn nodes_that_join_take_their_share_and_a_node_that_leaves_leaves_no_gap() {
    let fleet = Fleet::new(MemoryStore::new());
    let (a, a_task) = fleet.join("a").await;
    assert_eq!(fleet.shards().await, [24]);
    let loading = fleet.load(1, 8_000);
    sleep(Duration::from_secs(5)).await;
    let before = fleet.epochs().await;
    let (_b, _b_task) = fleet.join("b").await;
    sleep(Duration::from_secs(40)).await;
    assert_eq!(fleet.shards().await, [12, 12]);
    let after = fleet.epochs().await;
    let moved = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after);
    assert_eq!(moved.count(), 12, "only the share of b has moved");
    let (_c, _c_task) = fleet.join("c").await;
    sleep(Duration::from_secs(40)).await;
    assert_eq!(fleet.shards().await, [8, 8, 8]);
    let waited = fleet.longest_wait();
    assert!(waited < Duration::from_secs(1), "{waited:?}");

    a.drain().await;
    a_task.join().await.unwrap();
    fleet.forget(0);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(fleet.shards().await, [12, 12]);
    let waited = fleet.longest_wait();
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    let epochs = fleet.epochs().await;
    sleep(TERM * 3).await;
    assert_eq!(fleet.epochs().await, epochs, "nothing moves without need");
    loading.await.unwrap();
    fleet.check(8_000).await;
    fleet
        .bench
        .outputs
        .state(|state| assert!(state.excused.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn the_shards_of_a_killed_node_are_served_again_after_a_term() {
    for store in [MemoryStore::new(), MemoryStore::new().with_late_writes()] {
        let fleet = Fleet::new(store);
        let (_a, a_task) = fleet.join("a").await;
        let (_b, _b_task) = fleet.join("b").await;
        let (_c, _c_task) = fleet.join("c").await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(fleet.shards().await, [8, 8, 8]);
        let loading = fleet.load(1, 4_000);
        sleep(Duration::from_secs(10)).await;
        drop(a_task);
        fleet.bench.outputs.merger_killed();
        fleet.forget(0);
        sleep(TERM + Duration::from_secs(10)).await;
        assert_eq!(fleet.shards().await, [12, 12]);
        loading.await.unwrap();
        let waited = fleet.longest_wait();
        assert!(
            waited > TERM / 2 && waited < TERM + Duration::from_secs(6),
            "{waited:?}"
        );
        fleet.check(4_000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_own_a_shard_says_who_does() {
    let fleet = Fleet::new(MemoryStore::new());
    let (_a, _a_task) = fleet.join("a").await;
    let (b, _b_task) = fleet.join("b").await;
    sleep(Duration::from_secs(40)).await;
    let mut refused = 0;
    for id in 1..=20 {
        match b.accept(batch([fleet.bench.alert(id)])).await {
            Ok(()) => {}
            Err(NeighbourError::NotOwner { shards, .. }) => {
                assert_eq!(shards[0].address.as_deref(), Some("a:4000"));
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!((1..20).contains(&refused), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_renew_stops_and_goes_on_where_it_was_when_nobody_took_over() {
    let fleet = Fleet::new(MemoryStore::new());
    let (a, _a_task) = fleet.join("a").await;
    fleet.bench.outputs.kill("o:1");
    fleet.accept(fleet.bench.alert(2)).await;
    let epochs = fleet.epochs().await;
    fleet.bench.lease_faults().set_full(true);
    sleep(Duration::from_secs(40)).await;
    let error = a.accept(batch([fleet.bench.alert(4)])).await.unwrap_err();
    assert!(matches!(error, NeighbourError::NotOwner { .. }), "{error}");
    fleet.bench.lease_faults().set_full(false);
    sleep(Duration::from_secs(5)).await;
    fleet.bench.outputs.revive("o:1");
    fleet.accept(fleet.bench.alert(4)).await;
    assert_eq!(fleet.epochs().await, epochs);
    idle(&a).await;
    assert_eq!(fleet.bench.outputs.delivered("o:1"), ids([2, 4]));
    fleet.bench.outputs.assert_none_twice();
}
