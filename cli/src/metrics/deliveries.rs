use std::collections::BTreeMap;
use std::sync::Arc;

use streamalert_dispatcher::DispatcherStats;
use streamalert_merger::MergerStats;
use streamalert_service::MetricSnapshot;
use streamalert_types::{OutputName, Timestamp};

use crate::canary::Standing;

/// The label of deliveries to outputs that no configuration knows: names out of alerts would have no bound. No
/// output is called so, for names have a colon.
const UNCONFIGURED: &str = "unconfigured";

pub(super) fn merger(to: &mut MetricSnapshot, stats: &MergerStats) {
    let counters = [
        (
            "streamalert_merger_alerts",
            "Alerts made durable.",
            stats.accepted,
        ),
        (
            "streamalert_merger_duplicates",
            "Alerts that were known already.",
            stats.duplicates,
        ),
        (
            "streamalert_merger_merged_groups",
            "Groups merged into one alert each.",
            stats.merged,
        ),
        (
            "streamalert_merger_groups_closed_early",
            "Groups closed before their window ended, for want of memory.",
            stats.closed_early,
        ),
    ];
    for (name, help, value) in counters {
        to.counter(name, help, value);
    }
    let gauges = [
        (
            "streamalert_merger_open_groups",
            "Groups that wait for their window to end.",
            stats.open_groups,
        ),
        (
            "streamalert_merger_grouped_alerts",
            "Alerts in open groups.",
            stats.grouped_alerts,
        ),
        (
            "streamalert_merger_groups_bytes",
            "Bytes that open groups take, by estimate.",
            stats.groups_bytes,
        ),
        (
            "streamalert_merger_closing_groups",
            "Groups that are complete and not closed in the store yet.",
            stats.closing_groups,
        ),
        (
            "streamalert_merger_accepting",
            "Writes of alerts that the store has not answered yet.",
            stats.accepting,
        ),
    ];
    for (name, help, value) in gauges {
        to.gauge(name, help, value);
    }
    outstanding(to, stats);
}

fn outstanding(to: &mut MetricSnapshot, stats: &MergerStats) {
    let by_output = |count: fn(&streamalert_merger::OutputStats) -> u64| {
        let outputs = stats.outputs.iter();
        outputs.map(move |(name, stats)| (label(name), count(stats)))
    };
    to.gauges(
        "streamalert_merger_outstanding",
        "Deliveries handed to the dispatcher, or done and not yet noted in the store.",
        "output",
        by_output(|stats| stats.outstanding),
    );
    to.gauges(
        "streamalert_merger_backlog",
        "Deliveries that wait in the store, by estimate.",
        "output",
        by_output(|stats| stats.backlog),
    );
    to.gauges(
        "streamalert_merger_refused",
        "Deliveries that the dispatcher refuses; an operator is needed.",
        "output",
        by_output(|stats| stats.refused),
    );
}

/// What is told of one output.
type Count = fn(&streamalert_dispatcher::OutputStats) -> u64;

pub(super) fn dispatcher(to: &mut MetricSnapshot, stats: &DispatcherStats) {
    let outputs = || {
        let configured = stats.outputs.iter().map(|(name, stats)| (label(name), stats));
        configured.chain([(Arc::from(UNCONFIGURED), &stats.unconfigured)])
    };
    let counters: [(&str, &str, Count); 4] = [
        (
            "streamalert_deliveries",
            "Deliveries that the output acknowledged.",
            |stats| stats.delivered,
        ),
        ("streamalert_delivery_attempts", "Attempts begun.", |stats| {
            stats.attempts
        }),
        (
            "streamalert_delivery_dead_letters",
            "Deliveries given up and kept as dead letters.",
            |stats| stats.dead,
        ),
        (
            "streamalert_publisher_failures",
            "Alerts sent without what their publisher failed to add.",
            |stats| stats.publisher_failures,
        ),
    ];
    for (name, help, count) in counters {
        to.counters(
            name,
            help,
            "output",
            outputs().map(|(name, stats)| (name, count(stats))),
        );
    }
    let gauges: [(&str, &str, Count); 4] = [
        (
            "streamalert_delivery_waiting",
            "Deliveries that wait for their turn.",
            |stats| stats.waiting,
        ),
        (
            "streamalert_delivery_retrying",
            "Deliveries that wait to be tried again.",
            |stats| stats.retrying,
        ),
        ("streamalert_delivery_in_flight", "Attempts under way.", |stats| {
            stats.in_flight
        }),
        (
            "streamalert_output_down",
            "1 while the output counts as down and is only probed.",
            |stats| u64::from(stats.down),
        ),
    ];
    for (name, help, count) in gauges {
        to.gauges(
            name,
            help,
            "output",
            outputs().map(|(name, stats)| (name, count(stats))),
        );
    }
}

/// How canaries stand at `now`.
pub(super) fn canaries(to: &mut MetricSnapshot, standings: &BTreeMap<OutputName, Standing>, now: Timestamp) {
    let ages = standings.iter().filter_map(|(output, standing)| {
        let age = now.since(standing.arrived?);
        Some((label(output), age.as_secs()))
    });
    to.gauges(
        "streamalert_canary_age_seconds",
        "Time since the moment of the newest canary that has arrived.",
        "output",
        ages,
    );
    let missing = standings
        .iter()
        .map(|(output, standing)| (label(output), u64::from(standing.missing)));
    to.gauges(
        "streamalert_canary_missing",
        "1 while a canary should have arrived and has not.",
        "output",
        missing,
    );
}

fn label(output: &OutputName) -> Arc<str> {
    output.as_str().into()
}
