use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::{ReceivedRequest, WebhookReceiver};

/// A delivery that was answered this long before a fault may not have been noted as delivered. Generous: noting it is
/// one write away, but on a loaded machine that may wait.
const IN_FLIGHT: Duration = Duration::from_secs(3);

/// From when to when something was done to a process, by the receiver's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spell {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// What is to come of event `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Single,
    Grouped,
    Noise,
}

impl Kind {
    /// Every fourth event raises an alert of its own, every sixth one that is merged.
    pub(crate) const fn of(n: usize) -> Self {
        match (n % 4, n % 6) {
            (0, _) => Self::Single,
            (_, 1) => Self::Grouped,
            _ => Self::Noise,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "alert",
            Self::Grouped => "group",
            Self::Noise => "noise",
        }
    }
}

/// The numbers of events of a kind.
pub(crate) fn expected(events: usize, kind: Kind) -> BTreeSet<usize> {
    (0..events).filter(|n| Kind::of(*n) == kind).collect()
}

/// What arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) singles: BTreeSet<usize>,
    pub(crate) grouped: BTreeSet<usize>,
    /// Events in two merged alerts.
    torn: BTreeSet<usize>,
    /// Merged alerts whose members have more than one merge key.
    mixed: usize,
    /// When each delivery was accepted, by its idempotency key.
    accepted: BTreeMap<String, Vec<Duration>>,
}

impl Arrived {
    pub(crate) fn at(receiver: &WebhookReceiver) -> Self {
        let mut arrived = Self::default();
        for request in receiver.requests() {
            arrived.add(&request);
        }
        arrived
    }

    fn add(&mut self, request: &ReceivedRequest) {
        let key = request.header("idempotency-key").expect("every delivery has one");
        let known = self.accepted.entry(key.to_owned()).or_default();
        known.push(request.at);
        if known.len() > 1 {
            return;
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let record = &body["record"];
        match body["rule_name"].as_str() {
            Some("single_0" | "single_1" | "single_2") => drop(self.singles.insert(number(&record["n"]))),
            Some("grouped") => {
                let members = members(record);
                let keys: BTreeSet<usize> = members.iter().map(|n| n % 7).collect();
                self.mixed += usize::from(keys.len() > 1);
                for n in members {
                    if !self.grouped.insert(n) {
                        self.torn.insert(n);
                    }
                }
            }
            other => panic!("an alert of rule {other:?}"),
        }
    }
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

/// The last word on a run.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) seed: u64,
    pub(crate) events: usize,
    pub(crate) faults: BTreeMap<&'static str, usize>,
    pub(crate) spells: Vec<Spell>,
    pub(crate) arrived: Arrived,
    /// Shards of the stream that hold records, and those of them whose last record is acknowledged.
    pub(crate) shards: (usize, usize),
    pub(crate) logs: String,
}

impl Account {
    fn missing(&self, kind: Kind) -> Vec<usize> {
        let arrived = match kind {
            Kind::Single => &self.arrived.singles,
            _ => &self.arrived.grouped,
        };
        expected(self.events, kind).difference(arrived).copied().collect()
    }

    /// Repeated deliveries: those that were in flight at a fault, and the others.
    fn duplicates(&self) -> (usize, Vec<&str>) {
        let (mut excused, mut others) = (0, Vec::new());
        for (key, at) in &self.arrived.accepted {
            for pair in at.windows(2) {
                let (first, second) = (pair[0], pair[1]);
                let in_flight = self.spells.iter().any(|spell| {
                    spell.from <= first + IN_FLIGHT
                        && first <= spell.to + Duration::from_millis(50)
                        && spell.from <= second
                });
                if in_flight {
                    excused += 1;
                } else {
                    others.push(key.as_str());
                }
            }
        }
        (excused, others)
    }

    pub(crate) fn check(&self) {
        for kind in [Kind::Single, Kind::Grouped] {
            let missing = self.missing(kind);
            assert!(missing.is_empty(), "lost {kind:?} {missing:?}\n{}", self.logs);
        }
        let (_, duplicates) = self.duplicates();
        assert!(
            duplicates.is_empty(),
            "twice, and nothing was done meanwhile: {duplicates:?}"
        );
        assert!(
            self.arrived.torn.is_empty(),
            "in two groups: {:?}",
            self.arrived.torn
        );
        assert_eq!(self.arrived.mixed, 0, "groups with more than one merge key");
        assert_eq!(
            self.shards.0, self.shards.1,
            "shards not acknowledged\n{}",
            self.logs
        );
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let (excused, others) = self.duplicates();
        writeln!(
            f,
            "fleet: seed {}, {} events, faults: {}",
            self.seed,
            self.events,
            faults.join(", ")
        )?;
        for (name, kind) in [("alerts", Kind::Single), ("alerts in groups", Kind::Grouped)] {
            let (expected, missing) = (expected(self.events, kind).len(), self.missing(kind).len());
            writeln!(
                f,
                "{name}: {expected} expected, {} delivered, {missing} missing",
                expected - missing
            )?;
        }
        writeln!(
            f,
            "deliveries: {}, {excused} repeated because they were in flight at a fault, {} duplicates",
            self.arrived.accepted.len(),
            others.len()
        )?;
        write!(
            f,
            "positions: {} of {} shards acknowledged to their end",
            self.shards.1, self.shards.0
        )
    }
}
