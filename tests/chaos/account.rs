//! The last word on a run: what was to come, what came, and what was done meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use streamalert_types::Timestamp;

use crate::arrived::{Alert, Arrived, Group};
use crate::events::{GROUPS, Kind, expected};
use crate::tally::{Deed, Tally};

#[cfg(test)]
mod tests;

/// A delivery that was answered this long before a fault may not have been noted as delivered. Generous: noting it is
/// one write away, but on a loaded machine that may wait.
const IN_FLIGHT: Duration = Duration::from_secs(3);
/// How long who was frozen or cut off may go on with what it had begun, once it is let.
const AFTERMATH: Duration = Duration::from_secs(1);
/// Alerts in a group, at most: the default of the settings.
pub(crate) const GROUP_MAX: usize = 50;
/// How long after its window a group may come: leases run out and processes start again on a machine that has other
/// work, too.
const LATE_MAX: Duration = Duration::from_secs(120);

/// From when to when something was done, by the receiver's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spell {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// How far a shard of the stream is read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) shard: String,
    /// It takes no more records: it was split or merged.
    pub(crate) closed: bool,
    /// The sequence number of its last record, if it has any.
    pub(crate) last: Option<String>,
    pub(crate) checkpoint: Option<String>,
    pub(crate) finished: bool,
}

impl Reading {
    /// Whether everything in it is acknowledged.
    pub(crate) fn is_complete(&self) -> bool {
        if self.finished || self.closed {
            return self.finished && self.closed;
        }
        let checkpoint = self.checkpoint.as_deref().unwrap_or_default();
        let sequence = checkpoint.split(['#', '@']).next().unwrap_or_default();
        let is_read = |last: &String| decimal(sequence) >= decimal(last);
        self.last.as_ref().is_none_or(is_read)
    }
}

/// A whole number of any length, in a form that compares.
fn decimal(text: &str) -> (usize, &str) {
    let digits = text.trim_start_matches('0');
    (digits.len(), digits)
}

/// The last word on a run.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) seed: u64,
    pub(crate) duration: Duration,
    pub(crate) events: usize,
    pub(crate) tally: Tally,
    /// Whether it was long enough for every fault.
    pub(crate) all_due: bool,
    /// When who delivers, or notes what was delivered, was killed, frozen or cut off.
    pub(crate) spells: Vec<Spell>,
    /// When AWS was throttled: what was delivered is then noted late.
    pub(crate) throttled: Vec<Spell>,
    /// When tables did not answer for half of a lease, because the machine had other work: leases may have run out.
    pub(crate) slow: Vec<Spell>,
    pub(crate) arrived: Arrived,
    /// When the receiver's clock began.
    pub(crate) zero: Timestamp,
    /// When open groups were asked to be sent, whatever their windows.
    pub(crate) flushed: Duration,
    pub(crate) readings: Vec<Reading>,
    /// Mergers that own shards at the end, and how many run; at most how many owned some at once, and how many ran.
    pub(crate) mergers: [(usize, usize); 2],
    /// Shards that were begun before those that they came of were read to their end.
    pub(crate) disorder: BTreeSet<String>,
}

impl Account {
    /// Everything that is wrong; nothing after a good run.
    pub(crate) fn findings(&self) -> Vec<String> {
        let mut findings = self.tally.findings(self.all_due);
        for kind in [Kind::Single, Kind::Grouped, Kind::Windowed] {
            let missing = self.missing(kind);
            if !missing.is_empty() {
                findings.push(format!("lost: {kind:?} {missing:?}"));
            }
        }
        let duplicates = self.duplicates().1;
        for key in duplicates {
            let at = &self.arrived.deliveries[key].at;
            findings.push(format!(
                "twice, and nothing was done to whom it was in flight: {key} at {at:?}"
            ));
        }
        findings.extend(self.again());
        for (group, at) in self.arrived.groups() {
            findings.extend(self.wrong(group, at));
        }
        let [(own, run), (owned, ran)] = self.mergers;
        if own == 0 || own > run {
            findings.push(format!("{own} mergers own shards, {run} run"));
        }
        if owned > ran || (self.all_due && owned < ran) {
            findings.push(format!("{owned} mergers owned shards at once, {ran} ran"));
        }
        if self.readings.is_empty() {
            findings.push("nothing is known of any shard".to_owned());
        }
        let unread = self.readings.iter().filter(|reading| !reading.is_complete());
        findings.extend(unread.map(|reading| format!("not acknowledged: {reading:?}")));
        findings.extend(
            self.disorder
                .iter()
                .map(|shard| format!("begun before its parents: {shard}")),
        );
        findings
    }

    fn missing(&self, kind: Kind) -> Vec<usize> {
        let arrived: BTreeSet<usize> = match kind {
            Kind::Single => self.arrived.singles().map(|(n, _)| n).collect(),
            _ => {
                let groups = self.arrived.groups().filter(|(group, _)| group.kind == kind);
                groups.flat_map(|(group, _)| group.members.clone()).collect()
            }
        };
        expected(self.events, kind)
            .difference(&arrived)
            .copied()
            .collect()
    }

    /// Events that are in two alerts, or in one where they do not belong.
    fn again(&self) -> Vec<String> {
        let mut alerts: BTreeMap<usize, usize> = BTreeMap::new();
        let mut findings = Vec::new();
        for delivery in self.arrived.deliveries.values() {
            let (kind, members) = match &delivery.alert {
                Alert::Single { n, rule } => {
                    if n % 3 != *rule {
                        findings.push(format!("event {n} in an alert of rule single_{rule}"));
                    }
                    (Kind::Single, std::slice::from_ref(n))
                }
                Alert::Merged(group) => (group.kind, &*group.members),
            };
            for n in members {
                if Kind::of(*n) != kind || *n >= self.events {
                    findings.push(format!("event {n} in an alert of kind {kind:?}"));
                }
                *alerts.entry(*n).or_default() += 1;
            }
        }
        let twice = alerts.iter().filter(|(_, count)| **count > 1);
        findings.extend(twice.map(|(n, count)| format!("event {n} in {count} alerts")));
        findings
    }

    /// What is wrong with a merged alert that came at `at`.
    fn wrong(&self, group: &Group, at: Duration) -> Vec<String> {
        let mut findings = Vec::new();
        let mut find = |what: String| findings.push(format!("{what}: {group:?}"));
        let keys: BTreeSet<usize> = group.members.iter().map(|n| n % GROUPS).collect();
        if keys.iter().any(|key| format!("g{key}") != group.key) {
            find(format!("a group of {} with members of {keys:?}", group.key));
        }
        let members = group.members.len();
        if members != group.count || members == 0 || members > GROUP_MAX {
            find(format!("a group of {members}, told as {}", group.count));
        }
        let window = Duration::from_secs(group.kind.window_mins() * 60);
        if group.last.since(group.first) > window {
            find("a group beyond its window".to_owned());
        }
        let came = self.zero.plus(at);
        let end = group.first.plus(window);
        // By as much may two readings of the same clock differ.
        let early = end.since(came) > Duration::from_secs(1);
        if members < GROUP_MAX && early && at < self.flushed {
            find("a group that was neither full nor due".to_owned());
        }
        if came.since(end) > LATE_MAX {
            find(format!(
                "a group {:.1} s after its window",
                came.since(end).as_secs_f64()
            ));
        }
        findings
    }

    /// Repeated deliveries: those that were in flight at a fault, and the others.
    fn duplicates(&self) -> (usize, Vec<&str>) {
        let (mut excused, mut others) = (0, Vec::new());
        for (key, delivery) in &self.arrived.deliveries {
            for pair in delivery.at.windows(2) {
                if self.was_in_flight(pair[0], pair[1]) {
                    excused += 1;
                } else {
                    others.push(key.as_str());
                }
            }
        }
        (excused, others)
    }

    /// Whether what was delivered `first` may not have been noted when something was done.
    fn was_in_flight(&self, first: Duration, second: Duration) -> bool {
        let mut until = first + IN_FLIGHT;
        // In order of time: one throttling may follow upon the other.
        for throttled in &self.throttled {
            if throttled.from <= until && first <= throttled.to {
                until = until.max(throttled.to + IN_FLIGHT);
            }
        }
        self.spells
            .iter()
            .chain(&self.slow)
            .any(|spell| spell.from <= until && first <= spell.to + AFTERMATH && spell.from <= second)
    }

    /// Groups that were full, those whose window had ended, and those that were sent at the end of the run.
    fn reasons(&self) -> (usize, usize, usize) {
        let (mut full, mut due, mut flushed) = (0, 0, 0);
        for (group, at) in self.arrived.groups() {
            if group.members.len() >= GROUP_MAX {
                full += 1;
            } else if at >= self.flushed {
                flushed += 1;
            } else {
                due += 1;
            }
        }
        (full, due, flushed)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "fleet under faults: seed {}, {} s, {} events\n",
            self.seed,
            self.duration.as_secs(),
            self.events
        )?;
        writeln!(f, "{:<38} {:>6}   took effect", "fault", "made")?;
        for deed in Deed::ALL {
            let effects = self.tally.effects(deed);
            let effects: Vec<String> = effects.map(|(name, count)| format!("{count} {name}")).collect();
            let made = self.tally.count(deed);
            writeln!(f, "{:<38} {made:>6}   {}", deed.name(), effects.join(", "))?;
        }
        writeln!(
            f,
            "\n{:<38} {:>8} {:>8} {:>8}",
            "", "expected", "there", "missing"
        )?;
        for (name, kind) in [
            ("alerts", Kind::Single),
            ("alerts in groups, sent when full", Kind::Grouped),
            ("alerts in groups, sent after a minute", Kind::Windowed),
        ] {
            let (expected, missing) = (expected(self.events, kind).len(), self.missing(kind).len());
            let there = self.arrived.count(kind);
            writeln!(f, "{name:<38} {expected:>8} {there:>8} {missing:>8}")?;
        }
        let shards = self.readings.len();
        let read = self
            .readings
            .iter()
            .filter(|reading| reading.is_complete())
            .count();
        let name = "shards acknowledged to their end";
        writeln!(f, "{name:<38} {shards:>8} {read:>8} {:>8}", shards - read)?;
        let [(own, run), (owned, ran)] = self.mergers;
        writeln!(
            f,
            "\nmergers that owned shards: at once at most {owned} of {ran}, at the end {own} of {run}"
        )?;
        writeln!(
            f,
            "times that the machine was too busy to keep leases: {}",
            self.slow.len()
        )?;
        let (excused, duplicates) = self.duplicates();
        let (full, due, flushed) = self.reasons();
        writeln!(
            f,
            "groups: {}: {full} full, {due} at the end of their window, {flushed} at the end of the run",
            full + due + flushed
        )?;
        writeln!(
            f,
            "deliveries: {}, {excused} repeated that were in flight at a fault, {} repeated otherwise",
            self.arrived.deliveries.len(),
            duplicates.len()
        )
    }
}
