//! Rules whose alerts go out first and are merged after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use proptest::prelude::*;
use streamalert_proto::NeighbourError;
use streamalert_store::{AlertState, AlertStore, MemoryStore};
use streamalert_types::{Alert, AlertId, DeliveryOutcome, Merging, OutputName, Timestamp, Update};
use streamalert_value::Value;

use super::fixtures::{World, merge_alert};
use super::*;

const WINDOW_SECS: i64 = 300;

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

fn id(number: u128) -> AlertId {
    AlertId::from_u128(number)
}

fn user() -> OutputName {
    "o:1".parse().unwrap()
}

/// An alert of key `k` whose rule sends the first of a group at once.
fn first_alert(number: u128, created: i64, k: u64) -> Arc<Alert> {
    Arc::new(Alert {
        merging: Merging::FirstAtOnce,
        ..Alert::clone(&merge_alert(number, secs(created), 5, k))
    })
}

impl World {
    /// Deliveries to the user's output that are outstanding.
    fn at_user(&self) -> Vec<AlertId> {
        let user = user();
        let at_user = self.outstanding.iter().filter(|(_, output)| *output == user);
        at_user.map(|(alert, _)| *alert).collect()
    }

    /// Ends all deliveries to the history, and this one to the user.
    fn end(&mut self, alert: AlertId, outcome: DeliveryOutcome) {
        let outstanding = std::mem::take(&mut self.outstanding);
        let (ended, left): (Vec<_>, Vec<_>) = outstanding
            .into_iter()
            .partition(|(other, output)| *output != user() || *other == alert);
        self.outstanding = left;
        for (alert, output) in ended {
            let result = Ok(if output == user() {
                outcome.clone()
            } else {
                DeliveryOutcome::delivered(1)
            });
            self.event(Event::Delivered {
                alert,
                output,
                result,
            });
        }
    }

    fn update(&self, alert: AlertId) -> Option<Update> {
        self.updates[&(alert, user())].clone()
    }

    fn state(&self, alert: AlertId) -> AlertState {
        let view = self.store.view(alert).now_or_never().unwrap().unwrap();
        view.unwrap().state
    }

    /// A process dies, and the next one goes on with the store.
    fn restart(self, options: MergerOptions, epoch: u64) -> Self {
        let mut next = World::of_epoch(options, self.store, self.now, epoch);
        next.bodies = self.bodies;
        next
    }
}

fn opened() -> DeliveryOutcome {
    DeliveryOutcome::Delivered {
        attempts: 1,
        reference: Some("ISSUE-1".into()),
    }
}

fn dead() -> DeliveryOutcome {
    DeliveryOutcome::DeadLettered {
        attempts: 3,
        reason: "http 400".to_owned(),
    }
}

/// A field of a record as JSON.
fn field(record: &Value, name: &str) -> String {
    record.get(name).unwrap_or(&Value::Null).to_json()
}

fn record(world: &World, alert: AlertId) -> Value {
    Value::parse_json(&world.bodies[&alert].record).unwrap()
}

#[test]
fn the_first_goes_out_at_once_and_the_others_as_one_update_of_it() {
    let mut world = world();
    world.arrive(&[first_alert(1, 0, 7), first_alert(2, 0, 7)]);
    world.arrive(&[first_alert(3, 10, 7), first_alert(4, 10, 8)]);
    assert_eq!(world.at_user(), [id(1), id(4)], "of each group the first");
    world.end(id(1), opened());
    world.tick(secs(WINDOW_SECS));
    let (merged, members, _) = world.closed[0].clone();
    assert_eq!(members, [id(1), id(2), id(3)]);
    assert_eq!(world.at_user(), [id(4), merged]);
    let reference = Some("ISSUE-1".into());
    assert_eq!(world.update(merged), Some(Update { reference }));
    assert_eq!(world.bodies[&merged].merging, Merging::Follows(id(1)));
    let record = record(&world, merged);
    assert_eq!(field(&record, "AlertCount"), "2", "the others");
    assert_eq!(field(&record, "FirstAlert"), format!("\"{}\"", id(1)));
    assert_eq!(field(&record, "ClosedEarly"), "null");
    assert!(matches!(world.state(id(1)), AlertState::Settled { .. }));
}

#[test]
fn a_first_that_stays_alone_is_all_that_is_sent() {
    let mut world = world();
    world.arrive(&[first_alert(1, 0, 7)]);
    world.end(id(1), opened());
    assert_eq!(world.state(id(1)), AlertState::Open, "its group is open");
    world.tick(secs(WINDOW_SECS));
    assert!(matches!(world.state(id(1)), AlertState::Settled { .. }));
    assert!(world.closed.is_empty() && world.outstanding.is_empty() && world.machine.is_idle());
    world.arrive(&[first_alert(1, 0, 7)]);
    assert_eq!(world.at_user(), [], "one that is known opens nothing");
    world.arrive(&[first_alert(2, WINDOW_SECS + 1, 7)]);
    assert_eq!(world.at_user(), [id(2)]);
}

#[test]
fn what_came_with_an_alert_that_is_known_does_not_wait_in_its_place() {
    let mut world = world();
    world.arrive(&[first_alert(1, 0, 7)]);
    world.end(id(1), opened());
    world.tick(secs(WINDOW_SECS));
    world.arrive(&[first_alert(1, 0, 7), first_alert(2, WINDOW_SECS + 1, 7)]);
    world.tick(secs(WINDOW_SECS + 2));
    let merged = world.closed[0].0;
    assert_eq!(world.at_user(), [merged]);
    assert_eq!(world.update(merged), None, "an incident of its own");
}

#[test]
fn the_others_open_the_incident_where_the_first_became_a_dead_letter() {
    let mut world = world();
    world.arrive(&[first_alert(1, 0, 7), first_alert(2, 0, 7)]);
    world.end(id(1), dead());
    world.tick(secs(WINDOW_SECS));
    let merged = world.closed[0].0;
    assert_eq!(world.at_user(), [merged]);
    assert_eq!(world.update(merged), None);
    assert_eq!(
        world.bodies[&merged].incident(),
        id(1),
        "the same incident all the same: a replay of the first finds it"
    );
}

#[test]
fn an_update_waits_for_the_outcome_of_the_first_at_its_output_alone() {
    let mut world = world();
    world.arrive(&[first_alert(1, 0, 7), first_alert(2, 0, 7), first_alert(3, 0, 8)]);
    world.tick(secs(WINDOW_SECS));
    let merged = world.closed[0].0;
    assert_eq!(world.at_user(), [id(1), id(3)], "the output is slow");
    world.tick(secs(WINDOW_SECS + 100));
    assert_eq!(world.at_user(), [id(1), id(3)]);
    world.end(id(3), opened());
    assert_eq!(world.at_user(), [id(1)]);
    world.end(id(1), opened());
    assert_eq!(world.at_user(), [merged], "as soon as it is written");
    world.tick(secs(WINDOW_SECS + 200));
    assert_eq!(world.at_user(), [merged], "once");
}

#[test]
fn after_a_crash_the_first_is_still_the_first_and_known_alerts_change_nothing() {
    let mut world = world();
    let alerts = [first_alert(1, 0, 7), first_alert(2, 5, 7)];
    world.arrive(&alerts);
    world.end(id(1), opened());
    let mut world = world.restart(options(), 2);
    assert_eq!(world.at_user(), [], "it went out before");
    world.arrive(&alerts);
    world.arrive(&[first_alert(3, 20, 7)]);
    assert_eq!(world.at_user(), []);
    world.tick(secs(WINDOW_SECS));
    let (merged, members, _) = world.closed[0].clone();
    assert_eq!(members, [id(1), id(2), id(3)]);
    assert!(world.update(merged).unwrap().reference.is_some(), "known still");
}

#[test]
fn a_first_that_could_not_be_written_is_the_first_when_it_comes_again() {
    let mut world = world();
    let alerts = world.route(&[first_alert(1, 0, 7)]);
    let shard = alerts[0].shard;
    let effects = world.machine.apply(secs(0), Event::Arrived { batch: 9, alerts });
    let Effect::Accept { call, .. } = &effects[0] else {
        panic!("{effects:?}")
    };
    let busy = StoreError::Busy {
        reason: "throttled".to_owned(),
    };
    world.event(Event::Accepted {
        call: *call,
        result: Err(busy),
    });
    assert!(matches!(
        world.replies[&9],
        Err(NeighbourError::Unavailable { .. })
    ));
    world.arrive(&[first_alert(1, 0, 7)]);
    assert_eq!(world.at_user(), [id(1)], "shard {}", shard.0);
}

#[test]
fn a_group_that_is_closed_early_says_why() {
    for (options, says) in [
        (
            MergerOptions {
                group_alerts_max: 3,
                ..options()
            },
            "3 alerts",
        ),
        (
            MergerOptions {
                group_bytes_max: 1_500,
                ..options()
            },
            "bytes",
        ),
        (
            MergerOptions {
                groups_max: 0,
                ..options()
            },
            "1 open groups",
        ),
    ] {
        let mut world = World::new(options, MemoryStore::new(), secs(0));
        world.arrive(&[first_alert(1, 0, 7), first_alert(2, 0, 7), first_alert(3, 0, 7)]);
        world.end(id(1), opened());
        let merged = world.closed[0].0;
        let said = record(&world, merged);
        let said = field(&said, "ClosedEarly");
        assert!(said.contains(says), "{said}");
        assert_eq!(world.at_user(), [merged]);
        world.arrive(&[first_alert(4, 1, 7)]);
        assert!(world.at_user().contains(&id(4)), "the next group begins");
    }
}

#[test]
fn a_rule_that_is_being_tried_out_sends_nothing_first() {
    let mut world = world();
    let staged = Alert {
        staged: true,
        ..Alert::clone(&first_alert(1, 0, 7))
    };
    world.arrive(&[Arc::new(staged)]);
    assert_eq!(world.at_user(), []);
}

#[derive(Debug, Clone)]
enum Step {
    Arrive(Vec<u64>),
    Again(usize),
    Pass(i64),
    End(usize, bool),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(0_u64..3, 1..4).prop_map(Step::Arrive),
        1 => (0_usize..50).prop_map(Step::Again),
        3 => (0_i64..200).prop_map(Step::Pass),
        3 => (0_usize..50, any::<bool>()).prop_map(|(at, works)| Step::End(at, works)),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_each_alert_is_in_one_message_and_updates_come_after_their_first(
        steps in proptest::collection::vec(step(), 0..40), alerts_max in 2_usize..6,
    ) {
        let options = || MergerOptions { group_alerts_max: alerts_max, ..options() };
        let mut world = World::new(options(), MemoryStore::new(), secs(0));
        let (mut known, mut epoch) = (Vec::new(), 1);
        let mut sent = BTreeMap::<AlertId, Vec<AlertId>>::new();
        let mut outcomes = BTreeMap::<AlertId, DeliveryOutcome>::new();
        let drain = |world: &mut World, sent: &mut BTreeMap<_, _>| {
            for (merged, members, _) in world.closed.drain(..) {
                sent.insert(merged, members);
            }
        };
        let end = |world: &mut World, at: usize, works: bool, outcomes: &mut BTreeMap<AlertId, DeliveryOutcome>| {
            let open = world.at_user();
            let Some(alert) = open.get(at % open.len().max(1)).copied() else { return };
            if let Merging::Follows(first) = world.bodies[&alert].merging {
                let expected = outcomes.get(&first).map(Update::of);
                assert_eq!(expected, Some(world.update(alert)), "before the outcome of its first");
            }
            let outcome = if works { opened() } else { dead() };
            outcomes.insert(alert, outcome.clone());
            world.end(alert, outcome);
        };
        for step in steps {
            match step {
                Step::Arrive(keys) => {
                    let created = world.now.as_micros() / 1_000_000;
                    let alerts: Vec<_> = keys
                        .iter()
                        .enumerate()
                        .map(|(at, k)| first_alert((known.len() + at + 1) as u128, created, *k))
                        .collect();
                    known.extend(alerts.iter().cloned());
                    world.arrive(&alerts);
                }
                Step::Again(at) => {
                    let again: Vec<_> = known.iter().skip(at).take(2).cloned().collect();
                    world.arrive(&again);
                }
                Step::Pass(by) => world.tick(world.now.plus(Duration::from_secs(by.unsigned_abs()))),
                Step::End(at, works) => end(&mut world, at, works, &mut outcomes),
                Step::Restart => {
                    drain(&mut world, &mut sent);
                    epoch += 1;
                    world = world.restart(options(), epoch);
                }
            }
        }
        for _ in 0..200 {
            end(&mut world, 0, true, &mut outcomes);
            world.tick(world.now.plus(Duration::from_secs(60)));
        }
        drain(&mut world, &mut sent);
        prop_assert!(world.machine.is_idle() && world.at_user().is_empty());
        // alone, or merged with others: each once
        let mut messages = BTreeSet::new();
        let merged: BTreeSet<AlertId> = sent
            .values()
            .flat_map(|members| members.iter().filter(|member| !outcomes.contains_key(*member)))
            .copied()
            .collect();
        for alert in &known {
            let alone = outcomes.contains_key(&alert.id);
            prop_assert!(alone != merged.contains(&alert.id), "{} lost or twice", alert.id);
            messages.insert(alert.id);
        }
        for merged in sent.iter().filter(|(_, members)| members.iter().any(|member| !outcomes.contains_key(member))) {
            prop_assert!(outcomes.contains_key(merged.0), "{} not sent", merged.0);
        }
    }
}
