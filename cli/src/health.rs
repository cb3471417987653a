//! Health events: what an operator should be told of the rules, as alerts of the program's own that go the way of
//! all alerts, to the outputs of `health.outputs`. The log, `status` and the metrics say the same to those who look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use streamalert_proto::Alerts;
use streamalert_runtime::Runtime;
use streamalert_service::Shutdown;
use streamalert_types::{Alert, AlertBatch, AlertId, Clock, Merging, OutputName, Timestamp};
use streamalert_value::{Map, Value};
use tokio::time::MissedTickBehavior;

use crate::explain::{object, text};
use crate::failure::Failure;

/// How often the state of the rules is looked at. A rule is suspended for longer than that.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Events handed on after one look; the others follow with the next. A fault of a whole rule set must not become one
/// message of ten thousand alerts.
const EVENTS_MAX: usize = 100;

/// What a health event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HealthKind {
    /// A rule is suspended and does not see records.
    RuleSuspended,
    /// A rule takes a hundred times as long as the median.
    RuleSlow,
    /// Changed files were not taken, older rules run.
    RulesNotReloaded,
    /// No canary arrives at an output any more.
    CanaryMissing,
}

impl HealthKind {
    const ALL: [Self; 4] = [
        Self::RuleSuspended,
        Self::RuleSlow,
        Self::RulesNotReloaded,
        Self::CanaryMissing,
    ];

    /// Its name in records and metrics.
    const fn word(self) -> &'static str {
        match self {
            Self::RuleSuspended => "rule_suspended",
            Self::RuleSlow => "rule_slow",
            Self::RulesNotReloaded => "rules_not_reloaded",
            Self::CanaryMissing => "canary_missing",
        }
    }

    /// The name of the rule that its alerts seem to come from.
    const fn rule_name(self) -> &'static str {
        match self {
            Self::RuleSuspended => "streamalert_rule_suspended",
            Self::RuleSlow => "streamalert_rule_slow",
            Self::RulesNotReloaded => "streamalert_rules_not_reloaded",
            Self::CanaryMissing => "streamalert_canary_missing",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::RuleSuspended => {
                "A rule broke its limits too often and does not see records for a while. \
                 Records that it was ended on are dead letters: mend the rule, then replay them."
            }
            Self::RuleSlow => {
                "A rule takes more than a hundred times as long as the median of all rules. \
                 `streamalert rules explain` shows what it does."
            }
            Self::RulesNotReloaded => {
                "Changed rule files were not loaded; the rules that were loaded before still run. \
                 Mend what the reason names."
            }
            Self::CanaryMissing => {
                "No canary arrives at an output any more: alerts for it may not arrive either. \
                 `streamalert output test` says what it answers, `streamalert alerts list --open` what waits."
            }
        }
    }
}

/// How many events of each kind there were since the start.
#[derive(Debug, Default)]
pub(crate) struct HealthCounts {
    counts: [AtomicU64; HealthKind::ALL.len()],
}

impl HealthCounts {
    pub(crate) fn count(&self, kind: HealthKind) {
        if let Some(count) = self.counts.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every kind's name and count.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = (&'static str, u64)> {
        HealthKind::ALL
            .iter()
            .zip(&self.counts)
            .map(|(kind, count)| (kind.word(), count.load(Ordering::Relaxed)))
    }
}

/// Something to be told, as long as it holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HealthEvent {
    pub(crate) kind: HealthKind,
    /// The rule it is about, if it is about one.
    pub(crate) rule: Option<Arc<str>>,
    pub(crate) reason: String,
    pub(crate) until: Option<Timestamp>,
    pub(crate) rules_version: Arc<str>,
}

impl HealthEvent {
    /// The same for the same kind and rule (or reason, where it is about no rule) of the same rule set, so that it is
    /// told once, whoever sees it and how often.
    fn id(&self) -> AlertId {
        let subject = self.rule.as_deref().unwrap_or(&self.reason);
        AlertId::of_health(self.kind.word(), subject, &self.rules_version)
    }

    fn record(&self) -> Value {
        let optional = |value: Option<&str>| value.map_or(Value::Null, text);
        object([
            ("kind", text(self.kind.word())),
            ("rule", optional(self.rule.as_deref())),
            ("reason", text(&self.reason)),
            (
                "until",
                optional(self.until.map(|until| until.to_string()).as_deref()),
            ),
            ("rules_version", text(&self.rules_version)),
        ])
    }

    /// The alert that tells of it.
    pub(crate) fn alert(&self, outputs: &BTreeSet<OutputName>, now: Timestamp) -> Alert {
        let mut outputs = outputs.clone();
        outputs.insert(OutputName::history());
        let (rule, description) = (self.kind.rule_name(), self.kind.description());
        Alert {
            rules_version: self.rules_version.clone(),
            ..own_alert(self.id(), rule, description, &self.record(), outputs, now)
        }
    }
}

/// An alert of the program's own.
pub(crate) fn own_alert(
    id: AlertId,
    rule_name: &str,
    description: &str,
    record: &Value,
    outputs: BTreeSet<OutputName>,
    now: Timestamp,
) -> Alert {
    Alert {
        id,
        rule_name: rule_name.into(),
        rule_description: description.into(),
        created: now,
        cluster: None,
        log_source: "streamalert:health".into(),
        log_type: "json".into(),
        source_entity: "rules-node".into(),
        source_service: "streamalert".into(),
        outputs,
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: Arc::from([]),
        merge_window_mins: 0,
        staged: false,
        record: record.to_json().into(),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    }
}

/// Looks after the rules of a process.
pub(crate) struct HealthWatch {
    pub(crate) runtime: Runtime,
    pub(crate) alerts: Arc<dyn Alerts>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where events go; none: they are counted only.
    pub(crate) outputs: BTreeSet<OutputName>,
    pub(crate) counts: Arc<HealthCounts>,
}

impl HealthWatch {
    /// Looks until the process drains.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), Failure> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Told::default();
        loop {
            tokio::select! {
                () = shutdown.draining() => return Ok(()),
                _ = looks.tick() => {}
            }
            // A merger that does not answer must not hold up the end.
            tokio::select! {
                () = shutdown.draining() => return Ok(()),
                () = self.tell(&mut told) => {}
            }
        }
    }

    async fn tell(&self, told: &mut Told) {
        let events = told.untold(current(&self.runtime));
        if events.is_empty() {
            return;
        }
        if !self.outputs.is_empty() {
            let now = self.clock.now();
            let alerts = events
                .iter()
                .map(|event| Arc::new(event.alert(&self.outputs, now)));
            let batch = AlertBatch {
                alerts: alerts.collect(),
            };
            if let Err(error) = self.alerts.accept(batch).await {
                tracing::warn!(%error, events = events.len(), "health events are not handed on, trying again");
                return;
            }
        }
        for event in &events {
            self.counts.count(event.kind);
            told.ids.insert(event.id());
        }
    }
}

/// What was told already, of what still holds. Bounded by the number of rules.
#[derive(Debug, Default)]
struct Told {
    ids: BTreeSet<AlertId>,
}

impl Told {
    /// The events that were not told yet; forgets those that hold no longer.
    fn untold(&mut self, current: Vec<HealthEvent>) -> Vec<HealthEvent> {
        let mut current: BTreeMap<AlertId, HealthEvent> =
            current.into_iter().map(|event| (event.id(), event)).collect();
        self.ids.retain(|id| current.contains_key(id));
        current.retain(|id, _| !self.ids.contains(id));
        current.into_values().take(EVENTS_MAX).collect()
    }
}

/// Everything that there is to tell at this moment.
fn current(runtime: &Runtime) -> Vec<HealthEvent> {
    let (health, generation) = (runtime.health(), runtime.current());
    let rules = &generation.report().rules;
    let event = |kind, rule: Option<Arc<str>>, reason, until| HealthEvent {
        kind,
        rule,
        reason,
        until,
        rules_version: rules.version().clone(),
    };
    let suspended = health.suspended.into_iter().filter_map(|suspension| {
        let name = rules.get(suspension.rule)?.name.clone();
        let (reason, until) = (suspension.reason, suspension.until);
        Some(event(HealthKind::RuleSuspended, Some(name), reason, Some(until)))
    });
    let failure = health.reload_failure;
    let failure = failure.map(|reason| event(HealthKind::RulesNotReloaded, None, reason, None));
    let slow = generation.statistics().slow().into_iter().map(|slow| {
        let reason = format!(
            "{:.0} µs a record, the median of all rules is {:.1} µs",
            slow.mean_nanos / 1e3,
            slow.median_nanos / 1e3
        );
        event(HealthKind::RuleSlow, Some(slow.rule), reason, None)
    });
    suspended.chain(failure).chain(slow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspended(rule: &str, version: &str) -> HealthEvent {
        HealthEvent {
            kind: HealthKind::RuleSuspended,
            rule: Some(rule.into()),
            reason: "over its limit".to_owned(),
            until: None,
            rules_version: version.into(),
        }
    }

    #[test]
    fn an_event_is_told_once_as_long_as_it_holds() {
        let mut told = Told::default();
        let both = || vec![suspended("a", "1"), suspended("b", "1")];
        let first = told.untold(both());
        assert_eq!(first.len(), 2);
        told.ids.extend(first.iter().map(HealthEvent::id));
        assert!(told.untold(both()).is_empty());
        assert!(told.untold(vec![suspended("a", "1")]).is_empty());
        assert_eq!(told.untold(both()), [suspended("b", "1")]);
    }

    #[test]
    fn the_id_is_that_of_rule_and_rule_set_and_not_of_the_reason() {
        let event = suspended("a", "1");
        let other_reason = HealthEvent {
            reason: "memory".to_owned(),
            ..event.clone()
        };
        assert_eq!(event.id(), other_reason.id());
        assert_ne!(event.id(), suspended("b", "1").id());
        assert_ne!(event.id(), suspended("a", "2").id());
        let failed = |reason: &str| HealthEvent {
            kind: HealthKind::RulesNotReloaded,
            rule: None,
            reason: reason.to_owned(),
            ..suspended("a", "1")
        };
        assert_ne!(failed("x").id(), failed("y").id());
    }

    #[test]
    fn each_kind_is_counted_by_its_own_name() {
        let counts = HealthCounts::default();
        counts.count(HealthKind::RulesNotReloaded);
        let counted: Vec<(&str, u64)> = counts.snapshot().collect();
        assert_eq!(
            counted,
            [
                ("rule_suspended", 0),
                ("rule_slow", 0),
                ("rules_not_reloaded", 1),
                ("canary_missing", 0)
            ]
        );
    }
}
