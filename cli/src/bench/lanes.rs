//! Whether twice the lanes do twice the work.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamalert_merger::{Merger, MergerOptions};
use streamalert_proto::{Alerts, NeighbourError};
use streamalert_store::{AlertStore, EmbeddedOptions, EmbeddedStore, LeaseStore, MemoryStore};
use streamalert_types::{AlertBatch, Clock, Timestamp};
use streamalert_value::Value;

use super::alerts::{AlertMaker, START};
use super::cpu::{process_time, wall_time};
use super::merge::Sink;
use super::passes::Passes;
use super::workers::Spent;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// How many lanes are compared.
const LANES: [usize; 2] = [1, 2];

/// Distinct merge keys: as many groups of 20 alerts.
const KEYS: u64 = 10_000;

/// Alerts of one pass on the store in memory, and on the embedded one.
const ALERTS: [u64; 2] = [200_000, 40_000];

/// Alerts in a batch, as from a rules-node.
const BATCH: usize = 256;

/// Batches under way for each lane.
const CALLERS: usize = 24;

/// Threads are found by it.
const THREAD: &str = "bench-lanes";

/// What one number of lanes on one store came to, pass by pass.
#[derive(Default)]
struct Column {
    clock: Passes,
    undisturbed: Passes,
    cpu: Passes,
    idle: Vec<f64>,
}

/// Alerts per second of a merger with one lane on one thread, and with two lanes on two, pass by pass in turn.
pub(crate) fn lanes(parent: &Path, passes: u16) -> Result<Report, Failure> {
    let maker = AlertMaker::new(KEYS);
    let alerts: Vec<_> = (0..ALERTS[0]).map(|number| maker.alert(number)).collect();
    let batches: Vec<AlertBatch> = alerts
        .chunks(BATCH)
        .map(|alerts| AlertBatch {
            alerts: alerts.to_vec(),
        })
        .collect();
    drop(alerts);
    let mut tables = Vec::new();
    for (at, store) in ["memory", "embedded"].into_iter().enumerate() {
        let count = batches.len().min(ALERTS[at].div_ceil(BATCH as u64) as usize);
        let mut columns = LANES.map(|_| Column::default());
        // The first pass meets a cold machine.
        for pass in 0..=passes {
            for (column, lanes) in columns.iter_mut().zip(LANES) {
                let batches = batches[..count].to_vec();
                let spent = if store == "memory" {
                    let store = Arc::new(MemoryStore::new());
                    one_pass(lanes, batches, store.clone(), store)?
                } else {
                    let dir = folder(parent)?;
                    let store = EmbeddedStore::open(EmbeddedOptions::new(dir.path()))
                        .map_err(|error| Failure::Other(error.to_string()))?;
                    let store = Arc::new(store);
                    one_pass(lanes, batches, store.clone(), store)?
                };
                if pass > 0 {
                    column.add(&spent);
                }
            }
        }
        tables.push((store, columns));
    }
    Ok(report(&tables))
}

/// A folder for a store, removed afterwards.
pub(super) fn folder(parent: &Path) -> Result<tempfile::TempDir, Failure> {
    let unusable = |error| Failure::while_doing(&format!("cannot measure in {}", parent.display()), error);
    std::fs::create_dir_all(parent).map_err(unusable)?;
    tempfile::Builder::new()
        .prefix("streamalert-bench-")
        .tempdir_in(parent)
        .map_err(unusable)
}

/// A clock that runs, from the time of the first alert on: pauses after failures must end.
struct FromStart(Duration);

impl Clock for FromStart {
    fn now(&self) -> Timestamp {
        START.plus(wall_time().saturating_sub(self.0))
    }
}

/// What a pass took.
struct Pass {
    alerts: u64,
    lanes: Spent,
    /// Computing time of the process, a store's own threads included.
    cpu: Duration,
}

/// Everything from the first batch to the last settled delivery of the last group, on as many threads as lanes.
fn one_pass(
    lanes: usize,
    batches: Vec<AlertBatch>,
    store: Arc<dyn AlertStore>,
    leases: Arc<dyn LeaseStore>,
) -> Result<Pass, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(lanes)
        .thread_name(THREAD)
        .enable_all()
        .build()?;
    let alerts: usize = batches.iter().map(|batch| batch.alerts.len()).sum();
    let now = || Spent::by(THREAD).ok_or_else(|| Failure::Other("no /proc to read from".to_owned()));
    runtime.block_on(async {
        let options = MergerOptions {
            lanes,
            groups_bytes_max: 1 << 30,
            alone: true,
            ..MergerOptions::default()
        };
        let clock = Arc::new(FromStart(wall_time()));
        let (merger, _task) = Merger::start(options, store, leases, Arc::new(Sink), clock)
            .await
            .map_err(|error| Failure::while_doing("cannot start the merger", error))?;
        let batches = Arc::new(Mutex::new(batches));
        let (before, cpu) = (now()?, process_time());
        let callers = (0..CALLERS * lanes).map(|_| {
            let (merger, batches) = (merger.clone(), Arc::clone(&batches));
            tokio::spawn(async move {
                loop {
                    let next = batches.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some(batch) = next else {
                        return Ok::<_, NeighbourError>(());
                    };
                    merger.accept(batch).await?;
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            let accepted = caller.await.map_err(|error| Failure::Other(error.to_string()))?;
            accepted.map_err(|error| Failure::while_doing("the merger refused alerts", error))?;
        }
        merger.close_groups_now().await;
        merger.wait_idle().await;
        let (lanes, cpu) = (now()?.since(&before), process_time().saturating_sub(cpu));
        let stats = merger.stats().await;
        if stats.accepted != alerts as u64 || stats.open_groups > 0 {
            return Err(Failure::Other(format!("{alerts} alerts became {stats:?}")));
        }
        Ok(Pass {
            alerts: alerts as u64,
            lanes,
            cpu,
        })
    })
}

impl Column {
    fn add(&mut self, pass: &Pass) {
        self.clock.add(pass.lanes.wall, pass.alerts);
        self.undisturbed.add(pass.lanes.undisturbed(), pass.alerts);
        self.cpu.add(pass.cpu, pass.alerts);
        self.idle.push(pass.lanes.idle());
    }

    fn idle(&self) -> f64 {
        let mut idle = self.idle.clone();
        idle.sort_by(f64::total_cmp);
        idle.get(idle.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

type Table = (&'static str, [Column; LANES.len()]);

fn report(tables: &[Table]) -> Report {
    let mut lines = vec![
        "lanes: alerts per second of the whole merger, a thread for each lane; best (median) pass".to_owned(),
        format!(
            "  {:>9} {:>5} {:>19} {:>19} {:>19} {:>6}",
            "store", "lanes", "on the clock", "undisturbed", "of a core", "idle"
        ),
    ];
    let mut rows = Vec::new();
    for (store, columns) in tables {
        for (column, lanes) in columns.iter().zip(LANES) {
            let cell = |passes: &Passes| {
                let best = grouped(1.0 / passes.best());
                format!("{best} ({})", grouped(1.0 / passes.median()))
            };
            lines.push(format!(
                "  {store:>9} {lanes:>5} {:>19} {:>19} {:>19} {:>5.0}%",
                cell(&column.clock),
                cell(&column.undisturbed),
                cell(&column.cpu),
                column.idle() * 100.0
            ));
            let rate = |passes: &Passes| Value::Float((1.0 / passes.median()).round());
            rows.push(object([
                ("store", text(store)),
                ("lanes", integer(lanes as u64)),
                ("alerts_per_s", rate(&column.clock)),
                ("undisturbed_alerts_per_s", rate(&column.undisturbed)),
                ("alerts_per_core_s", rate(&column.cpu)),
                ("idle", Value::Float(column.idle())),
            ]));
        }
        let [one, two] = columns;
        lines.push(format!(
            "  {:>9} {:>5} {:>19.2} {:>19.2} {:>19.2}",
            "",
            "2 : 1",
            two.clock.speed_against(&one.clock),
            two.undisturbed.speed_against(&one.undisturbed),
            two.cpu.speed_against(&one.cpu)
        ));
        rows.push(object([
            ("store", text(store)),
            ("growth", Value::Float(two.clock.speed_against(&one.clock))),
            (
                "undisturbed_growth",
                Value::Float(two.undisturbed.speed_against(&one.undisturbed)),
            ),
            ("growth_per_core", Value::Float(two.cpu.speed_against(&one.cpu))),
        ]));
    }
    lines.push(
        "  undisturbed: without the time in which a thread was ready and other programs had the processors"
            .to_owned(),
    );
    let json = object([("stage", text("lanes")), ("rows", Value::List(rows))]);
    Report { json, lines }
}
