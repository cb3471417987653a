use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use streamalert_types::{Clock, Span, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::queue::Counts;
use super::{Resource, wire};
use crate::{Backoff, BackoffOptions, MetricSource};

/// Spans in one request: far below the 4 MiB that a collector takes by default.
const BATCH_SPANS_MAX: usize = 512;
/// How long a span waits for others: what a process that is killed loses of its traces.
const LINGER: Duration = Duration::from_secs(1);
/// For one request.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts to export one batch; then it is dropped, so that newer spans do not wait behind it.
const ATTEMPTS_MAX: u32 = 5;
/// For everything that is left when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends what is recorded and counted, until it is told to end.
pub struct OtlpTask {
    pub(super) channel: Channel,
    pub(super) metadata: MetadataMap,
    pub(super) resource: Resource,
    pub(super) metrics_every: Duration,
    pub(super) spans: mpsc::Receiver<Span>,
    pub(super) counts: Arc<Counts>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Timestamp,
}

impl std::fmt::Debug for OtlpTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpTask")
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl OtlpTask {
    /// Exports spans, and what `metrics` counts, until `end`; then what is left, for a few seconds at most.
    pub async fn run(self, metrics: Arc<dyn MetricSource>, end: CancellationToken) {
        let mut traces = Traces {
            client: TraceServiceClient::new(self.channel.clone()),
            metadata: self.metadata.clone(),
            resource: self.resource.clone(),
            spans: self.spans,
            counts: self.counts,
            trouble: Trouble::new("traces"),
        };
        let mut counted = Counted {
            client: MetricsServiceClient::new(self.channel),
            metadata: self.metadata,
            resource: self.resource,
            every: self.metrics_every,
            metrics,
            clock: self.clock,
            started: self.started,
            trouble: Trouble::new("metrics"),
        };
        tokio::join!(traces.run(&end), counted.run(&end));
    }
}

struct Traces {
    client: TraceServiceClient<Channel>,
    metadata: MetadataMap,
    resource: Resource,
    spans: mpsc::Receiver<Span>,
    counts: Arc<Counts>,
    trouble: Trouble,
}

impl Traces {
    async fn run(&mut self, end: &CancellationToken) {
        loop {
            let batch = self.next_batch(end).await;
            if end.is_cancelled() {
                let flushing = self.flush(batch, end);
                if tokio::time::timeout(FLUSH_TIMEOUT, flushing).await.is_err() {
                    tracing::warn!("not all traces are exported");
                }
                return;
            }
            if batch.is_empty() {
                return;
            }
            self.export(batch, end).await;
        }
    }

    /// The spans of the next request; none when nobody can record any more.
    async fn next_batch(&mut self, end: &CancellationToken) -> Vec<Span> {
        let mut batch = Vec::new();
        let mut deadline = None;
        while batch.len() < BATCH_SPANS_MAX {
            let room = BATCH_SPANS_MAX - batch.len();
            let until = deadline;
            let lingering = async move {
                match until {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = end.cancelled() => break,
                received = self.spans.recv_many(&mut batch, room) => {
                    if received == 0 {
                        break;
                    }
                    deadline.get_or_insert(Instant::now() + LINGER);
                }
                () = lingering => break,
            }
        }
        batch
    }

    async fn flush(&mut self, mut batch: Vec<Span>, end: &CancellationToken) {
        self.spans.close();
        loop {
            while batch.len() < BATCH_SPANS_MAX
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            self.export(std::mem::take(&mut batch), end).await;
        }
    }

    async fn export(&mut self, batch: Vec<Span>, end: &CancellationToken) {
        let count = batch.len() as u64;
        let message = wire::traces(&self.resource, batch);
        // The jitter of one exporter among the many of a fleet; what it hangs on does not matter.
        let mut backoff = Backoff::new(BackoffOptions::default(), count);
        loop {
            let request = with_metadata(message.clone(), &self.metadata);
            let failure = match answered(self.client.export(request)).await {
                Ok(response) => {
                    let partial = response.into_inner().partial_success.unwrap_or_default();
                    let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0).min(count);
                    self.counts
                        .exported
                        .fetch_add(count - rejected, Ordering::Relaxed);
                    self.counts.failed.fetch_add(rejected, Ordering::Relaxed);
                    self.trouble.over();
                    return;
                }
                Err(failure) => failure,
            };
            self.trouble.note(&failure);
            let pause = backoff.next_delay();
            if !is_retryable(&failure) || backoff.attempts() >= ATTEMPTS_MAX || end.is_cancelled() {
                self.counts.failed.fetch_add(count, Ordering::Relaxed);
                return;
            }
            tokio::select! {
                biased;
                () = end.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

struct Counted {
    client: MetricsServiceClient<Channel>,
    metadata: MetadataMap,
    resource: Resource,
    every: Duration,
    metrics: Arc<dyn MetricSource>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    trouble: Trouble,
}

impl Counted {
    async fn run(&mut self, end: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = end.cancelled() => {
                    // The last word of a process. Failing that, the collector has what was counted before.
                    let _ = tokio::time::timeout(FLUSH_TIMEOUT, self.export()).await;
                    return;
                }
                () = tokio::time::sleep(self.every) => {}
            }
            self.export().await;
        }
    }

    /// One export. A failed one is not repeated: the next tells everything.
    async fn export(&mut self) {
        let snapshot = self.metrics.metrics().await;
        let message = wire::snapshot(&self.resource, &snapshot, self.started, self.clock.now());
        let request = with_metadata(message, &self.metadata);
        match answered(self.client.export(request)).await {
            Ok(_) => self.trouble.over(),
            Err(failure) => self.trouble.note(&failure),
        }
    }
}

fn with_metadata<T>(message: T, metadata: &MetadataMap) -> Request<T> {
    let mut request = Request::new(message);
    *request.metadata_mut() = metadata.clone();
    request
}

async fn answered<T>(asked: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(EXPORT_TIMEOUT, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded("no answer")),
    }
}

/// As the specification of OTLP lists them.
fn is_retryable(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted
    )
}

/// Tells of trouble when it begins and when it is over, and not in between.
struct Trouble {
    signal: &'static str,
    now: bool,
}

impl Trouble {
    const fn new(signal: &'static str) -> Self {
        Self { signal, now: false }
    }

    fn note(&mut self, status: &Status) {
        if !std::mem::replace(&mut self.now, true) {
            tracing::warn!(
                signal = self.signal, code = ?status.code(), error = status.message(),
                "collector does not take telemetry"
            );
        }
    }

    fn over(&mut self) {
        if std::mem::replace(&mut self.now, false) {
            tracing::info!(signal = self.signal, "collector takes telemetry again");
        }
    }
}
