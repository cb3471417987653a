//! The service: a handle that evaluates batches concurrently, bounded by the bytes in flight.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_detect::{EvaluateOptions, RuleRuntime, RuleSet, ThreatIntel};
use streamalert_proto::{Alerts, Evaluated, NeighbourError, Records};
use streamalert_store::DeadLetterStore;
use streamalert_types::{Alert, AlertBatch, Clock, DeadLetter, Record, RecordBatch, Tracer};
use tokio::sync::Semaphore;

use crate::outcomes::{Findings, FindingsMaker};
use crate::stats::StatsBook;
use crate::traces::BatchTrace;

const SERVICE: &str = "rules-node";

/// Limits of a rules-node.
#[derive(Debug, Clone)]
pub struct RulesNodeOptions {
    /// Bytes of records being evaluated or waiting for their alerts to become durable. Beyond it callers wait,
    /// which holds back the classifier and at last the source.
    pub in_flight_bytes_max: usize,
    /// Alerts in one batch to the merger: a record on which every rule fires must not make a message too big.
    pub alert_batch_bytes_max: usize,
    /// First pause before a batch is offered to the merger or the dead-letter store again; doubles each time.
    pub retry_initial: Duration,
    /// Longest pause.
    pub retry_max: Duration,
    /// Tells of records that raised something, and of some others.
    pub tracer: Tracer,
}

impl Default for RulesNodeOptions {
    fn default() -> Self {
        Self {
            in_flight_bytes_max: 32 << 20,
            alert_batch_bytes_max: 4 << 20,
            retry_initial: Duration::from_millis(50),
            retry_max: Duration::from_secs(5),
            tracer: Tracer::default(),
        }
    }
}

/// What a rules-node works with.
pub struct RulesNodeParts {
    /// Evaluates the rules.
    pub runtime: Arc<dyn RuleRuntime>,
    /// The merger.
    pub alerts: Arc<dyn Alerts>,
    /// Keeps records on which a rule was killed.
    pub dead_letters: Arc<dyn DeadLetterStore>,
    /// Marks records that hold known indicators of compromise.
    pub threat_intel: Option<Arc<ThreatIntel>>,
    /// The time of alerts.
    pub clock: Arc<dyn Clock>,
}

/// A rules-node. Cheap to clone; clones are the same node.
#[derive(Clone)]
pub struct RulesNode {
    inner: Arc<Inner>,
}

struct Inner {
    options: RulesNodeOptions,
    parts: RulesNodeParts,
    in_flight: Semaphore,
    stats: StatsBook,
    draining: AtomicBool,
}

impl RulesNode {
    /// A node that is ready.
    #[must_use]
    pub fn new(options: RulesNodeOptions, parts: RulesNodeParts) -> Self {
        let in_flight = Semaphore::new(options.in_flight_bytes_max.min(Semaphore::MAX_PERMITS));
        let stats = StatsBook::new(parts.runtime.rules());
        Self {
            inner: Arc::new(Inner {
                options,
                parts,
                in_flight,
                stats,
                draining: AtomicBool::new(false),
            }),
        }
    }

    /// What each rule of this moment did since the start.
    #[must_use]
    pub fn stats(&self) -> &StatsBook {
        self.inner.stats.follow(&self.inner.parts.runtime.rules());
        &self.inner.stats
    }

    /// Bytes of records being evaluated, or waiting for their alerts to become durable.
    #[must_use]
    pub fn in_flight_bytes(&self) -> usize {
        let max = self.inner.options.in_flight_bytes_max.min(Semaphore::MAX_PERMITS);
        max.saturating_sub(self.inner.in_flight.available_permits())
    }

    /// Refuses new batches and waits for those in flight.
    pub async fn drain(&self) {
        self.inner.draining.store(true, Ordering::SeqCst);
        let all = permits(
            self.inner.options.in_flight_bytes_max,
            self.inner.options.in_flight_bytes_max,
        );
        let _ = self.inner.in_flight.acquire_many(all).await;
    }
}

#[async_trait]
impl Records for RulesNode {
    async fn evaluate(&self, batch: RecordBatch) -> Result<Evaluated, NeighbourError> {
        let inner = &self.inner;
        if inner.draining.load(Ordering::SeqCst) {
            return Err(unavailable("draining".to_owned()));
        }
        let weight = batch.records.iter().map(Record::weight_bytes).sum();
        let weight = permits(weight, inner.options.in_flight_bytes_max);
        let _in_flight = inner
            .in_flight
            .acquire_many(weight)
            .await
            .map_err(|_| unavailable("shutting down".to_owned()))?;
        inner.evaluate(batch).await
    }
}

impl RulesNode {
    /// Evaluates records that are dead letters already: like [`Records::evaluate`], but what gives no answer again
    /// is told instead of being kept once more. Answers one line per failure.
    ///
    /// # Errors
    /// As [`Records::evaluate`].
    pub async fn replay(&self, records: Vec<Record>) -> Result<Vec<String>, NeighbourError> {
        let inner = &self.inner;
        let (tracer, clock) = (&inner.options.tracer, &*inner.parts.clock);
        let batch = RecordBatch {
            records,
            traceparent: String::new(),
        };
        let mut trace = BatchTrace::begin(tracer, clock, &batch);
        let Found {
            rules,
            findings,
            places,
        } = inner.find(batch.records).await?;
        trace.evaluated(clock);
        inner.hand_on(&findings.alerts).await?;
        trace.end(tracer, &findings.raised, &places);
        let failures = findings
            .failures
            .iter()
            .filter(|failure| failure.outcome.is_unknown())
            .map(|failure| {
                let name = rules.get(failure.rule).map_or("?", |rule| &rule.name);
                format!(
                    "rule {name} gave no answer again: {}",
                    failure.outcome.trace_word()
                )
            });
        Ok(failures.collect())
    }
}

/// What comes of records, and the rules that it is about.
struct Found {
    rules: Arc<RuleSet>,
    findings: Findings,
    /// Of each outcome, the record's place in the batch.
    places: Vec<u32>,
}

impl Inner {
    async fn evaluate(&self, batch: RecordBatch) -> Result<Evaluated, NeighbourError> {
        let mut trace = BatchTrace::begin(&self.options.tracer, &*self.parts.clock, &batch);
        let RecordBatch { records, .. } = batch;
        let mut log_types: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for record in &records {
            *log_types.entry(record.log_type.clone()).or_default() += 1;
        }
        let log_types: Vec<(&str, u64)> = log_types.iter().map(|(name, count)| (&**name, *count)).collect();
        let Found {
            rules,
            findings,
            places,
        } = self.find(records).await?;
        trace.evaluated(&*self.parts.clock);
        self.store(findings.letters).await?;
        self.hand_on(&findings.alerts).await?;
        let kept = trace.end(&self.options.tracer, &findings.raised, &places);
        // Counted last, so that a batch that comes again because it was not answered is not counted twice.
        self.stats.follow(&self.parts.runtime.rules());
        self.stats.count(
            &rules,
            &log_types,
            &findings.alerts,
            findings.failures,
            self.parts.clock.now(),
        );
        Ok(Evaluated { kept })
    }

    async fn find(&self, mut records: Vec<Record>) -> Result<Found, NeighbourError> {
        if let Some(threat_intel) = &self.parts.threat_intel {
            for record in &mut records {
                if let Some(annotated) = threat_intel.annotate(record) {
                    *record = annotated;
                }
            }
        }
        // One rule set from here to the alerts, whatever is loaded meanwhile.
        let runtime = self.parts.runtime.fixed();
        let runtime = runtime.unwrap_or_else(|| self.parts.runtime.clone());
        let rules = runtime.rules();
        // What no rule is about need not cross to the runtime, which would have to read it first.
        let mut places = Vec::with_capacity(records.len());
        let mut place = 0;
        records.retain(|record| {
            let wanted = !rules.for_log_type(&record.log_type).is_empty();
            if wanted {
                places.push(place);
            }
            place += 1;
            wanted
        });
        if records.is_empty() {
            return Ok(Found {
                rules,
                findings: Findings::default(),
                places,
            });
        }
        let outcomes = runtime
            .evaluate(records, EvaluateOptions::default())
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        let now = self.parts.clock.now();
        let findings = FindingsMaker {
            rules: &rules,
            now,
            traced: self.options.tracer.is_on(),
        }
        .make(outcomes);
        Ok(Found {
            rules,
            findings,
            places,
        })
    }

    async fn hand_on(&self, alerts: &[Arc<Alert>]) -> Result<(), NeighbourError> {
        let mut rest = alerts;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest
                .iter()
                .take_while(|alert| {
                    bytes += alert.weight_bytes();
                    bytes <= self.options.alert_batch_bytes_max
                })
                .count();
            let (now, later) = rest.split_at(fitting.max(1));
            self.accept(AlertBatch { alerts: now.to_vec() }).await?;
            rest = later;
        }
        Ok(())
    }

    async fn accept(&self, batch: AlertBatch) -> Result<(), NeighbourError> {
        let mut pause = self.options.retry_initial;
        loop {
            match self.parts.alerts.accept(batch.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_retryable() => {
                    tracing::debug!(%error, ?pause, "merger did not take alerts, trying again");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.options.retry_max);
        }
    }

    async fn store(&self, letters: Vec<DeadLetter>) -> Result<(), NeighbourError> {
        if letters.is_empty() {
            return Ok(());
        }
        let put = self.parts.dead_letters.put(letters).await;
        put.map_err(|error| unavailable(format!("dead-letter store: {error}")))
    }
}

/// Permits for `weight` bytes: all of them for a batch that is heavier than the limit, so that it passes alone.
fn permits(weight: usize, limit: usize) -> u32 {
    u32::try_from(weight.min(limit)).unwrap_or(u32::MAX)
}

fn unavailable(reason: String) -> NeighbourError {
    NeighbourError::Unavailable {
        service: SERVICE,
        reason,
    }
}
