//! What the receiver was given, read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::WebhookReceiver;
use streamalert_types::Timestamp;

use crate::events::Kind;

/// An alert as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Alert {
    /// On the event of this number.
    Single {
        n: usize,
        rule: usize,
    },
    Merged(Group),
}

/// A merged alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) kind: Kind,
    /// What it says that it was merged by.
    pub(crate) key: String,
    /// How many alerts it says that it is made of.
    pub(crate) count: usize,
    /// Their events.
    pub(crate) members: Vec<usize>,
    /// When the oldest and the newest of them were raised.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// Everything that was delivered, by its idempotency key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrived {
    pub(crate) deliveries: BTreeMap<String, Delivery>,
}

/// One alert and when it was accepted, by the receiver's clock; more than once if it came again.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) alert: Alert,
    pub(crate) at: Vec<Duration>,
}

impl Arrived {
    pub(crate) fn at(receiver: &WebhookReceiver) -> Self {
        let mut arrived = Self::default();
        for request in receiver.requests() {
            let key = request.header("idempotency-key").expect("every delivery has one");
            let body = serde_json::from_slice(&request.body).unwrap();
            arrived.add(key, alert(&body), request.at);
        }
        arrived
    }

    pub(crate) fn add(&mut self, key: &str, alert: Alert, at: Duration) {
        let new = || Delivery {
            alert,
            at: Vec::new(),
        };
        self.deliveries
            .entry(key.to_owned())
            .or_insert_with(new)
            .at
            .push(at);
    }

    pub(crate) fn singles(&self) -> impl Iterator<Item = (usize, usize)> {
        self.deliveries
            .values()
            .filter_map(|delivery| match delivery.alert {
                Alert::Single { n, rule } => Some((n, rule)),
                Alert::Merged(_) => None,
            })
    }

    /// The merged alerts, and when each came first.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&Group, Duration)> {
        self.deliveries
            .values()
            .filter_map(|delivery| match &delivery.alert {
                Alert::Merged(group) => Some((group, delivery.at[0])),
                Alert::Single { .. } => None,
            })
    }

    /// How many events of a kind are in an alert.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Single => self.singles().count(),
            _ => {
                let groups = self.groups().filter(|(group, _)| group.kind == kind);
                groups.map(|(group, _)| group.members.len()).sum()
            }
        }
    }
}

/// Reads the body of a delivery.
fn alert(body: &Value) -> Alert {
    let record = &body["record"];
    let kind = match body["rule_name"].as_str() {
        Some("grouped") => Kind::Grouped,
        Some("windowed") => Kind::Windowed,
        Some(rule) => {
            let rule = rule.strip_prefix("single_").and_then(|rule| rule.parse().ok());
            let rule = rule.unwrap_or_else(|| panic!("an alert of no rule of ours: {body}"));
            return Alert::Single {
                n: number(&record["n"]),
                rule,
            };
        }
        None => panic!("an alert of no rule: {body}"),
    };
    let time = |name: &str| record[name].as_str().unwrap().parse().unwrap();
    Alert::Merged(Group {
        kind,
        key: record["MergedBy"]["group"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        count: number(&record["AlertCount"]),
        members: members(record),
        first: time("AlertTimeFirst"),
        last: time("AlertTimeLast"),
    })
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// The event numbers in a merged alert: each member's is among its differences, or common to all (one member).
fn members(record: &Value) -> Vec<usize> {
    match &record["OtherCommonKeys"]["n"] {
        Value::Null => {
            let diffs = record["ValueDiffs"].as_object().unwrap();
            diffs.values().map(|diff| number(&diff["n"])).collect()
        }
        n => vec![number(n)],
    }
}
