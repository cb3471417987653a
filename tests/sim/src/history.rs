//! What happened in a run: the trace that two runs of one seed must share, and what invariants are checked from.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use streamalert_types::{Alert, AlertId, OutputName};

use crate::invariants::{Invariant, Violation};
use crate::script::{Rule, numbers};

/// Lines of the trace that are kept to be shown with a violation.
const LINES_KEPT: usize = 60;

/// Violations kept: the first tell what is wrong, the others follow from it.
const VIOLATIONS_KEPT: usize = 20;

/// Counted over a run, and added up over runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Processes ended without warning.
    pub(crate) crashes: u64,
    /// Processes ended in good order.
    pub(crate) restarts: u64,
    /// Pairs of nodes that could not talk for a while.
    pub(crate) partitions: u64,
    /// Calls to a store that were refused, or whose answer was lost.
    pub(crate) store_faults: u64,
    /// Writes refused for their epoch.
    pub(crate) fenced: u64,
    /// Alerts that came to light as written late, by an owner before.
    pub(crate) adopted: u64,
    /// Alerts raised.
    pub(crate) alerts: u64,
    /// Merged alerts.
    pub(crate) groups: u64,
    /// Deliveries that an output took.
    pub(crate) deliveries: u64,
    /// Of these, deliveries that it had taken before.
    pub(crate) duplicates: u64,
    /// Deliveries that went on with an incident.
    pub(crate) updates: u64,
    /// Deliveries that became dead letters.
    pub(crate) dead_letters: u64,
    /// Deliveries that must have been and were not.
    pub(crate) losses: u64,
}

impl Figures {
    /// By name, for reports and to pass them from one process to another.
    pub(crate) fn named(&mut self) -> [(&'static str, &mut u64); 13] {
        [
            ("crashes", &mut self.crashes),
            ("restarts", &mut self.restarts),
            ("partitions", &mut self.partitions),
            ("store_faults", &mut self.store_faults),
            ("fenced", &mut self.fenced),
            ("adopted", &mut self.adopted),
            ("alerts", &mut self.alerts),
            ("groups", &mut self.groups),
            ("deliveries", &mut self.deliveries),
            ("duplicates", &mut self.duplicates),
            ("updates", &mut self.updates),
            ("dead_letters", &mut self.dead_letters),
            ("losses", &mut self.losses),
        ]
    }
}

/// A group that was closed.
#[derive(Debug, Clone)]
pub(crate) struct ClosedGroup {
    pub(crate) rule: Rule,
    /// Numbers of the payloads that its members were raised on.
    pub(crate) members: Vec<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History {
    hasher: blake3::Hasher,
    lines: u64,
    recent: VecDeque<String>,
    pub(crate) print: bool,
    pub(crate) figures: Figures,
    pub(crate) violations: Vec<Violation>,
    /// Alerts that the merger acknowledged.
    pub(crate) acked: BTreeMap<AlertId, Rule>,
    /// When alerts became durable.
    pub(crate) durable: BTreeMap<AlertId, Duration>,
    /// How often each delivery arrived.
    pub(crate) delivered: BTreeMap<(AlertId, OutputName), u32>,
}

impl History {
    /// Adds a line to the trace.
    pub(crate) fn note(&mut self, at: Duration, what: &str) {
        let mut line = String::with_capacity(what.len() + 16);
        // Writing to a string cannot fail.
        let _ = write!(line, "{:>12.6} {what}", at.as_secs_f64());
        self.hasher.update(line.as_bytes());
        self.hasher.update(b"\n");
        self.lines += 1;
        if self.print {
            crate::say(&line);
        }
        if self.recent.len() == LINES_KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(line);
    }

    /// An invariant does not hold.
    pub(crate) fn violated(&mut self, at: Duration, invariant: Invariant, seen: String) {
        self.note(at, &format!("VIOLATION {}: {seen}", invariant.id()));
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(Violation { invariant, seen });
        }
    }

    /// Stands for the whole trace.
    pub(crate) fn digest(&self) -> String {
        format!("{}-{}", self.lines, &self.hasher.finalize().to_hex()[..16])
    }

    /// The last lines of the trace.
    pub(crate) fn recent(&self) -> impl Iterator<Item = &String> {
        self.recent.iter()
    }

    /// An output took an alert.
    pub(crate) fn delivered(&mut self, at: Duration, alert: &Alert, output: &OutputName) {
        self.note(at, &format!("{output} took {}", alert.id));
        self.figures.deliveries += 1;
        let times = self.delivered.entry((alert.id, output.clone())).or_default();
        *times += 1;
        self.figures.duplicates += u64::from(*times > 1);
        let staged = alert.staged || Rule::named(&alert.rule_name).is_none_or(Rule::is_staged);
        if staged && *output != OutputName::history() {
            let seen = format!("{output} took {} of {}", alert.id, alert.rule_name);
            self.violated(at, Invariant::R1, seen);
        }
    }
}

/// Whether an alert stands for a group.
pub(crate) fn is_merged(alert: &Alert) -> bool {
    alert.record.starts_with(b"{\"AlertCount\"")
}

/// The group that a merged alert stands for.
pub(crate) fn group_of(alert: &Alert) -> Option<ClosedGroup> {
    let rule = Rule::named(&alert.rule_name)?;
    is_merged(alert).then(|| ClosedGroup {
        rule,
        members: numbers(&alert.record),
    })
}
