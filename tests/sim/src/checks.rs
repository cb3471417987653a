//! The invariants that are checked when a run is over.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use streamalert_store::{AlertFilter, AlertState, AlertStore, AlertView, CheckpointStore, DeadLetterStore};
use streamalert_types::{AlertId, DeadLetterId, OutputName};

use crate::history::{ClosedGroup, group_of};
use crate::invariants::Invariant;
use crate::script::{Rule, output};
use crate::world::World;

/// Whether every source is read to its end and acknowledged, and nothing is open in the store.
pub(crate) fn at_rest(world: &World) -> bool {
    let memory = &world.memory;
    let read = world.scripts.iter().all(|script| {
        let source = script.source.to_string();
        let checkpoint = CheckpointStore::get(memory, &source, &script.partition);
        let checkpoint = checkpoint.now_or_never().and_then(Result::ok).flatten();
        checkpoint.is_some_and(|checkpoint| checkpoint.finished)
    });
    read && views(world, true, 1).is_empty()
}

fn views(world: &World, open_only: bool, items_max: usize) -> Vec<AlertView> {
    let filter = AlertFilter {
        open_only,
        ..AlertFilter::default()
    };
    let views = AlertStore::list(&world.memory, &filter, items_max).now_or_never();
    views.and_then(Result::ok).unwrap_or_default()
}

/// Whether an alert that may be merged went, or goes, out on its own account: the first of its group.
fn goes_alone(view: &AlertView) -> bool {
    let output = output("sim:a");
    view.alert.merge_enabled() && (view.pending.contains(&output) || view.settled.contains_key(&output))
}

struct End<'a> {
    world: &'a World,
    at: Duration,
    /// Alerts that the script asks for, with the number and key of their payload.
    expected: BTreeMap<AlertId, (Rule, u64)>,
    keys: BTreeMap<u64, u64>,
    views: BTreeMap<AlertId, AlertView>,
    groups: BTreeMap<AlertId, ClosedGroup>,
}

/// Checks everything that only the end shows.
pub(crate) fn check(world: &World, at: Duration) {
    let mut expected = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for script in world.scripts.iter() {
        for (at, payload) in script.payloads.iter().enumerate() {
            keys.insert(payload.number, payload.key);
            let alerts = script.alerts(at);
            expected.extend(alerts.map(|(id, rule)| (id, (rule, payload.number))));
        }
    }
    let views = views(world, false, usize::MAX);
    let views: BTreeMap<_, _> = views.into_iter().map(|view| (view.alert.id, view)).collect();
    let groups = views
        .iter()
        .filter_map(|(id, view)| Some((*id, group_of(&view.alert)?)));
    let end = End {
        world,
        at,
        expected,
        keys,
        groups: groups.collect(),
        views,
    };
    end.rest();
    end.groups_hold_each_alert_once();
    end.groups_hold_one_key();
    end.deliveries();
    world.inner().history.figures.alerts += end.expected.len() as u64;
}

impl End<'_> {
    fn violated(&self, invariant: Invariant, seen: String) {
        self.world.inner().history.violated(self.at, invariant, seen);
    }

    fn rest(&self) {
        let open = self.views.values().filter(|view| view.state == AlertState::Open);
        let (waiting, undelivered): (Vec<_>, Vec<_>) = open.partition(|view| view.group.is_some());
        if let Some(view) = waiting.first() {
            let seen = format!(
                "{} alerts wait in a group for ever, such as {}",
                waiting.len(),
                view.alert.id
            );
            self.violated(Invariant::M3, seen);
        }
        if let Some(view) = undelivered.first() {
            let seen = format!(
                "{} alerts are not settled, such as {} for {:?}",
                undelivered.len(),
                view.alert.id,
                view.pending
            );
            self.violated(Invariant::D1, seen);
        }
        if !at_rest(self.world) {
            self.violated(
                Invariant::Rest,
                "the sources are not acknowledged to their end, or alerts are open".to_owned(),
            );
        }
    }

    fn groups_hold_each_alert_once(&self) {
        let mut times: BTreeMap<(Rule, u64), u32> = BTreeMap::new();
        for group in self.groups.values() {
            for number in &group.members {
                *times.entry((group.rule, *number)).or_default() += 1;
            }
        }
        let acked = self.world.inner().history.acked.clone();
        for (id, rule) in acked.iter().filter(|(_, rule)| rule.is_grouped()) {
            let Some((_, number)) = self.expected.get(id) else {
                self.violated(
                    Invariant::M1,
                    format!("{id} of {} was acknowledged, nobody raised it", rule.name()),
                );
                continue;
            };
            let alone = self.views.get(id).is_some_and(goes_alone);
            let waits = !alone && self.views.get(id).is_some_and(|view| view.group.is_some());
            let times = times.get(&(*rule, *number)).copied().unwrap_or(0) + u32::from(alone || waits);
            if times != 1 {
                let seen = format!("{id} of {}, payload {number}, is in {times} groups", rule.name());
                self.violated(Invariant::M1, seen);
            }
        }
        for id in acked.keys().filter(|id| !self.views.contains_key(id)) {
            self.violated(Invariant::M1, format!("{id} was acknowledged and is gone"));
        }
    }

    fn groups_hold_one_key(&self) {
        for (id, group) in &self.groups {
            let keys: Vec<_> = group.members.iter().map(|number| self.keys.get(number)).collect();
            if keys.iter().any(|key| *key != keys[0]) {
                self.violated(
                    Invariant::M2,
                    format!("group {id} of {} holds {keys:?}", group.rule.name()),
                );
            }
        }
    }

    fn deliveries(&self) {
        for (id, (rule, number)) in &self.expected {
            let alone = *rule == Rule::First && self.views.get(id).is_some_and(goes_alone);
            let own = if alone {
                rule.group_deliveries()
            } else {
                rule.own_deliveries()
            };
            self.delivered(*id, &own, &format!("{} of payload {number}", rule.name()));
        }
        for (id, group) in &self.groups {
            self.delivered(
                *id,
                &group.rule.group_deliveries(),
                &format!("group of {}", group.rule.name()),
            );
        }
    }

    fn delivered(&self, id: AlertId, outputs: &[OutputName], what: &str) {
        for output in outputs {
            if self
                .world
                .inner()
                .history
                .delivered
                .contains_key(&(id, output.clone()))
            {
                continue;
            }
            let letter = DeadLetterId::for_delivery(id, output.as_str());
            let letter = DeadLetterStore::get(&self.world.memory, letter).now_or_never();
            if letter.and_then(Result::ok).flatten().is_some() {
                self.world.inner().history.figures.dead_letters += 1;
                continue;
            }
            self.world.inner().history.figures.losses += 1;
            self.violated(Invariant::D1, format!("{output} never got {id}, {what}"));
        }
    }
}
