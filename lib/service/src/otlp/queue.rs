use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamalert_types::{Span, SpanSink};
use tokio::sync::mpsc;

/// Takes spans for the exporter. What does not fit is dropped and counted.
pub struct SpanQueue {
    sender: mpsc::Sender<Span>,
    counts: Arc<Counts>,
}

/// What became of spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// The collector has them.
    pub exported: u64,
    /// Dropped because the queue was full.
    pub overflowed: u64,
    /// Dropped because the collector did not take them.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) exported: AtomicU64,
    pub(super) overflowed: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl fmt::Debug for SpanQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SpanQueue").field(&self.counts()).finish()
    }
}

impl SpanQueue {
    pub(super) fn new(sender: mpsc::Sender<Span>) -> Self {
        Self {
            sender,
            counts: Arc::default(),
        }
    }

    pub(super) fn shared_counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// What became of spans since the start.
    #[must_use]
    pub fn counts(&self) -> SpanCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SpanCounts {
            exported: read(&self.counts.exported),
            overflowed: read(&self.counts.overflowed),
            failed: read(&self.counts.failed),
        }
    }
}

impl SpanSink for SpanQueue {
    fn record(&self, span: Span) {
        if self.sender.try_send(span).is_err() {
            self.counts.overflowed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use streamalert_types::{SpanKind, Timestamp, Traceparent};

    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_without_waiting() {
        let context: Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            .parse()
            .unwrap();
        let span = Span {
            context,
            parent: None,
            service: "merger",
            name: "accept".into(),
            kind: SpanKind::Consumer,
            start: Timestamp::EPOCH,
            end: Timestamp::EPOCH,
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
        };
        let (sender, mut spans) = mpsc::channel(2);
        let queue = SpanQueue::new(sender);
        for _ in 0..5 {
            queue.record(span.clone());
        }
        assert_eq!(queue.counts().overflowed, 3);
        assert_eq!(spans.try_recv().unwrap(), span);
        drop(spans);
        queue.record(span);
        assert_eq!(queue.counts().overflowed, 4, "nobody exports any more");
    }
}
