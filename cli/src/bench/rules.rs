use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::{EvaluateOptions, RuleOutcome, RuleRuntime};
use streamalert_python::PythonPool;
use streamalert_schema::{Payload, Scratch};
use streamalert_types::{Position, Record, Sequence};
use streamalert_value::Value;

use super::cpu::{children_time, process_time};
use super::passes::Passes;
use super::{Inputs, Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;

/// Measured this often.
const PASSES: usize = 5;

/// Computing time of one pass at least: a worker's is known to 10 ms only.
const PASS_MIN: Duration = Duration::from_secs(1);

/// Records handed over at once, eight of the default slices.
const BATCH: usize = 2_048;

/// What the rules made of all records once.
#[derive(Default, PartialEq, Debug)]
struct Results {
    alerts: u64,
    exceptions: u64,
    /// Timed out, killed or suspended.
    unknown: u64,
}

/// Classified records through the project's rules in one Python worker.
pub(crate) async fn rules(project: &Project, pool: &PythonPool, inputs: &Inputs) -> Result<Report, Failure> {
    let records = records(project, inputs);
    if records.is_empty() {
        return Ok(Report::skipped(
            "rules",
            "no schema of the project takes any of the payloads",
        ));
    }
    let set = pool.rules();
    let events = records.len() as u64;
    let bytes: u64 = records.iter().map(|record| record.json.len() as u64).sum();
    let pairs: u64 = records
        .iter()
        .map(|record| set.for_log_type(&record.log_type).len() as u64)
        .sum();

    // The first time warms the interpreter up and lets the spare worker finish loading; the second tells the cost.
    once(pool, &records).await?;
    let begun = time();
    let expected = once(pool, &records).await?;
    let taken = (time().total() - begun.total()).max(Duration::from_millis(1));
    let rounds = u64::try_from(PASS_MIN.as_nanos() / taken.as_nanos()).unwrap_or(u64::MAX) + 1;
    let (mut total, mut worker) = (Passes::default(), Passes::default());
    for _ in 0..PASSES {
        let begun = time();
        for _ in 0..rounds {
            let results = once(pool, &records).await?;
            if results != expected {
                tracing::warn!(?expected, ?results, "a pass came out differently");
            }
        }
        let end = time();
        total.add(end.total().saturating_sub(begun.total()), events * rounds);
        worker.add(end.workers.saturating_sub(begun.workers), events * rounds);
    }
    let measured = Measured {
        origin: &inputs.origin,
        rules: set.rules().iter().filter(|rule| !rule.disabled).count() as u64,
        events,
        bytes,
        pairs,
        log_types: count_types(&records),
        results: expected,
        total,
        worker,
    };
    Ok(measured.report())
}

#[derive(Clone, Copy)]
struct Time {
    own: Duration,
    workers: Duration,
}

impl Time {
    fn total(self) -> Duration {
        self.own + self.workers
    }
}

fn time() -> Time {
    Time {
        own: process_time(),
        workers: children_time().unwrap_or_default(),
    }
}

fn records(project: &Project, inputs: &Inputs) -> Vec<Record> {
    let selection = project.schemas.select_all();
    let mut scratch = Scratch::new();
    let mut records = Vec::new();
    for (number, input) in (0..).zip(&inputs.payloads) {
        let source = Arc::new(input.source.clone());
        let position = Position {
            partition: "bench".into(),
            sequence: Sequence::Offset(number),
        };
        let payload = Payload {
            source: &source,
            position: &position,
            body: input.body(),
        };
        records.extend(
            selection
                .classify(&payload, &mut scratch)
                .into_records(&source, &position),
        );
    }
    records
}

fn count_types(records: &[Record]) -> BTreeMap<Arc<str>, u64> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(record.log_type.clone()).or_default() += 1;
    }
    counts
}

async fn once(pool: &PythonPool, records: &[Record]) -> Result<Results, Failure> {
    let mut results = Results::default();
    for batch in records.chunks(BATCH) {
        let outcomes = pool
            .evaluate(batch.to_vec(), EvaluateOptions::default())
            .await
            .map_err(|error| Failure::while_doing("cannot evaluate rules", error))?;
        for result in outcomes.iter().flat_map(|outcome| &outcome.results) {
            match &result.outcome {
                RuleOutcome::Fired(_) => results.alerts += 1,
                RuleOutcome::Exception(_) => results.exceptions += 1,
                outcome if outcome.is_unknown() => results.unknown += 1,
                _ => {}
            }
        }
    }
    Ok(results)
}

struct Measured<'a> {
    origin: &'a str,
    rules: u64,
    events: u64,
    bytes: u64,
    pairs: u64,
    log_types: BTreeMap<Arc<str>, u64>,
    results: Results,
    total: Passes,
    worker: Passes,
}

impl Measured<'_> {
    fn report(&self) -> Report {
        let bytes_per_event = self.bytes as f64 / self.events as f64;
        let pairs_per_event = self.pairs as f64 / self.events as f64;
        let ns_per_pair = |secs: f64| secs * 1e9 / pairs_per_event;
        let (best, median) = (self.total.best(), self.total.median());
        let Results {
            alerts,
            exceptions,
            unknown,
        } = self.results;
        let json = object([
            ("stage", text("rules")),
            ("input", text(self.origin)),
            ("engine", text("cpython")),
            ("rules", integer(self.rules)),
            ("events", integer(self.events)),
            ("pairs", integer(self.pairs)),
            ("alerts", integer(alerts)),
            ("exceptions", integer(exceptions)),
            ("unknown", integer(unknown)),
            ("events_per_core_s", Value::Float((1.0 / best).round())),
            ("bytes_per_core_s", Value::Float((bytes_per_event / best).round())),
            ("ns_per_pair", finite(ns_per_pair(best))),
            ("median_events_per_core_s", Value::Float((1.0 / median).round())),
            ("worker_ns_per_event", Value::Float(self.worker.best() * 1e9)),
        ]);
        let types = self
            .log_types
            .iter()
            .map(|(name, count)| format!("{} {name}", grouped(*count as f64)));
        let mut lines = vec![
            format!(
                "rules: {}, {} rules in one Python worker, worker and this process together, best and median of {PASSES} passes",
                self.origin, self.rules
            ),
            format!("  {}", types.collect::<Vec<_>>().join(", ")),
            format!(
                "  {alerts} alerts, {exceptions} exceptions, {pairs_per_event:.2} rules apply to an event"
            ),
            format!(
                "  {:>10} events/s {:>6.0} MB/s   median {:>10} events/s",
                grouped(1.0 / best),
                bytes_per_event / best / 1e6,
                grouped(1.0 / median),
            ),
            format!(
                "  {:.2} µs an event, {:.2} of it in the worker; {:.0} ns a pair of event and rule",
                best * 1e6,
                self.worker.best() * 1e6,
                ns_per_pair(best),
            ),
        ];
        if unknown > 0 {
            lines.push(format!(
                "  {unknown} pairs were not evaluated: rules timed out, were killed or are suspended"
            ));
        }
        Report { json, lines }
    }
}

/// JSON knows no infinity: no pair at all.
fn finite(number: f64) -> Value {
    if number.is_finite() {
        Value::Float(number)
    } else {
        Value::Null
    }
}
