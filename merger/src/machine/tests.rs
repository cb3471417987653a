use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use proptest::prelude::*;
use streamalert_proto::NeighbourError;
use streamalert_store::{
    Accepted, AlertState, AlertStore, Fence, MemoryStore, ShardId, StoreError, StoredAlert,
};
use streamalert_types::{Alert, AlertId, OutputName, Timestamp};

use super::fixtures::{World, alert, merge_alert};
use super::*;

const fn secs(secs: i64) -> Timestamp {
    Timestamp::from_micros(secs * 1_000_000)
}

fn options() -> MergerOptions {
    MergerOptions {
        shards: 4,
        window_grace: Duration::ZERO,
        ..MergerOptions::default()
    }
}

fn world() -> World {
    World::new(options(), MemoryStore::new(), secs(0))
}

fn history(id: u128) -> (AlertId, OutputName) {
    (AlertId::from_u128(id), OutputName::history())
}

fn user(id: u128) -> (AlertId, OutputName) {
    (AlertId::from_u128(id), "o:1".parse().unwrap())
}

fn state(store: &MemoryStore, id: u128) -> AlertState {
    let view = store.view(AlertId::from_u128(id)).now_or_never().unwrap();
    view.unwrap().unwrap().state
}

#[test]
fn an_alert_without_merging_goes_to_all_its_outputs_at_once_and_becomes_a_tombstone() {
    let mut world = world();
    let batch = world.arrive(&[alert(1)]);
    assert_eq!(world.replies.get(&batch), Some(&Ok(())));
    assert_eq!(world.outstanding, [history(1), user(1)]);
    assert!(!world.machine.is_idle());
    world.answer(2);
    assert!(world.machine.is_idle());
    let expires = secs(0).plus(options().alerts_kept);
    assert_eq!(state(&world.store, 1), AlertState::Settled { expires });
    world.arrive(&[alert(1)]);
    assert!(world.outstanding.is_empty());
    assert_eq!(world.machine.stats().duplicates, 1);
}

#[test]
fn a_grouped_alert_goes_to_the_history_now_and_as_part_of_one_alert_everywhere_later() {
    let mut world = world();
    world.arrive(&[merge_alert(1, secs(0), 5, 7), merge_alert(2, secs(0), 5, 7)]);
    assert_eq!(world.outstanding, [history(1), history(2)]);
    world.answer(2);
    assert!(world.machine.is_idle());
    assert_eq!(state(&world.store, 1), AlertState::Open);
    world.tick(secs(299));
    assert!(world.closed.is_empty());
    world.tick(secs(300));
    let (merged, members, _) = world.closed[0].clone();
    assert_eq!(members.len(), 2);
    assert_eq!(
        world.outstanding,
        [history(merged.as_u128()), user(merged.as_u128())]
    );
    assert!(matches!(state(&world.store, 1), AlertState::Settled { .. }));
}

#[test]
fn a_staged_alert_reaches_the_history_only_grouped_or_not() {
    let mut world = world();
    let staged = |alert: Arc<Alert>| {
        Arc::new(Alert {
            staged: true,
            ..Alert::clone(&alert)
        })
    };
    world.arrive(&[
        staged(alert(1)),
        staged(merge_alert(2, secs(0), 5, 7)),
        merge_alert(3, secs(0), 5, 7),
    ]);
    world.tick(secs(300));
    assert_eq!(world.closed.len(), 2, "a staged alert shares no group");
    let user_output: OutputName = "o:1".parse().unwrap();
    let reached: Vec<AlertId> = world
        .delivered
        .keys()
        .filter(|(_, output)| *output == user_output)
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(reached.len(), 1);
    assert!(!world.bodies[&reached[0]].staged);
}

#[test]
fn the_grace_is_waited_beyond_the_window() {
    let graceful = MergerOptions {
        window_grace: Duration::from_secs(2),
        ..options()
    };
    let mut world = World::new(graceful, MemoryStore::new(), secs(0));
    world.arrive(&[merge_alert(1, secs(0), 1, 7)]);
    world.tick(secs(61));
    world.arrive(&[merge_alert(2, secs(60), 1, 7)]);
    world.tick(secs(62));
    assert_eq!(world.closed[0].1.len(), 2);
}

#[test]
fn a_clock_that_steps_back_or_a_rule_that_fired_in_the_future_keeps_no_group_open_beyond_its_window() {
    let mut world = World::new(options(), MemoryStore::new(), secs(10_000));
    world.arrive(&[
        merge_alert(1, secs(10_000), 1, 1),
        merge_alert(2, secs(99_000), 1, 2),
    ]);
    world.tick(secs(10_030));
    world.tick(secs(2_000));
    world.tick(secs(2_029));
    assert!(world.closed.is_empty());
    world.tick(secs(2_030));
    assert_eq!(world.closed.len(), 2);
}

#[test]
fn a_restart_goes_on_with_groups_and_deliveries_where_they_were() {
    let store = MemoryStore::new();
    let mut before = World::new(options(), store.clone(), secs(0));
    let grouped: Vec<_> = (1..=8).map(|id| merge_alert(id, secs(0), 5, 7)).collect();
    before.arrive(&grouped);
    before.arrive(&[alert(20), alert(21)]);
    before.answer(3);
    drop(before);
    let mut after = World::new(options(), store, secs(100));
    // The world answers as many pages as there are; what was answered before is not delivered again.
    assert_eq!(after.outstanding.len(), 8 + 4 - 3);
    after.tick(secs(300));
    assert_eq!(after.closed[0].1.len(), 8);
    let count = after.outstanding.len();
    after.answer(count);
    assert!(after.machine.is_idle());
    assert!(after.delivered.values().all(|times| *times == 1));
}

#[test]
fn an_overdue_group_closes_right_after_a_restart() {
    let store = MemoryStore::new();
    World::new(options(), store.clone(), secs(0)).arrive(&[merge_alert(1, secs(0), 5, 7)]);
    let mut after = World::new(options(), store, secs(5_000));
    after.tick(secs(5_000));
    assert_eq!(after.closed.len(), 1);
}

#[test]
fn closing_all_groups_does_not_wait_for_windows_and_gives_the_same_ids_again() {
    let close = || {
        let mut world = world();
        world.arrive(&[
            merge_alert(2, secs(1), 5, 7),
            merge_alert(1, secs(0), 5, 7),
            merge_alert(3, secs(2), 5, 8),
        ]);
        world.event(Event::CloseAll);
        assert!(!world.machine.is_closing());
        let mut ids: Vec<AlertId> = world.closed.iter().map(|(merged, ..)| *merged).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(close().len(), 2);
    assert_eq!(close(), close());
}

#[test]
fn a_refused_or_unreachable_dispatcher_is_asked_again_and_nothing_is_lost() {
    let mut world = world();
    world.arrive(&[alert(1)]);
    let fail = |world: &mut World, error: NeighbourError| {
        let (alert, output) = world.outstanding.remove(0);
        world.event(Event::Delivered {
            alert,
            output,
            result: Err(error),
        });
    };
    fail(
        &mut world,
        NeighbourError::Unavailable {
            service: "dispatcher",
            reason: "down".into(),
        },
    );
    fail(
        &mut world,
        NeighbourError::Refused {
            service: "dispatcher",
            reason: "no such output".into(),
        },
    );
    assert!(world.outstanding.is_empty());
    world.tick(secs(1));
    assert_eq!(world.outstanding, [history(1)]);
    world.tick(secs(301));
    assert_eq!(world.outstanding, [history(1), user(1)]);
    world.answer(2);
    assert!(world.machine.is_idle());
}

/// Takes the one effect that `pick` wants, leaving all others undone.
fn only<T>(effects: Vec<Effect>, pick: impl Fn(Effect) -> Option<T>) -> T {
    effects.into_iter().find_map(pick).unwrap()
}

fn accept_call(effects: Vec<Effect>) -> (u64, Fence, Vec<StoredAlert>) {
    only(effects, |effect| match effect {
        Effect::Accept { call, fence, alerts } => Some((call, fence, alerts)),
        _ => None,
    })
}

#[test]
fn after_a_write_that_may_have_happened_the_shard_is_read_again_and_the_alert_delivered() {
    let mut world = world();
    let alerts = world.route(&[merge_alert(1, secs(0), 5, 7)]);
    let effects = world.machine.apply(secs(0), Event::Arrived { batch: 99, alerts });
    let (call, fence, stored) = accept_call(effects);
    // It did happen, but the answer is lost.
    world.store.accept(fence, stored).now_or_never().unwrap().unwrap();
    let error = StoreError::Unavailable {
        reason: "timed out".into(),
    };
    world.event(Event::Accepted {
        call,
        result: Err(error),
    });
    assert!(matches!(
        world.replies.get(&99),
        Some(Err(NeighbourError::Unavailable { .. }))
    ));
    assert!(world.notices.contains(&Notice::Reloading(fence.shard)));
    assert_eq!(world.outstanding, [history(1)]);
    // The caller repeats it, as it must.
    let batch = world.arrive(&[merge_alert(1, secs(0), 5, 7)]);
    assert_eq!(world.replies.get(&batch), Some(&Ok(())));
    world.tick(secs(300));
    assert_eq!(world.closed.len(), 1);
    assert_eq!(world.delivered.get(&history(1)), Some(&1));
}

#[test]
fn a_full_store_is_reported_once_and_refuses_until_it_has_room() {
    let mut world = world();
    for id in 1..=2 {
        let alerts = world.route(&[alert(id)]);
        let effects = world.machine.apply(secs(0), Event::Arrived { batch: 90, alerts });
        let (call, ..) = accept_call(effects);
        world.event(Event::Accepted {
            call,
            result: Err(StoreError::Full {
                reason: "disk".into(),
            }),
        });
    }
    assert!(matches!(
        world.replies.get(&90),
        Some(Err(NeighbourError::Unavailable { .. }))
    ));
    world.arrive(&[alert(3)]);
    let told: Vec<_> = world
        .notices
        .iter()
        .filter(|notice| !matches!(notice, Notice::Serving(_)))
        .cloned()
        .collect();
    let full = StoreError::Full {
        reason: "disk".into(),
    };
    assert_eq!(told, [Notice::StoreFailing(full), Notice::StoreRecovered]);
}

#[test]
fn a_fenced_write_gives_the_shard_up_and_a_lease_of_a_new_epoch_takes_it_back() {
    let mut world = world();
    let alerts = world.route(&[alert(1)]);
    let shard = alerts[0].shard;
    let effects = world.machine.apply(secs(0), Event::Arrived { batch: 90, alerts });
    let (call, ..) = accept_call(effects);
    let fenced = StoreError::Fenced {
        shard: shard.0,
        current: 2,
        given: 1,
    };
    let effects = world.machine.apply(
        secs(0),
        Event::Accepted {
            call,
            result: Err(fenced),
        },
    );
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::LeaseLost(lost) if lost.shard == shard))
    );
    let batch = world.arrive(&[alert(1)]);
    assert!(world.replies[&batch].is_err());
    world.event(Event::Own(Fence { shard, epoch: 2 }));
    let batch = world.arrive(&[alert(1)]);
    assert_eq!(world.replies[&batch], Ok(()));
}

#[test]
fn an_answer_for_a_shard_that_was_lost_meanwhile_is_acknowledged_and_changes_nothing() {
    let mut world = world();
    let alerts = world.route(&[merge_alert(1, secs(0), 5, 7)]);
    let shard = alerts[0].shard;
    let effects = world.machine.apply(secs(0), Event::Arrived { batch: 90, alerts });
    let (call, ..) = accept_call(effects);
    world.event(Event::Lost(shard));
    world.event(Event::Accepted {
        call,
        result: Ok(vec![Accepted::New]),
    });
    assert_eq!(world.replies.get(&90), Some(&Ok(())));
    assert_eq!(world.machine.stats().open_groups, 0);
}

#[test]
fn an_answer_of_an_earlier_epoch_does_not_send_again_what_was_loaded_and_delivered_since() {
    let mut world = world();
    let alerts = world.route(&[alert(1)]);
    let effects = world.machine.apply(secs(0), Event::Arrived { batch: 90, alerts });
    let (call, fence, stored) = accept_call(effects);
    world.store.accept(fence, stored).now_or_never().unwrap().unwrap();
    world.event(Event::Lost(fence.shard));
    world.event(Event::Own(Fence {
        shard: fence.shard,
        epoch: 2,
    }));
    world.answer(2);
    world.event(Event::Accepted {
        call,
        result: Ok(vec![Accepted::New]),
    });
    assert_eq!(world.replies.get(&90), Some(&Ok(())));
    assert!(world.outstanding.is_empty());
    assert!(world.machine.is_idle());
}

#[test]
fn draining_refuses_newcomers_and_writes_what_has_ended() {
    let mut world = world();
    world.arrive(&[alert(1)]);
    world.event(Event::Drain);
    let batch = world.arrive(&[alert(2)]);
    assert!(world.replies[&batch].is_err());
    assert_eq!(world.machine.outstanding(), 2);
    world.answer(2);
    assert!(world.machine.is_settled() && world.machine.outstanding() == 0);
    assert!(matches!(state(&world.store, 1), AlertState::Settled { .. }));
}

#[test]
fn tombstones_are_forgotten_when_their_time_has_come() {
    let mut world = world();
    world.arrive(&[alert(1)]);
    world.answer(2);
    world.tick(secs(1));
    world.tick(secs(7 * 24 * 3_600 + 100));
    assert_eq!(world.machine.stats().expired, 1);
    assert!(
        world
            .store
            .view(AlertId::from_u128(1))
            .now_or_never()
            .unwrap()
            .unwrap()
            .is_none()
    );
}

/// What a random run does next.
#[derive(Debug, Clone)]
enum Step {
    Arrive(Vec<(u128, i64)>),
    Tick(i64),
    Answer(usize),
    Restart,
    Reload(u16),
    CloseAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Ids repeat: redelivery. Creation is within a minute around the present.
    let arrival = (1_u128..80, -60_i64..2);
    let step = prop_oneof![
        6 => proptest::collection::vec(arrival, 1..6).prop_map(Step::Arrive),
        4 => (-30_i64..90).prop_map(Step::Tick),
        4 => (1_usize..8).prop_map(Step::Answer),
        1 => Just(Step::Restart),
        1 => (0_u16..4).prop_map(Step::Reload),
        1 => Just(Step::CloseAll),
    ];
    proptest::collection::vec(step, 1..60)
}

fn tight() -> MergerOptions {
    MergerOptions {
        group_alerts_max: 4,
        output_deliveries_max: 3,
        closing_groups_max: 2,
        ..options()
    }
}

/// The same id always is the same alert, as ids derive from content.
fn nth(id: u128, created: Timestamp) -> Arc<Alert> {
    match id % 3 {
        0 => alert(id),
        _ => merge_alert(
            id,
            created,
            1 + u32::try_from(id % 2).unwrap(),
            u64::try_from(id % 5).unwrap(),
        ),
    }
}

#[derive(Default)]
struct Ledger {
    delivered: BTreeMap<(AlertId, OutputName), u32>,
    closed: Vec<(AlertId, Vec<AlertId>, Timestamp)>,
    bodies: BTreeMap<AlertId, Arc<Alert>>,
    acked: BTreeSet<u128>,
    excused: BTreeSet<(AlertId, OutputName)>,
}

impl Ledger {
    fn take(&mut self, world: &mut World) {
        for (key, times) in std::mem::take(&mut world.delivered) {
            *self.delivered.entry(key).or_default() += times;
        }
        self.closed.append(&mut world.closed);
        self.bodies.append(&mut world.bodies);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// M1: every acknowledged alert is in exactly one closed group or open in the store. M2: a group has one key.
    /// D1: everything is delivered, and nothing twice but what was in flight at a restart.
    #[test]
    fn no_run_loses_doubles_or_mixes_alerts(steps in steps()) {
        let store = MemoryStore::new();
        let mut now = secs(1_000);
        let mut world = World::new(tight(), store.clone(), now);
        let mut ledger = Ledger::default();
        for step in steps {
            match step {
                Step::Arrive(list) => {
                    let created = |ago: i64| secs((now.as_micros() / 1_000_000 + ago).max(0));
                    let alerts: Vec<_> = list.iter().map(|(id, ago)| nth(*id, created(*ago))).collect();
                    let batch = world.arrive(&alerts);
                    prop_assert_eq!(world.replies.get(&batch), Some(&Ok(())));
                    ledger.acked.extend(list.iter().map(|(id, _)| *id));
                }
                Step::Tick(by) => {
                    now = secs(now.as_micros() / 1_000_000 + by);
                    world.tick(now);
                }
                Step::Answer(count) => world.answer(count),
                Step::Restart => {
                    ledger.excused.extend(world.outstanding.drain(..));
                    ledger.take(&mut world);
                    world = World::new(tight(), store.clone(), now);
                }
                Step::Reload(shard) => {
                    world.machine.reload(ShardId(shard));
                    world.event(Event::Tick);
                }
                Step::CloseAll => world.event(Event::CloseAll),
            }
        }
        // To the end: all windows over, all deliveries answered.
        for _ in 0..200 {
            now = now.plus(Duration::from_secs(60));
            world.tick(now);
            world.answer(100);
        }
        prop_assert!(world.machine.is_idle());
        prop_assert_eq!(world.machine.stats().grouped_alerts, 0);
        ledger.take(&mut world);

        let mut grouped: BTreeMap<AlertId, u32> = BTreeMap::new();
        for (_, members, _) in &ledger.closed {
            let keys: BTreeSet<u128> = members.iter().map(|id| id.as_u128() % 5).collect();
            prop_assert_eq!(keys.len(), 1, "M2");
            prop_assert!(members.len() <= 4);
            for id in members {
                *grouped.entry(*id).or_default() += 1;
            }
        }
        for id in &ledger.acked {
            let times = grouped.get(&AlertId::from_u128(*id)).copied().unwrap_or(0);
            prop_assert_eq!(times, u32::from(*id % 3 != 0), "M1 of alert {}", id);
        }
        let merged: BTreeSet<AlertId> = ledger.closed.iter().map(|(id, ..)| *id).collect();
        prop_assert_eq!(merged.len(), ledger.closed.len(), "each group is an alert of its own");
        let acked: BTreeSet<AlertId> = ledger.acked.iter().map(|id| AlertId::from_u128(*id)).collect();
        let plain = acked.iter().filter(|id| id.as_u128() % 3 == 0);
        let user = |id: &AlertId| (*id, "o:1".parse().unwrap());
        let mut expected: BTreeSet<_> = merged.iter().chain(plain).map(user).collect();
        expected.extend(merged.union(&acked).map(|id| (*id, OutputName::history())));
        let delivered: BTreeSet<_> = ledger.delivered.keys().cloned().collect();
        prop_assert_eq!(delivered, expected, "D1");
        for (key, times) in &ledger.delivered {
            prop_assert!(*times == 1 || ledger.excused.contains(key), "{:?} {} times", key, times);
        }
    }

    /// M3: whatever the wall clock does besides running, no group is open longer than the window of its oldest.
    #[test]
    fn no_group_outlives_its_window(arrivals in proptest::collection::vec((0_i64..5, 1_u32..4, 0_u64..3, -20_i64..20), 1..40)) {
        let mut world = World::new(options(), MemoryStore::new(), secs(1_000));
        let mut arrived: BTreeMap<AlertId, i64> = BTreeMap::new();
        let (mut elapsed, mut wall) = (0, 1_000);
        for (at, (pause, window, key, step)) in arrivals.into_iter().enumerate() {
            elapsed += pause;
            wall += pause;
            world.tick(secs(wall));
            if step < 0 {
                // A step back of the wall clock.
                wall += step;
                world.tick(secs(wall));
            }
            let id = at as u128 + 1;
            let alert = merge_alert(id, secs(wall + step.max(0)), window, key);
            arrived.insert(alert.id, elapsed);
            world.arrive(&[alert]);
        }
        for _ in 0..200 {
            elapsed += 1;
            wall += 1;
            let before = world.closed.len();
            world.tick(secs(wall));
            let mut keys = BTreeSet::new();
            for (_, members, _) in world.closed.iter().skip(before) {
                // A group behind another of its key closes after that.
                if !keys.insert(world.bodies[&members[0]].record.slice(..6)) {
                    continue;
                }
                let oldest = &world.bodies[&members[0]];
                let open = elapsed - arrived[&oldest.id];
                let window = i64::from(oldest.merge_window_mins) * 60;
                prop_assert!(open <= window, "{} seconds, window {}", open, window);
            }
        }
        prop_assert_eq!(world.machine.stats().grouped_alerts, 0);
    }
}
