//! The merger as its neighbours see it, on the memory store, with time standing still but for sleepers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use streamalert_merger::MergerOptions;
use streamalert_proto::Alerts;
use streamalert_store::LeaseStore;
use streamalert_types::{AlertId, Clock};
use support::{Bench, accept, batch, close_groups, idle, ids, options};
use tokio::time::{Instant, sleep};

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
async fn a_second_node_takes_the_leases_of_a_dead_one_after_a_term() {
    let bench = Bench::new();
    let (merger, task) = bench.start().await;
    accept(&merger, batch([bench.merge_alert(1, 7)])).await;
    let other = MergerOptions {
        node: "other".to_owned(),
        ..options()
    };
    drop(task);
    bench.outputs.merger_killed();
    let (merger, _task) = bench.try_start(other).await.unwrap();
    sleep(Duration::from_secs(25)).await;
    assert_eq!(merger.stats().await.shards, 0, "the other may be alive");
    sleep(Duration::from_secs(15)).await;
    let stats = merger.stats().await;
    assert_eq!(
        (stats.shards, stats.grouped_alerts),
        (8, 1),
        "it was not for a term"
    );
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
