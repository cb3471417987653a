//! What a process counts, for exporters of metrics. Names and labels are part of what users build dashboards on:
//! docs/OPERATIONS.md lists them. Labels are names of rules, outputs, sources and log types, which the user's
//! configuration bounds, and never anything out of a record.

mod deliveries;
mod rules;

use std::sync::Arc;

use async_trait::async_trait;
use streamalert_classifier::ClassifierStats;
use streamalert_service::{MetricSnapshot, MetricSource, SpanCounts};

use crate::admin::ProcessAdmin;

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
        if let Some(classifier) = &self.classifier {
            self::classifier(&mut to, &classifier.stats().snapshot());
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
        }
        if let Some(dispatcher) = &self.dispatcher {
            deliveries::dispatcher(&mut to, &dispatcher.stats());
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
    let sources = || stats.sources.iter();
    to.counters(
        "streamalert_source_payloads",
        "Payloads read.",
        "source",
        sources().map(|(name, progress)| (name.clone(), progress.payloads_read)),
    );
    to.counters(
        "streamalert_source_bytes",
        "Bytes read from the medium, before decompression.",
        "source",
        sources().map(|(name, progress)| (name.clone(), progress.bytes_read)),
    );
    to.gauges(
        "streamalert_source_open_payloads",
        "Payloads read and not acknowledged.",
        "source",
        sources().map(|(name, progress)| (name.clone(), progress.payloads_open)),
    );
    let unread = sources().filter_map(|(name, progress)| {
        let total = progress.bytes_total?;
        Some((name.clone(), total.saturating_sub(progress.bytes_read)))
    });
    to.gauges(
        "streamalert_source_unread_bytes",
        "Bytes that are there and not read, of sources that know.",
        "source",
        unread,
    );
}
