use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_merger::{Merger, MergerOptions};
use streamalert_proto::{Alerts, Deliveries, NeighbourError};
use streamalert_store::MemoryStore;
use streamalert_types::{AlertBatch, Delivery, DeliveryOutcome, ManualClock};
use streamalert_value::Value;

use super::alerts::{AlertMaker, START};
use super::cpu::thread_time;
use super::machine::Instant;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Distinct merge keys to measure with: the figure must not depend on them.
const KEYS: [u64; 4] = [1, 1_000, 100_000, 1_000_000];

/// Alerts at least; as many as keys when those are more.
const ALERTS_MIN: u64 = 200_000;

/// Alerts in a batch, as from a rules-node.
const BATCH: u64 = 256;

/// What one number of keys came to.
struct Row {
    keys: u64,
    alerts: u64,
    machine: Duration,
    machine_groups: u64,
    handle: Duration,
    handle_groups: u64,
}

/// Alerts merged per second of one core, by number of distinct keys: through the pure machine, and through the
/// whole merger on the memory store.
pub(crate) fn merge() -> Result<Report, Failure> {
    let mut rows = Vec::new();
    for keys in KEYS {
        let alerts = ALERTS_MIN.max(keys);
        let maker = AlertMaker::new(keys);
        let (machine, machine_groups) = through_machine(&maker, alerts);
        let (handle, handle_groups) = through_handle(&maker, alerts)?;
        rows.push(Row {
            keys,
            alerts,
            machine,
            machine_groups,
            handle,
            handle_groups,
        });
    }
    Ok(report(&rows))
}

fn options() -> MergerOptions {
    // Room for a million groups of one: what is measured is time, not the memory limit.
    MergerOptions {
        lanes: 1,
        groups_bytes_max: 1 << 30,
        ..MergerOptions::default()
    }
}

/// Batches are made while the clock stands, so that neither their making nor their memory counts.
fn batches(maker: &AlertMaker, alerts: u64) -> impl Iterator<Item = AlertBatch> {
    (0..alerts.div_ceil(BATCH)).map(move |batch| {
        let numbers = batch * BATCH..((batch + 1) * BATCH).min(alerts);
        AlertBatch {
            alerts: numbers.map(|number| maker.alert(number)).collect(),
        }
    })
}

/// From arrival to the last closed group, the store and the dispatcher answering at once.
fn through_machine(maker: &AlertMaker, alerts: u64) -> (Duration, u64) {
    let mut machine = Instant::new(&options(), maker.alert(0));
    let mut spent = Duration::ZERO;
    for batch in batches(maker, alerts) {
        let begun = thread_time();
        machine.accept(batch.alerts);
        spent += thread_time() - begun;
    }
    let begun = thread_time();
    machine.close_all();
    spent += thread_time() - begun;
    (spent, machine.groups_closed())
}

/// A dispatcher that delivers everything at once.
struct Sink;

#[async_trait]
impl Deliveries for Sink {
    async fn deliver(&self, _: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        Ok(DeliveryOutcome::Delivered { attempts: 1 })
    }
}

/// The whole merger on one thread: accept, group, deliver each alert to the history, settle; then fetch, merge,
/// close and deliver every group.
fn through_handle(maker: &AlertMaker, alerts: u64) -> Result<(Duration, u64), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = MemoryStore::new();
        let clock = Arc::new(ManualClock::at(START));
        let leases = Arc::new(store.clone());
        let (merger, _task) = Merger::start(options(), Arc::new(store), leases, Arc::new(Sink), clock)
            .await
            .map_err(|error| Failure::while_doing("cannot start the merger", error))?;
        let mut spent = Duration::ZERO;
        for batch in batches(maker, alerts) {
            let begun = thread_time();
            let accepted = merger.accept(batch).await;
            spent += thread_time() - begun;
            accepted.map_err(|error| Failure::while_doing("the merger refused alerts", error))?;
        }
        let begun = thread_time();
        merger.close_groups_now().await;
        merger.wait_idle().await;
        spent += thread_time() - begun;
        let stats = merger.stats().await;
        if stats.accepted != alerts {
            return Err(Failure::Other(format!(
                "the merger has {} of {alerts} alerts",
                stats.accepted
            )));
        }
        Ok((spent, stats.merged))
    })
}

impl Row {
    fn per_second(&self, spent: Duration) -> f64 {
        self.alerts as f64 / spent.as_secs_f64()
    }

    fn json(&self) -> Value {
        object([
            ("keys", integer(self.keys)),
            ("alerts", integer(self.alerts)),
            (
                "machine_alerts_per_core_s",
                Value::Float(self.per_second(self.machine).round()),
            ),
            (
                "handle_alerts_per_core_s",
                Value::Float(self.per_second(self.handle).round()),
            ),
            ("machine_groups", integer(self.machine_groups)),
            ("handle_groups", integer(self.handle_groups)),
        ])
    }
}

fn report(rows: &[Row]) -> Report {
    let mut lines = vec![
        "merge: alerts per second of one core".to_owned(),
        format!(
            "  {:>10} {:>10} {:>10} {:>14} {:>22}",
            "keys", "alerts", "groups", "pure machine", "whole, memory store"
        ),
    ];
    lines.extend(rows.iter().map(|row| {
        format!(
            "  {:>10} {:>10} {:>10} {:>14} {:>22}",
            grouped(row.keys as f64),
            grouped(row.alerts as f64),
            grouped(row.handle_groups as f64),
            grouped(row.per_second(row.machine)),
            grouped(row.per_second(row.handle)),
        )
    }));
    let slowest = |spent: fn(&Row) -> Duration| {
        rows.iter()
            .map(|row| row.per_second(spent(row)))
            .fold(f64::INFINITY, f64::min)
            .round()
    };
    let json = object([
        ("stage", text("merge")),
        (
            "machine_alerts_per_core_s",
            Value::Float(slowest(|row| row.machine)),
        ),
        (
            "handle_alerts_per_core_s",
            Value::Float(slowest(|row| row.handle)),
        ),
        ("keys", Value::List(rows.iter().map(Row::json).collect())),
    ]);
    Report { json, lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_and_merger_close_the_same_groups() {
        for keys in [1, 7, 1_000] {
            let maker = AlertMaker::new(keys);
            let (_, machine) = through_machine(&maker, 1_000);
            let (_, handle) = through_handle(&maker, 1_000).unwrap();
            // Groups hold 50 alerts at most.
            let expected = keys * (1_000 / keys).div_ceil(50).max(1);
            assert_eq!((machine, handle), (expected, expected), "{keys} keys");
        }
    }
}
