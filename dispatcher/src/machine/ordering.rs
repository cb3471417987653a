//! Deliveries of one incident go one after another.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use streamalert_types::AlertId;

use super::*;
use crate::outputs::fixtures::alert;

/// The alert that opens incident `incident`, or one that goes on with it.
fn of_incident(incident: u32, number: u32) -> Alert {
    let first = alert(incident * 100);
    let merging = match number {
        0 => Merging::FirstAtOnce,
        _ => Merging::Follows(first.id),
    };
    Alert {
        merging,
        ..alert(incident * 100 + number)
    }
}

fn output() -> OutputName {
    "slack:a".parse().unwrap()
}

/// A machine and what is known of it from outside.
struct Line {
    machine: DeliveryMachine<u32>,
    now: Duration,
    /// What has no outcome yet, by incident, in the order in which it was accepted.
    open: BTreeMap<AlertId, VecDeque<AlertId>>,
    incidents: BTreeMap<AlertId, AlertId>,
    sending: Vec<DeliveryKey>,
    burying: Vec<Burial>,
    /// Those about to be buried: an attempt at a later one may not begin before.
    answered: Vec<AlertId>,
    references: Vec<Option<Arc<str>>>,
    waiters: BTreeMap<u32, AlertId>,
}

impl Line {
    fn new(concurrency: usize) -> Self {
        let options = DeliveryOptions {
            concurrency,
            backoff: Backoff {
                first: Duration::from_secs(1),
                max: Duration::from_secs(8),
            },
            dead_letter_after: Duration::from_secs(60),
            circuit_failures: 4,
            ..DeliveryOptions::default()
        };
        Self {
            machine: DeliveryMachine::new(options, 3),
            now: Duration::from_secs(10),
            open: BTreeMap::new(),
            incidents: BTreeMap::new(),
            sending: Vec::new(),
            burying: Vec::new(),
            answered: Vec::new(),
            references: Vec::new(),
            waiters: BTreeMap::new(),
        }
    }

    fn accept(&mut self, alert: Alert) {
        let waiter = self.waiters.len() as u32;
        let (id, incident) = (alert.id, alert.incident());
        self.waiters.insert(waiter, id);
        if self.answered.contains(&id) {
            // asked again: remembered, or delivered anew
            self.answered.retain(|other| *other != id);
        }
        let line = self.open.entry(incident).or_default();
        if !line.contains(&id) {
            line.push_back(id);
        }
        self.incidents.insert(id, incident);
        let update = (incident != id).then(Update::default);
        self.apply(Event::Accepted {
            alert: Arc::new(alert),
            output: output(),
            update,
            waiter,
        });
    }

    fn apply(&mut self, event: Event<u32>) {
        for effect in self.machine.apply(self.now, event) {
            match effect {
                Effect::Send { key, .. } => {
                    let line = &self.open[&self.incidents[&key.0]];
                    assert_eq!(line.front(), Some(&key.0), "before its turn");
                    assert!(!self.sending.contains(&key), "two attempts at once");
                    self.sending.push(key);
                }
                Effect::Bury(burials) => self.burying = burials,
                Effect::GivenUp { .. } => {}
                Effect::Answer { waiters, outcome } => {
                    if let DeliveryOutcome::Delivered { reference, .. } = outcome {
                        self.references.push(reference);
                    }
                    for waiter in waiters {
                        let id = self.waiters[&waiter];
                        let line = self.open.get_mut(&self.incidents[&id]).unwrap();
                        line.retain(|other| *other != id);
                        self.answered.push(id);
                    }
                }
                Effect::Release { .. } => panic!("nobody drains here"),
            }
        }
        let of = |key: &DeliveryKey| self.incidents[&key.0];
        let mut busy: Vec<AlertId> = self.sending.iter().map(of).collect();
        busy.sort_unstable();
        busy.dedup();
        assert_eq!(busy.len(), self.sending.len(), "two of one incident under way");
    }

    fn end(&mut self, at: usize, how: u8) {
        if self.sending.is_empty() {
            return;
        }
        let key = self.sending.remove(at % self.sending.len());
        let result = match how {
            0 => Err(SendError::retry("http 500")),
            1 => Err(SendError::permanent("http 400")),
            _ => Ok(Receipt {
                reference: Some("ref".to_owned()),
            }),
        };
        self.apply(Event::Sent { key, result });
    }

    fn end_burial(&mut self, works: bool) {
        if !std::mem::take(&mut self.burying).is_empty() {
            let result = if works { Ok(()) } else { Err("full".to_owned()) };
            self.apply(Event::Buried { result });
        }
    }

    fn pass(&mut self, by: Duration) {
        self.now += by;
        self.apply(Event::Tick);
    }
}

#[test]
fn an_update_waits_for_the_outcome_of_the_first_and_holds_up_nobody_else() {
    let mut line = Line::new(3);
    for alert in [of_incident(1, 0), of_incident(1, 1), of_incident(2, 0), alert(7)] {
        line.accept(alert);
    }
    assert_eq!(line.sending.len(), 3, "{:?}", line.sending);
    line.end(0, 0);
    assert_eq!(
        line.sending.len(),
        2,
        "the first is tried again before the update"
    );
    line.pass(Duration::from_secs(1));
    line.end(2, 1);
    line.end_burial(true);
    assert_eq!(
        line.sending.last().map(|key| key.0),
        Some(of_incident(1, 1).id),
        "a dead letter is an outcome, too"
    );
}

#[test]
fn what_the_output_calls_an_incident_is_told_where_an_update_may_come() {
    let mut line = Line::new(1);
    for (alert, told) in [
        (of_incident(1, 0), Some("ref")),
        (of_incident(1, 1), None),
        (alert(7), None),
    ] {
        line.accept(alert);
        line.end(0, 2);
        assert_eq!(line.references.last().unwrap().as_deref(), told);
    }
}

#[test]
fn what_waits_for_its_turn_is_let_go_by_a_drain_and_leaves_nothing_behind() {
    let mut line = Line::new(2);
    for number in 0..3 {
        line.accept(of_incident(1, number));
    }
    let released = line.machine.apply(line.now, Event::Drain);
    let released: usize = released
        .iter()
        .map(|effect| match effect {
            Effect::Release { waiters } => waiters.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(released, 2);
    line.end(0, 2);
    assert!(line.machine.is_idle());
    line.machine.apply(line.now, Event::Resume);
    line.accept(of_incident(1, 1));
    assert_eq!(line.sending.len(), 1);
}

#[derive(Debug, Clone)]
enum Step {
    /// The next of this incident, or one of its own.
    Accept(Option<u32>),
    /// The same once more.
    Again(u32),
    End(usize, u8),
    Bury(bool),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u32..3).prop_map(|incident| Step::Accept(Some(incident))),
        1 => Just(Step::Accept(None)),
        1 => (0_u32..3).prop_map(Step::Again),
        4 => (0_usize..4, 0_u8..4).prop_map(|(at, how)| Step::End(at, how)),
        1 => any::<bool>().prop_map(Step::Bury),
        2 => (0_u64..40).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn never_two_of_one_incident_in_order_and_none_for_ever(
        steps in proptest::collection::vec(step(), 0..80), concurrency in 1_usize..5,
    ) {
        let mut line = Line::new(concurrency);
        let mut next = BTreeMap::<u32, u32>::new();
        let mut plain = 9_000;
        for step in steps {
            match step {
                Step::Accept(Some(incident)) => {
                    let number = next.entry(incident).or_default();
                    line.accept(of_incident(incident, *number));
                    *number += 1;
                }
                Step::Accept(None) => {
                    plain += 1;
                    line.accept(alert(plain));
                }
                Step::Again(incident) => {
                    let id = of_incident(incident, 0).id;
                    // who asks again for what is open joins it
                    if line.open.get(&id).is_some_and(|open| open.contains(&id)) {
                        line.accept(of_incident(incident, 0));
                    }
                }
                Step::End(at, how) => line.end(at, how),
                Step::Bury(works) => line.end_burial(works),
                Step::Pass(secs) => line.pass(Duration::from_secs(secs)),
            }
        }
        for _ in 0..400 {
            line.end(0, 2);
            line.end_burial(true);
            if line.machine.is_idle() {
                break;
            }
            if line.sending.is_empty() && line.burying.is_empty() {
                let wake = line.machine.next_wake();
                prop_assert!(wake.is_some(), "held for ever");
                line.pass(wake.unwrap_or_default().saturating_sub(line.now));
            }
        }
        prop_assert!(line.machine.is_idle());
        prop_assert!(line.open.values().all(VecDeque::is_empty), "{:?}", line.open);
    }
}
