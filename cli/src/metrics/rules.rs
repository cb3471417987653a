use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use streamalert_rules_node::RuleStats;
use streamalert_runtime::{RuleStatistics, Runtime};
use streamalert_service::{MetricSnapshot, MetricValue};

use crate::health::HealthCounts;

const NANOS_PER_SEC: f64 = 1e9;

pub(super) fn rule_set(to: &mut MetricSnapshot, runtime: &Runtime) {
    let (health, generation) = (runtime.health(), runtime.current());
    let report = generation.report();
    let rules = &report.rules;
    to.gauge("streamalert_rules", "Rules that are loaded.", rules.rules().len());
    to.gauges(
        "streamalert_rules_info",
        "1, with the version of the rules that run.",
        "version",
        [(rules.version().clone(), true)],
    );
    to.gauge(
        "streamalert_rules_not_loaded",
        "Errors in rule files that are not loaded.",
        report.errors.len(),
    );
    to.gauge(
        "streamalert_rules_reload_failed",
        "1 while the latest change of the files is not loaded and older rules run.",
        health.reload_failure.is_some(),
    );
    let suspended = health.suspended.iter();
    let suspended: BTreeSet<Arc<str>> = suspended
        .filter_map(|suspension| Some(rules.get(suspension.rule)?.name.clone()))
        .collect();
    to.gauge(
        "streamalert_rules_suspended",
        "Rules that are suspended.",
        suspended.len(),
    );
    to.gauges(
        "streamalert_rule_suspended",
        "1 for each rule that is suspended.",
        "rule",
        suspended.into_iter().map(|rule| (rule, true)),
    );
    let workers = health.workers.unwrap_or_default();
    to.counter(
        "streamalert_rules_strikes",
        "Strikes against rules over a limit.",
        health.strikes + workers.strikes,
    );
    to.counter(
        "streamalert_rules_workers_lost",
        "Python workers that were killed or died, since the rules were loaded.",
        workers.workers_lost,
    );
    to.gauge(
        "streamalert_rules_queued_slices",
        "Slices of batches that wait for a thread of native evaluation.",
        runtime.queued_slices(),
    );
}

/// What is counted at the node about every outcome, and at the native engine about its own.
pub(super) fn rules(
    to: &mut MetricSnapshot,
    rows: &[(Arc<str>, RuleStats)],
    native: Vec<(Arc<str>, RuleStatistics)>,
) {
    let native: HashMap<Arc<str>, RuleStatistics> = native.into_iter().collect();
    let counted =
        |count: fn(&RuleStats) -> u64| rows.iter().map(move |(name, stats)| (name.clone(), count(stats)));
    let none = RuleStatistics::default();
    let natively = |count: fn(&RuleStatistics) -> MetricValue| {
        let points = rows
            .iter()
            .map(|(name, _)| (name.clone(), count(native.get(name).unwrap_or(&none))));
        points.collect::<Vec<_>>()
    };
    let mut rule = |name, help, points: Vec<(Arc<str>, MetricValue)>| to.counters(name, help, "rule", points);
    let all = |count| counted(count).map(|(name, count)| (name, count.into())).collect();
    rule(
        "streamalert_rule_records",
        "Records of a log type that the rule applies to.",
        all(|stats| stats.records),
    );
    rule(
        "streamalert_rule_evaluations",
        "Records that the rule was evaluated on natively; those that the index kept away are not among them.",
        natively(|native| native.evaluations.into()),
    );
    rule(
        "streamalert_rule_matches",
        "Times the rule fired.",
        all(|stats| stats.matches),
    );
    rule(
        "streamalert_rule_exceptions",
        "Times the rule raised.",
        all(|stats| stats.exceptions),
    );
    rule(
        "streamalert_rule_kills",
        "Times the rule was ended for being over a limit; each leaves a dead letter.",
        all(|stats| stats.kills),
    );
    rule(
        "streamalert_rule_suspended_records",
        "Records that the rule did not see because it was suspended.",
        all(|stats| stats.suspended),
    );
    rule(
        "streamalert_rule_fallbacks",
        "Records that went from native evaluation to CPython.",
        natively(|native| native.fallbacks.into()),
    );
    rule(
        "streamalert_rule_steps",
        "Steps of native evaluation.",
        natively(|native| native.steps.into()),
    );
    rule(
        "streamalert_rule_timed_evaluations",
        "Native evaluations that were timed, a sample; begins anew with the rule's code.",
        natively(|native| native.timed.into()),
    );
    rule(
        "streamalert_rule_timed_seconds",
        "Seconds that the timed evaluations took.",
        natively(|native| (native.timed_nanos as f64 / NANOS_PER_SEC).into()),
    );
}

pub(super) fn health(to: &mut MetricSnapshot, counts: &HealthCounts) {
    to.counters(
        "streamalert_health_events",
        "Health events raised.",
        "kind",
        counts.snapshot().map(|(kind, count)| (Arc::from(kind), count)),
    );
}
