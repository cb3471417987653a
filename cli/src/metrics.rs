//! What a process counts, for exporters of metrics. Names and labels are part of what users build dashboards on:
//! docs/OPERATIONS.md lists them. Labels are names of rules, outputs, sources and log types, which the user's
//! configuration bounds, and never anything out of a record.

mod deliveries;
mod rules;
mod sources;

use std::sync::Arc;

use async_trait::async_trait;
use streamalert_classifier::ClassifierStats;
use streamalert_service::{MetricSnapshot, MetricSource, SpanCounts};
use streamalert_store::LeaseChurn;

use crate::admin::ProcessAdmin;
use crate::assembly;

#[async_trait]
impl MetricSource for ProcessAdmin {
    async fn metrics(&self) -> MetricSnapshot {
        let mut to = MetricSnapshot::default();
        let version = [(Arc::from(env!("CARGO_PKG_VERSION")), true)];
        to.gauges(
            "streamalert_build_info",
            "1, with the program's version.",
            "version",
            version,
        );
        let mut leases = Vec::new();
        if let Some(classifier) = &self.classifier {
            let stats = classifier.stats().snapshot();
            self::classifier(&mut to, &stats);
            leases.extend(sources::leases(&stats));
        }
        if let Some(runtime) = &self.runtime {
            rules::rule_set(&mut to, runtime);
        }
        if let Some(node) = &self.rules {
            to.gauge(
                "streamalert_rules_in_flight_bytes",
                "Bytes of records being evaluated, or waiting for their alerts to become durable.",
                node.in_flight_bytes(),
            );
            let native = self.runtime.as_ref();
            let native = native.map(|runtime| runtime.current().statistics().snapshot());
            rules::rules(&mut to, &node.stats().snapshot(), native.unwrap_or_default());
        }
        if let Some(health) = &self.health {
            rules::health(&mut to, health);
        }
        if let Some(merger) = &self.merger {
            deliveries::merger(&mut to, &merger.stats().await);
            leases.push((Arc::from("merger"), merger.lease_churn()));
        }
        if let Some(dispatcher) = &self.dispatcher {
            to.gauge(
                "streamalert_outputs_reload_failed",
                "1 while outputs that are configured by now cannot be loaded and older ones are in force.",
                u64::from(self.outputs_kept.reason().is_some()),
            );
            deliveries::dispatcher(&mut to, &dispatcher.stats());
        }
        if self.merger.is_some() {
            deliveries::canaries(&mut to, &self.canaries.standings(), assembly::clock().now());
        }
        if let Some(node) = &self.dispatcher_node {
            leases.push((Arc::from("dispatcher"), node.lease_churn()));
        }
        self::leases(&mut to, &leases);
        if let Some(tls) = &self.tls {
            let status = tls.status();
            to.counter(
                "streamalert_tls_reloads",
                "Newer TLS files that were taken over.",
                status.reloads,
            );
            to.gauge(
                "streamalert_tls_reload_failed",
                "1 while the TLS files cannot be used and older ones are in force.",
                status.failing,
            );
        }
        if let Some(spans) = &self.spans {
            self::spans(&mut to, spans.counts());
        }
        if let Some(stores) = &self.stores
            && let Ok(kept) = stores.dead_letters.count().await
        {
            to.gauge("streamalert_dead_letters", "Dead letters that are kept.", kept);
        }
        to
    }
}

/// What is told of one node's leases.
type Churn = fn(&LeaseChurn) -> u64;

/// Leases of mergers, dispatchers and streams.
fn leases(to: &mut MetricSnapshot, all: &[(Arc<str>, LeaseChurn)]) {
    let points = |count: Churn| {
        all.iter()
            .map(move |(name, churn)| (name.clone(), count(churn)))
            .collect::<Vec<_>>()
    };
    to.gauges(
        "streamalert_leases",
        "Leases that this process works under.",
        "of",
        points(|churn| churn.held),
    );
    let counters: [(&str, &str, Churn); 5] = [
        (
            "streamalert_leases_taken",
            "Free leases, or leases of a former run, that were taken.",
            |churn| churn.taken,
        ),
        (
            "streamalert_leases_stolen",
            "Leases taken from a process that stood still.",
            |churn| churn.stolen,
        ),
        (
            "streamalert_leases_released",
            "Leases given back in good order.",
            |churn| churn.released,
        ),
        (
            "streamalert_leases_lost",
            "Leases that another process took.",
            |churn| churn.lost,
        ),
        (
            "streamalert_leases_expired",
            "Times that work stopped because a lease could not be renewed.",
            |churn| churn.expired,
        ),
    ];
    for (name, help, count) in counters {
        to.counters(name, help, "of", points(count));
    }
}

fn spans(to: &mut MetricSnapshot, counts: SpanCounts) {
    to.counter(
        "streamalert_trace_spans",
        "Spans that the collector has taken.",
        counts.exported,
    );
    let dropped = [("queue_full", counts.overflowed), ("not_taken", counts.failed)];
    to.counters(
        "streamalert_trace_dropped_spans",
        "Spans that were dropped.",
        "reason",
        dropped.map(|(reason, count)| (Arc::from(reason), count)),
    );
}

fn classifier(to: &mut MetricSnapshot, stats: &ClassifierStats) {
    to.counter(
        "streamalert_classifier_payloads",
        "Payloads taken apart.",
        stats.payloads,
    );
    to.counter(
        "streamalert_classifier_bytes",
        "Bytes of payloads taken apart, as they came from the source.",
        stats.bytes,
    );
    to.counters(
        "streamalert_classifier_records",
        "Records classified.",
        "log_type",
        stats.records.iter().map(|(name, count)| (name.clone(), *count)),
    );
    to.counter(
        "streamalert_classifier_dead_letters",
        "Records and payloads that no schema took.",
        stats.dead_letters,
    );
    to.counter(
        "streamalert_classifier_acknowledged_payloads",
        "Payloads whose source may forget them.",
        stats.acknowledged,
    );
    sources::progress(to, stats);
    sources::statuses(to, stats);
}
