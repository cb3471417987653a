use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use streamalert_store::{
    AlertStore, EmbeddedOptions, EmbeddedStore, Fence, ShardId, StoreError, StoredAlert,
};
use streamalert_types::{Alert, OutputName};
use streamalert_value::Value;
use tokio::time::Instant;

use super::alerts::AlertMaker;
use super::cpu::process_time;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Callers at once, each waiting until its alerts are durable: as many as batches of rules-nodes may be under way.
const CALLERS: u64 = 64;

/// Alerts in one call.
const BATCHES: [u64; 3] = [1, 8, 64];

/// How long each size of batch is measured.
const RUN: Duration = Duration::from_secs(4);

/// Shards the callers write to.
const SHARDS: u64 = 16;

struct Row {
    batch: u64,
    alerts: u64,
    wall: Duration,
    cpu: Duration,
    commits: u64,
    median_wait: Duration,
}

/// Durable alerts per second on the embedded store, in a folder made under `parent` and removed afterwards. This is
/// time on the clock, since waiting for the disk is most of it; computing time stands beside it.
pub(crate) async fn store(parent: &Path) -> Result<Report, Failure> {
    let unusable = |error| Failure::while_doing(&format!("cannot measure in {}", parent.display()), error);
    std::fs::create_dir_all(parent).map_err(unusable)?;
    let mut rows = Vec::new();
    for batch in BATCHES {
        let dir = tempfile::Builder::new()
            .prefix("streamalert-bench-")
            .tempdir_in(parent)
            .map_err(unusable)?;
        let store = EmbeddedStore::open(EmbeddedOptions::new(dir.path()))
            .map_err(|error| Failure::Other(error.to_string()))?;
        let row = measure(&store, batch)
            .await
            .map_err(|error| Failure::while_doing("the store failed", error))?;
        rows.push(row);
    }
    Ok(report(&rows))
}

async fn measure(store: &EmbeddedStore, batch: u64) -> Result<Row, StoreError> {
    let outputs: Vec<OutputName> = ["slack:security", "aws-firehose:alerts"]
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    let commits = store.write_counts().commits;
    let (start, cpu) = (Instant::now(), process_time());
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            tokio::spawn(call_until_the_end(
                store.clone(),
                caller,
                batch,
                outputs.clone(),
                start,
            ))
        })
        .collect();
    let mut waits = Vec::new();
    for caller in callers {
        let joined = caller.await.map_err(|error| StoreError::Unavailable {
            reason: error.to_string(),
        })?;
        waits.extend(joined?);
    }
    let (wall, cpu) = (start.elapsed(), process_time().saturating_sub(cpu));
    waits.sort_unstable();
    Ok(Row {
        batch,
        alerts: waits.len() as u64 * batch,
        wall,
        cpu,
        commits: store.write_counts().commits - commits,
        median_wait: waits.get(waits.len() / 2).copied().unwrap_or_default(),
    })
}

/// Calls again and again; answers how long each call waited.
async fn call_until_the_end(
    store: EmbeddedStore,
    caller: u64,
    batch: u64,
    outputs: Vec<OutputName>,
    start: Instant,
) -> Result<Vec<Duration>, StoreError> {
    let maker = AlertMaker::new(u64::MAX);
    let shard = u16::try_from(caller % SHARDS).unwrap_or_default();
    let fence = Fence {
        shard: ShardId(shard),
        epoch: 1,
    };
    let mut waits = Vec::new();
    let mut step = 0;
    while start.elapsed() < RUN {
        let first = (step * CALLERS + caller) * batch;
        let alerts = (first..first + batch)
            .map(|number| {
                let alert = Alert {
                    outputs: outputs.iter().cloned().collect(),
                    ..Alert::clone(&maker.alert(number))
                };
                StoredAlert {
                    alert: Arc::new(alert),
                    pending: outputs.clone(),
                    group: None,
                }
            })
            .collect();
        let asked = Instant::now();
        store.accept(fence, alerts).await?;
        waits.push(asked.elapsed());
        step += 1;
    }
    Ok(waits)
}

impl Row {
    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.wall.as_secs_f64()
    }

    fn per_core_second(&self) -> f64 {
        self.alerts as f64 / self.cpu.as_secs_f64()
    }

    fn json(&self) -> Value {
        object([
            ("batch", integer(self.batch)),
            ("alerts_per_s", Value::Float(self.per_second(self.alerts).round())),
            ("alerts_per_core_s", Value::Float(self.per_core_second().round())),
            (
                "commits_per_s",
                Value::Float(self.per_second(self.commits).round()),
            ),
            (
                "alerts_per_commit",
                Value::Float(self.alerts as f64 / self.commits.max(1) as f64),
            ),
            (
                "median_wait_ms",
                Value::Float(self.median_wait.as_secs_f64() * 1e3),
            ),
        ])
    }
}

fn report(rows: &[Row]) -> Report {
    let mut lines = vec![
        format!(
            "store: durable alerts of 1.45 KB on the embedded store, {CALLERS} callers, each waits for its own commit"
        ),
        format!(
            "  {:>6} {:>12} {:>18} {:>12} {:>16} {:>14}",
            "batch", "alerts/s", "alerts/s of a core", "commits/s", "alerts a commit", "median wait"
        ),
    ];
    lines.extend(rows.iter().map(|row| {
        format!(
            "  {:>6} {:>12} {:>18} {:>12} {:>16.0} {:>11.1} ms",
            row.batch,
            grouped(row.per_second(row.alerts)),
            grouped(row.per_core_second()),
            grouped(row.per_second(row.commits)),
            row.alerts as f64 / row.commits.max(1) as f64,
            row.median_wait.as_secs_f64() * 1e3,
        )
    }));
    let best = rows
        .iter()
        .map(|row| row.per_second(row.alerts))
        .fold(0.0, f64::max);
    let json = object([
        ("stage", text("store")),
        ("alerts_per_s", Value::Float(best.round())),
        ("batches", Value::List(rows.iter().map(Row::json).collect())),
    ]);
    Report { json, lines }
}
