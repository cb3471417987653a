use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_merger::pure::Member;
use streamalert_merger::{Merger, MergerOptions};
use streamalert_proto::{Alerts, Deliveries, NeighbourError};
use streamalert_store::MemoryStore;
use streamalert_types::{Alert, AlertBatch, AlertId, Delivery, DeliveryOutcome, ManualClock};
use streamalert_value::Value;

use super::alerts::{AlertMaker, START};
use super::cpu::thread_time;
use super::machine::InstantWorld;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Distinct merge keys to measure with unless others are named: the figure must not depend on them.
const KEYS: [u64; 4] = [1, 1_000, 100_000, 1_000_000];

/// Alerts at least; as many as keys when those are more.
const ALERTS_MIN: u64 = 200_000;

/// Alerts in a batch, as from a rules-node.
const BATCH: u64 = 256;

/// Groups whose alerts are in memory together to be merged.
const GROUPS_AT_ONCE: usize = 64;

/// What one number of keys came to.
struct Row {
    keys: u64,
    alerts: u64,
    pure: Pure,
    handle: Duration,
    handle_groups: u64,
}

/// Computing time of the pure parts.
struct Pure {
    /// Reading the records for their merge keys, and finding shard and group.
    route: Duration,
    /// All decisions from there to the last closed group.
    decide: Duration,
    /// Making one alert of each group.
    merge: Duration,
    groups: u64,
}

impl Pure {
    fn all(&self) -> Duration {
        self.route + self.decide + self.merge
    }
}

/// Alerts merged per second of one core, by number of distinct keys: by the pure parts, and by the whole merger
/// on the memory store.
pub(crate) fn merge(keys: &[u64]) -> Result<Report, Failure> {
    let mut rows = Vec::new();
    for &keys in if keys.is_empty() { &KEYS } else { keys } {
        let alerts = ALERTS_MIN.max(keys);
        let maker = AlertMaker::new(keys);
        let pure = through_machine(&maker, alerts);
        let (handle, handle_groups) = through_handle(&maker, alerts)?;
        if pure.groups != handle_groups {
            let message = format!(
                "{keys} keys: {} groups, but the whole merger has {handle_groups}",
                pure.groups
            );
            return Err(Failure::Other(message));
        }
        rows.push(Row {
            keys,
            alerts,
            pure,
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

/// The pure parts, store and dispatcher answering at once.
fn through_machine(maker: &AlertMaker, alerts: u64) -> Pure {
    let mut world = InstantWorld::new(&options(), maker.alert(0));
    let (mut route, mut decide) = (Duration::ZERO, Duration::ZERO);
    let mut numbers = HashMap::new();
    for (first, batch) in (0..).step_by(BATCH as usize).zip(batches(maker, alerts)) {
        numbers.extend(
            batch
                .alerts
                .iter()
                .zip(first..)
                .map(|(alert, number)| (alert.id, number)),
        );
        let begun = thread_time();
        let routed = world.route(batch.alerts);
        let arrived = thread_time();
        world.accept(routed);
        route += arrived - begun;
        decide += thread_time() - arrived;
    }
    let begun = thread_time();
    world.close_all();
    decide += thread_time() - begun;

    let again = |member: &Member| numbers.get(&member.id).map(|&number| maker.alert(number));
    let mut merge = Duration::ZERO;
    for groups in world.closed().chunks(GROUPS_AT_ONCE) {
        let groups: Vec<Vec<Arc<Alert>>> = groups
            .iter()
            .map(|group| group.members.iter().filter_map(again).collect())
            .collect();
        let begun = thread_time();
        for members in &groups {
            std::hint::black_box(streamalert_detect::merge::merge(
                AlertId::from_u128(0),
                START,
                members,
            ));
        }
        merge += thread_time() - begun;
    }
    Pure {
        route,
        decide,
        merge,
        groups: world.closed().len() as u64,
    }
}

/// A dispatcher that delivers everything at once.
pub(super) struct Sink;

#[async_trait]
impl Deliveries for Sink {
    async fn deliver(&self, _: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        Ok(DeliveryOutcome::delivered(1))
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
        let rate = |spent| Value::Float(self.per_second(spent).round());
        object([
            ("keys", integer(self.keys)),
            ("alerts", integer(self.alerts)),
            ("route_alerts_per_core_s", rate(self.pure.route)),
            ("machine_alerts_per_core_s", rate(self.pure.decide)),
            ("merge_alerts_per_core_s", rate(self.pure.merge)),
            ("pure_alerts_per_core_s", rate(self.pure.all())),
            ("handle_alerts_per_core_s", rate(self.handle)),
            ("groups", integer(self.handle_groups)),
        ])
    }
}

fn report(rows: &[Row]) -> Report {
    let line = |cells: [&str; 8]| {
        let [keys, alerts, groups, route, decide, merge, pure, handle] = cells;
        format!(
            "  {keys:>9} {alerts:>9} {groups:>9} {route:>10} {decide:>10} {merge:>10} {pure:>11} {handle:>13}"
        )
    };
    let mut lines = vec![
        "merge: alerts per second of one core".to_owned(),
        line([
            "keys",
            "alerts",
            "groups",
            "read keys",
            "decide",
            "merge",
            "these three",
            "whole merger",
        ]),
    ];
    lines.extend(rows.iter().map(|row| {
        line([
            &grouped(row.keys as f64),
            &grouped(row.alerts as f64),
            &grouped(row.handle_groups as f64),
            &grouped(row.per_second(row.pure.route)),
            &grouped(row.per_second(row.pure.decide)),
            &grouped(row.per_second(row.pure.merge)),
            &grouped(row.per_second(row.pure.all())),
            &grouped(row.per_second(row.handle)),
        ])
    }));
    lines.push(
        "  the whole merger: accept, deliver and settle every alert and every group, on the memory store"
            .to_owned(),
    );
    let slowest = |spent: fn(&Row) -> Duration| {
        let rates = rows.iter().map(|row| row.per_second(spent(row)));
        Value::Float(rates.fold(f64::INFINITY, f64::min).round())
    };
    let json = object([
        ("stage", text("merge")),
        ("machine_alerts_per_core_s", slowest(|row| row.pure.decide)),
        ("pure_alerts_per_core_s", slowest(|row| row.pure.all())),
        ("handle_alerts_per_core_s", slowest(|row| row.handle)),
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
            let machine = through_machine(&maker, 1_000).groups;
            let (_, handle) = through_handle(&maker, 1_000).unwrap();
            // Groups hold 50 alerts at most.
            let expected = keys * (1_000 / keys).div_ceil(50).max(1);
            assert_eq!((machine, handle), (expected, expected), "{keys} keys");
        }
    }
}
