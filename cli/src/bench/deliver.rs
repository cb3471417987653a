//! How fast the dispatcher delivers to a webhook, and what outputs that get nothing cost.

mod ground;
mod receiver;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use serde_json::json;
use streamalert_dispatcher::{DispatcherHandle, OutputSpec};
use streamalert_proto::{Alerts, Deliveries};
use streamalert_types::{Alert, AlertBatch, Delivery, DeliveryOutcome};
use streamalert_value::Value;

pub(super) use ground::{alert, dispatcher, merger, output, webhook};
pub(super) use receiver::Receiver;

use super::alerts::AlertMaker;
use super::cpu::{process_time, thread_time, wall_time};
use super::passes::Passes;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Deliveries that are measured each time.
const ALERTS: u64 = 20_000;

/// Deliveries before that: connections are opened, memory is got.
const WARM_UP: u64 = 1_000;

/// Attempts at once, and deliveries that whoever asks has under way; the first are what both are by default.
const AT_ONCE: [(usize, usize); 4] = [(64, 64), (16, 64), (1, 64), (256, 512)];

/// Outputs that are configured and get nothing.
const IDLE: [usize; 3] = [0, 100, 1_000];

/// Alerts in a batch, as from a rules-node.
const BATCH: usize = 256;

const NAME: &str = "webhook:bench";

/// What one run came to.
struct Run {
    /// Of the sender, all of it on one thread.
    cpu: Duration,
    /// Of the receiver.
    receiver: Duration,
    wall: Duration,
    connections: u64,
}

impl Run {
    fn per_core(&self) -> f64 {
        ALERTS as f64 / self.cpu.as_secs_f64()
    }

    fn per_second(&self) -> f64 {
        ALERTS as f64 / self.wall.as_secs_f64()
    }
}

/// With a merger and an embedded store before it.
struct Whole {
    in_flight: usize,
    run: Run,
    commits: u64,
}

/// Deliveries per second of one core to a webhook on loopback: dispatcher alone, beside idle outputs, and with a merger on
/// an embedded store in a folder under `parent`.
pub(crate) fn deliver(parent: &Path, passes: u16) -> Result<Report, Failure> {
    let mut rows = Vec::new();
    for (concurrency, in_flight) in AT_ONCE {
        let runs = (0..passes).map(|_| alone(concurrency, in_flight, 0));
        rows.push((concurrency, in_flight, best(runs)?));
    }
    let mut idle = IDLE.map(|_| Passes::default());
    for _ in 0..passes {
        for (outputs, passes) in IDLE.into_iter().zip(&mut idle) {
            passes.add(alone(64, 64, outputs)?.cpu, ALERTS);
        }
    }
    let mut wholes = Vec::new();
    for in_flight in [64, 512] {
        let runs: Result<Vec<Whole>, Failure> = (0..passes).map(|_| whole(parent, in_flight)).collect();
        let least = runs?.into_iter().min_by_key(|whole| whole.run.cpu);
        wholes.extend(least);
    }
    Ok(report(&rows, &idle, &wholes))
}

/// The run that was disturbed least.
fn best(runs: impl Iterator<Item = Result<Run, Failure>>) -> Result<Run, Failure> {
    let runs: Vec<Run> = runs.collect::<Result<_, _>>()?;
    let best = runs.into_iter().min_by_key(|run| run.cpu);
    best.ok_or_else(|| Failure::Other("nothing was measured".to_owned()))
}

/// Runs `work` on this thread alone: what it computes is this thread's time.
fn on_one_thread<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

fn alerts(maker: &AlertMaker, first: u64, count: u64) -> Vec<Arc<Alert>> {
    let outputs = [output(NAME)];
    (first..first + count)
        .map(|number| alert(maker, number, &outputs))
        .collect()
}

/// The dispatcher alone, its caller beside it on the same thread.
fn alone(concurrency: usize, in_flight: usize, idle: usize) -> Result<Run, Failure> {
    let receiver = Receiver::start()?;
    let mut specs = vec![webhook(
        NAME,
        &receiver.url("/ok"),
        json!({"delivery": {"concurrency": concurrency}}),
    )];
    specs.extend((0..idle).map(|number| {
        let name = format!("webhook:idle-{number}");
        webhook(&name, &receiver.url("/idle"), json!({}))
    }));
    let (cpu, wall) = on_one_thread(deliver_all(&specs, in_flight))?;
    let (connections, requests) = (receiver.connections(), receiver.requests());
    if requests != WARM_UP + ALERTS {
        return Err(Failure::Other(format!("{requests} requests arrived")));
    }
    Ok(Run {
        cpu,
        wall,
        connections,
        receiver: receiver.stop(),
    })
}

async fn deliver_all(specs: &[OutputSpec], in_flight: usize) -> Result<(Duration, Duration), Failure> {
    let dispatcher = dispatcher(specs)?;
    let maker = AlertMaker::new(u64::MAX);
    deliver_these(&dispatcher, alerts(&maker, 0, WARM_UP), in_flight).await?;
    let alerts = alerts(&maker, WARM_UP, ALERTS);
    let (cpu, wall) = (thread_time(), wall_time());
    deliver_these(&dispatcher, alerts, in_flight).await?;
    let spent = (thread_time() - cpu, wall_time() - wall);
    dispatcher.drain().await;
    Ok(spent)
}

async fn deliver_these(
    dispatcher: &DispatcherHandle,
    alerts: Vec<Arc<Alert>>,
    in_flight: usize,
) -> Result<(), Failure> {
    let name = output(NAME);
    let outcomes = alerts.into_iter().map(|alert| {
        dispatcher.deliver(Delivery {
            alert,
            output: name.clone(),
            update: None,
        })
    });
    let mut outcomes = stream::iter(outcomes).buffer_unordered(in_flight);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(DeliveryOutcome::Delivered { attempts: 1, .. }) => {}
            other => return Err(Failure::Other(format!("a delivery ended as {other:?}"))),
        }
    }
    Ok(())
}

/// From the merger's door to the settled delivery. All but the store's own threads is on one thread.
fn whole(parent: &Path, in_flight: usize) -> Result<Whole, Failure> {
    std::fs::create_dir_all(parent)?;
    let dir = tempfile::Builder::new()
        .prefix("streamalert-bench-")
        .tempdir_in(parent)?;
    let receiver = Receiver::start()?;
    let specs = [webhook(NAME, &receiver.url("/ok"), json!({}))];
    let (spent, wall, commits) = on_one_thread(async {
        let dispatcher = dispatcher(&specs)?;
        let (merger, task, store) = merger(dir.path(), in_flight, dispatcher.clone()).await?;
        let alerts = alerts(&AlertMaker::new(u64::MAX), 0, ALERTS);
        let (cpu, wall, commits) = (process_time(), wall_time(), store.write_counts().commits);
        for batch in alerts.chunks(BATCH) {
            let batch = AlertBatch {
                alerts: batch.to_vec(),
            };
            let accepted = merger.accept(batch).await;
            accepted.map_err(|error| Failure::while_doing("the merger refused alerts", error))?;
        }
        merger.wait_idle().await;
        let wall = wall_time() - wall;
        let (spent, commits) = (process_time() - cpu, store.write_counts().commits - commits);
        merger.drain().await;
        dispatcher.drain().await;
        drop(task);
        Ok((spent, wall, commits))
    })?;
    let connections = receiver.connections();
    let theirs = receiver.stop();
    Ok(Whole {
        in_flight,
        commits,
        run: Run {
            cpu: spent.saturating_sub(theirs),
            receiver: theirs,
            wall,
            connections,
        },
    })
}

fn report(rows: &[(usize, usize, Run)], idle: &[Passes], wholes: &[Whole]) -> Report {
    let head = |first: &str, second: &str, last: &str| {
        format!(
            "  {first:>9} {second:>13} {:>17} {:>9} {:>13} {:>12} {last:>20}",
            "deliveries/s core", "/s clock", "receiver CPU", "connections"
        )
    };
    let line = |first: &str, second: &str, run: &Run, last: &str| {
        let share = run.receiver.as_secs_f64() / run.wall.as_secs_f64();
        format!(
            "  {first:>9} {second:>13} {:>17} {:>9} {:>11.0} % {:>12} {last:>20}",
            grouped(run.per_core()),
            grouped(run.per_second()),
            share * 100.0,
            run.connections,
        )
    };
    let mut lines = vec![
        format!(
            "deliver: {} alerts of 1.45 KB to a webhook on loopback, whose computing time does not count",
            grouped(ALERTS as f64)
        ),
        "  dispatcher on one thread".to_owned(),
        head("at once", "asked at once", ""),
    ];
    lines.extend(
        rows.iter()
            .map(|(at_once, asked, run)| line(&at_once.to_string(), &asked.to_string(), run, "")),
    );
    lines.push("  idle outputs beside it, in turn".to_owned());
    for (outputs, passes) in IDLE.iter().zip(idle) {
        let ratio = idle.first().map_or(1.0, |none| none.speed_against(passes));
        lines.push(format!(
            "  {outputs:>9} {:>13.1} µs a delivery (median {:.1}), {ratio:.3} × of none",
            passes.best() * 1e6,
            passes.median() * 1e6
        ));
    }
    lines.push("  merger, embedded store, dispatcher: from acceptance to the settled delivery".to_owned());
    lines.push(head("", "handed over", "deliveries a commit"));
    lines.extend(wholes.iter().map(|whole| {
        let per_commit = ALERTS as f64 / whole.commits.max(1) as f64;
        line(
            "",
            &whole.in_flight.to_string(),
            &whole.run,
            &format!("{per_commit:.1}"),
        )
    }));
    let first = rows.first().map_or(f64::NAN, |(_, _, run)| run.per_core());
    let json = object([
        ("stage", text("deliver")),
        ("deliveries_per_core_s", Value::Float(first.round())),
        ("alone", Value::List(rows.iter().map(row_json).collect())),
        (
            "idle",
            Value::List(
                IDLE.iter()
                    .zip(idle)
                    .map(|(outputs, passes)| idle_json(*outputs, passes))
                    .collect(),
            ),
        ),
        ("whole", Value::List(wholes.iter().map(Whole::json).collect())),
    ]);
    Report { json, lines }
}

fn row_json((concurrency, in_flight, run): &(usize, usize, Run)) -> Value {
    object([
        ("concurrency", integer(*concurrency as u64)),
        ("in_flight", integer(*in_flight as u64)),
        ("deliveries_per_core_s", Value::Float(run.per_core().round())),
        ("deliveries_per_s", Value::Float(run.per_second().round())),
        ("connections", integer(run.connections)),
    ])
}

fn idle_json(outputs: usize, passes: &Passes) -> Value {
    object([
        ("outputs", integer(outputs as u64)),
        ("us_best", Value::Float(passes.best() * 1e6)),
        ("us_median", Value::Float(passes.median() * 1e6)),
    ])
}

impl Whole {
    fn json(&self) -> Value {
        object([
            ("in_flight", integer(self.in_flight as u64)),
            ("deliveries_per_core_s", Value::Float(self.run.per_core().round())),
            ("deliveries_per_s", Value::Float(self.run.per_second().round())),
            ("commits", integer(self.commits)),
        ])
    }
}
