use std::sync::Arc;

use streamalert_classifier::ClassifierStats;
use streamalert_service::MetricSnapshot;
use streamalert_store::LeaseChurn;
use streamalert_stream::{KinesisStatus, QueueCounts, SourceStatus};

pub(super) fn progress(to: &mut MetricSnapshot, stats: &ClassifierStats) {
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

/// What only some kinds of sources know.
pub(super) fn statuses(to: &mut MetricSnapshot, stats: &ClassifierStats) {
    let (mut streams, mut queues) = (Vec::new(), Vec::new());
    for (name, status) in &stats.statuses {
        match status {
            SourceStatus::Kinesis(status) => streams.push((name, status)),
            SourceStatus::Queue(counts) => queues.push((name, counts)),
            SourceStatus::Plain => {}
        }
    }
    self::streams(to, &streams);
    self::queues(to, &queues);
}

/// The leases of streams, by `kinesis:<stream>`.
pub(super) fn leases(stats: &ClassifierStats) -> Vec<(Arc<str>, LeaseChurn)> {
    let statuses = stats.statuses.iter();
    let leases = statuses.filter_map(|(name, status)| match status {
        SourceStatus::Kinesis(status) => Some((name.clone(), status.leases)),
        SourceStatus::Queue(_) | SourceStatus::Plain => None,
    });
    leases.collect()
}

fn streams(to: &mut MetricSnapshot, streams: &[(&Arc<str>, &KinesisStatus)]) {
    let of = |count: fn(&KinesisStatus) -> u64| {
        let points = streams.iter();
        points
            .map(move |(name, status)| (Arc::clone(name), count(status)))
            .collect::<Vec<_>>()
    };
    to.gauges(
        "streamalert_kinesis_shards",
        "Shards that this process reads.",
        "source",
        of(|status| status.shards as u64),
    );
    to.gauges(
        "streamalert_source_behind_seconds",
        "How far reading is behind the newest record, of the shard of this process that is furthest behind.",
        "source",
        streams
            .iter()
            .map(|(name, status)| (Arc::clone(name), status.behind.as_secs_f64())),
    );
    let shards = streams.iter().flat_map(|(name, status)| {
        let shards = status.shards_behind.iter();
        shards.map(move |(shard, behind)| (Arc::from(format!("{name}/{shard}")), behind.as_secs_f64()))
    });
    to.gauges(
        "streamalert_kinesis_shard_behind_seconds",
        "How far the reading of each shard of this process is behind its newest record.",
        "shard",
        shards,
    );
    to.counters(
        "streamalert_kinesis_throttled",
        "Answers by which Kinesis asked for fewer reads.",
        "source",
        of(|status| status.throttled),
    );
    to.counters(
        "streamalert_kinesis_expired_iterators",
        "Iterators that expired before they were used, and were made anew.",
        "source",
        of(|status| status.iterators_expired),
    );
    to.counters(
        "streamalert_kinesis_failed_calls",
        "Other calls that failed, and were made again.",
        "source",
        of(|status| status.failed),
    );
    to.counters(
        "streamalert_kinesis_gaps",
        "Times that records were removed before they were read.",
        "source",
        of(|status| status.gaps),
    );
    to.counters(
        "streamalert_kinesis_gap_hours",
        "Hours from which records may be gone by that.",
        "source",
        streams
            .iter()
            .map(|(name, status)| (Arc::clone(name), status.gap_hours)),
    );
}

/// What is told of one queue.
type Count = fn(&QueueCounts) -> u64;

fn queues(to: &mut MetricSnapshot, queues: &[(&Arc<str>, &QueueCounts)]) {
    let counters: [(&str, &str, Count); 9] = [
        (
            "streamalert_sqs_receives",
            "Requests for messages that were answered.",
            |counts| counts.receives,
        ),
        (
            "streamalert_sqs_received_messages",
            "Messages that came.",
            |counts| counts.received,
        ),
        (
            "streamalert_sqs_deleted_messages",
            "Messages deleted: what came of them is durable.",
            |counts| counts.deleted,
        ),
        (
            "streamalert_sqs_extended_messages",
            "Times that a message was held longer.",
            |counts| counts.extended,
        ),
        (
            "streamalert_sqs_refused_extensions",
            "Times that a message could not be held longer, and comes again.",
            |counts| counts.extensions_refused,
        ),
        (
            "streamalert_sqs_returned_messages",
            "Messages given back, to come again later.",
            |counts| counts.given_back,
        ),
        (
            "streamalert_sqs_poison_messages",
            "Messages that came too often, and became dead letters.",
            |counts| counts.poisoned,
        ),
        (
            "streamalert_sqs_throttled",
            "Answers by which SQS asked for fewer calls.",
            |counts| counts.throttled,
        ),
        (
            "streamalert_sqs_failed_calls",
            "Other calls that failed, and were made again.",
            |counts| counts.failed,
        ),
    ];
    for (name, help, count) in counters {
        to.counters(
            name,
            help,
            "source",
            queues
                .iter()
                .map(|(name, counts)| (Arc::clone(name), count(counts))),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use streamalert_service::prometheus_text;

    use super::*;

    #[test]
    fn each_kind_of_source_tells_what_it_knows() {
        let stream = KinesisStatus {
            shards: 2,
            behind: Duration::from_millis(2500),
            shards_behind: BTreeMap::from([
                ("s0".into(), Duration::ZERO),
                ("s1".into(), Duration::from_millis(2500)),
            ]),
            leases: LeaseChurn {
                stolen: 2,
                ..LeaseChurn::default()
            },
            throttled: 7,
            gap_hours: 1.5,
            ..KinesisStatus::default()
        };
        let queue = QueueCounts {
            poisoned: 3,
            ..QueueCounts::default()
        };
        let stats = ClassifierStats {
            statuses: BTreeMap::from([
                ("kinesis:logs".into(), SourceStatus::Kinesis(stream)),
                ("s3:told".into(), SourceStatus::Queue(queue)),
                ("http:127.0.0.1:80".into(), SourceStatus::Plain),
            ]),
            ..ClassifierStats::default()
        };
        let mut to = MetricSnapshot::default();
        statuses(&mut to, &stats);
        super::super::leases(&mut to, &leases(&stats));
        let page = prometheus_text(&to);
        for line in [
            "streamalert_kinesis_shards{source=\"kinesis:logs\"} 2",
            "streamalert_source_behind_seconds{source=\"kinesis:logs\"} 2.5",
            "streamalert_kinesis_shard_behind_seconds{shard=\"kinesis:logs/s1\"} 2.5",
            "streamalert_kinesis_throttled_total{source=\"kinesis:logs\"} 7",
            "streamalert_kinesis_gap_hours_total{source=\"kinesis:logs\"} 1.5",
            "streamalert_sqs_poison_messages_total{source=\"s3:told\"} 3",
            "streamalert_leases_stolen_total{of=\"kinesis:logs\"} 2",
        ] {
            assert!(page.contains(line), "{line} in\n{page}");
        }
        assert!(!page.contains("http"), "{page}");
    }
}
