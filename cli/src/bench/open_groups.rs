//! Whether an alert costs more while more groups are open.

use std::sync::Arc;
use std::time::Duration;

use streamalert_merger::{Merger, MergerHandle, MergerOptions};
use streamalert_proto::Alerts;
use streamalert_store::MemoryStore;
use streamalert_types::{AlertBatch, Clock, ManualClock, Timestamp};
use streamalert_value::Value;

use super::alerts::{AlertMaker, START};
use super::cpu::thread_time;
use super::machine::InstantWorld;
use super::merge::Sink;
use super::passes::Passes;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Open groups to measure with unless others are named.
const OPEN: [u64; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

/// Minutes until a group closes. In this time as many alerts come as groups are to be open.
const WINDOW_MINS: u32 = 60;

/// Alerts of a pass. As many groups close in each.
const ALERTS: u64 = 32_768;

/// Passes over which best and median are taken.
const PASSES: u64 = 7;

/// Alerts in a batch: fewer than the fewest groups.
const BATCH: u64 = 64;

/// Bytes to walk through at most when the memory is measured: more than any cache holds.
const WALK_BYTES_MAX: u64 = 512 << 20;

struct Row {
    open: u64,
    decide: Passes,
    whole: Passes,
    /// Bytes that a group takes in the machine: by the process' memory, and by the merger's own estimate.
    bytes: (f64, f64),
    hop: Duration,
}

/// Computing time of one alert, by number of open groups. Every alert opens a group, and for every alert one of them
/// closes, whatever their number: nothing else differs between the lines.
pub(crate) fn open_groups(open: &[u64]) -> Result<Report, Failure> {
    let mut rows = Vec::new();
    for &open in if open.is_empty() { &OPEN } else { open } {
        let stream = Stream::new(open.max(BATCH));
        let (decide, bytes) = through_machine(&stream);
        rows.push(Row {
            open,
            decide,
            whole: through_handle(&stream)?,
            bytes,
            hop: walk((stream.open * 4_096).min(WALK_BYTES_MAX)),
        });
    }
    Ok(report(&rows))
}

/// Alerts that keep so many groups open.
struct Stream {
    open: u64,
    maker: AlertMaker,
}

impl Stream {
    fn new(open: u64) -> Self {
        // A key comes again when its group has been closed for half of the time.
        let maker = AlertMaker::new(open * 2).with_window(WINDOW_MINS);
        Self { open, maker }
    }

    /// When the alert of this number is created.
    fn at(&self, number: u64) -> Timestamp {
        let window = Duration::from_mins(u64::from(WINDOW_MINS));
        START.plus(window.mul_f64(number as f64 / self.open as f64))
    }

    /// The alerts from number `from` on, in batches, each with the time of its last alert.
    fn batches(&self, from: u64, count: u64) -> Vec<(Timestamp, AlertBatch)> {
        let batch = |first: u64| {
            let numbers = first..(first + BATCH).min(from + count);
            let last = self.at(numbers.end - 1);
            let alerts = numbers.map(|number| self.maker.alert_at(number, self.at(number)));
            (
                last,
                AlertBatch {
                    alerts: alerts.collect(),
                },
            )
        };
        (from..from + count).step_by(BATCH as usize).map(batch).collect()
    }

    /// The time that so many alerts take.
    fn time_of(&self, alerts: u64) -> Duration {
        Duration::from_micros(self.at(alerts).since(START).as_micros() as u64)
    }

    /// Tombstones are kept for four passes of alerts and looked for twice a pass, whatever time that is.
    fn options(&self) -> MergerOptions {
        MergerOptions {
            lanes: 1,
            groups_bytes_max: 2 << 30,
            window_grace: Duration::ZERO,
            alerts_kept: self.time_of(ALERTS * 4),
            expire_every: self.time_of(ALERTS / 2),
            alone: true,
            ..MergerOptions::default()
        }
    }

    /// Numbers of the first alerts of all steps that open the groups, and of those that are measured. Two passes go
    /// unmeasured before those.
    fn steps(&self) -> (impl Iterator<Item = (u64, u64)>, impl Iterator<Item = u64>) {
        let warm = self.open + 2 * ALERTS;
        let before = (0..warm).step_by(ALERTS as usize);
        let before = before.map(move |from| (from, ALERTS.min(warm - from)));
        (before, (0..PASSES).map(move |pass| warm + pass * ALERTS))
    }
}

/// All decisions, store and dispatcher answering at once.
fn through_machine(stream: &Stream) -> (Passes, (f64, f64)) {
    let before_bytes = resident_bytes();
    let mut world = InstantWorld::new(&stream.options(), stream.maker.alert(0));
    let mut passes = Passes::default();
    let (before, measured) = stream.steps();
    for (from, count) in before {
        for (now, batch) in stream.batches(from, count) {
            let routed = world.route(batch.alerts);
            world.accept_at(now, routed);
        }
        drop(world.take_closed());
    }
    let bytes = resident_bytes().saturating_sub(before_bytes) as f64 / stream.open as f64;
    let estimate = world.stats().groups_bytes as f64 / world.stats().open_groups.max(1) as f64;
    for from in measured {
        let routed: Vec<_> = stream
            .batches(from, ALERTS)
            .into_iter()
            .map(|(now, batch)| (now, world.route(batch.alerts)))
            .collect();
        let begun = thread_time();
        for (now, alerts) in routed {
            world.accept_at(now, alerts);
        }
        passes.add(thread_time() - begun, ALERTS);
        drop(world.take_closed());
    }
    (passes, (bytes, estimate))
}

/// The whole merger on the memory store, on one thread.
fn through_handle(stream: &Stream) -> Result<Passes, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = MemoryStore::new();
        let clock = Arc::new(ManualClock::at(START));
        let leases = Arc::new(store.clone());
        let (merger, _task) = Merger::start(
            stream.options(),
            Arc::new(store),
            leases,
            Arc::new(Sink),
            clock.clone(),
        )
        .await
        .map_err(|error| Failure::while_doing("cannot start the merger", error))?;
        let (before, measured) = stream.steps();
        let mut passes = Passes::default();
        for (from, count) in before {
            send(&merger, &clock, stream.batches(from, count)).await?;
        }
        for from in measured {
            let batches = stream.batches(from, ALERTS);
            let begun = thread_time();
            send(&merger, &clock, batches).await?;
            passes.add(thread_time() - begun, ALERTS);
        }
        let stats = merger.stats().await;
        // All but the last batches' worth close at their time.
        let (all, open) = (stats.accepted, stats.open_groups);
        if stats.merged + open != all || open.abs_diff(stream.open) > BATCH {
            return Err(Failure::Other(format!(
                "{} groups to be open: {stats:?}",
                stream.open
            )));
        }
        Ok(passes)
    })
}

async fn send(
    merger: &MergerHandle,
    clock: &ManualClock,
    batches: Vec<(Timestamp, AlertBatch)>,
) -> Result<(), Failure> {
    for (now, batch) in batches {
        clock.set(now.max(clock.now()));
        let accepted = merger.accept(batch).await;
        accepted.map_err(|error| Failure::while_doing("the merger refused alerts", error))?;
    }
    merger.wait_idle().await;
    Ok(())
}

/// The time of one step from a line of memory to another, nobody knows which, among so many bytes.
fn walk(bytes: u64) -> Duration {
    const LINE: usize = 64 / size_of::<u64>();
    const STEPS: u32 = 2_000_000;
    let lines = usize::try_from(bytes).unwrap_or(usize::MAX) / 64;
    let mut order: Vec<u32> = (0..u32::try_from(lines).unwrap_or(u32::MAX)).collect();
    // One circle through all lines (Sattolo's shuffle), by a generator of Knuth's constants.
    let mut random = 1_u64;
    for at in (1..order.len()).rev() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(at, (random >> 33) as usize % at);
    }
    let mut memory = vec![0_u64; lines * LINE];
    for (at, next) in order.iter().enumerate() {
        memory[at * LINE] = u64::from(*next) * LINE as u64;
    }
    drop(order);
    let mut at = 0;
    let begun = thread_time();
    for _ in 0..STEPS {
        at = memory[at] as usize;
    }
    std::hint::black_box(at);
    (thread_time() - begun) / STEPS
}

/// Memory of this process, in bytes; 0 where there is no `/proc`.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<u64> = text.split(' ').nth(1).and_then(|field| field.parse().ok());
    pages.unwrap_or_default() * rustix::param::page_size() as u64
}

fn report(rows: &[Row]) -> Report {
    let line = |cells: [&str; 7]| {
        let [open, decide, whole, times, hop, bytes, estimate] = cells;
        format!("  {open:>9} {decide:>15} {whole:>17} {times:>8} {hop:>12} {bytes:>12} {estimate:>12}")
    };
    let mut lines = vec![
        "open-groups: nanoseconds of computing for one alert that opens a group while another closes; best (median) pass"
            .to_owned(),
        line([
            "open",
            "decide",
            "whole merger",
            "to first",
            "memory step",
            "bytes/group",
            "by estimate",
        ]),
    ];
    let nanos = |secs: f64| grouped(secs * 1e9);
    let cell = |passes: &Passes| format!("{} ({})", nanos(passes.best()), nanos(passes.median()));
    let first = rows.first().map_or(f64::NAN, |row| row.whole.best());
    let mut json = Vec::new();
    for row in rows {
        let times = row.whole.best() / first;
        lines.push(line([
            &grouped(row.open as f64),
            &cell(&row.decide),
            &cell(&row.whole),
            &format!("{times:.2} x"),
            &format!("{} ns", row.hop.as_nanos()),
            &grouped(row.bytes.0),
            &grouped(row.bytes.1),
        ]));
        let number = |secs: f64| Value::Float((secs * 1e9).round());
        json.push(object([
            ("open", integer(row.open)),
            ("decide_ns", number(row.decide.best())),
            ("whole_ns", number(row.whole.best())),
            ("whole_median_ns", number(row.whole.median())),
            ("times_first", Value::Float(times)),
            ("memory_step_ns", number(row.hop.as_secs_f64())),
            ("group_bytes", Value::Float(row.bytes.0.round())),
        ]));
    }
    lines.push(
        "  memory step: from one unforeseeable place to the next in as much memory as the groups and alerts take"
            .to_owned(),
    );
    let json = object([("stage", text("open-groups")), ("rows", Value::List(json))]);
    Report { json, lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_groups_are_open_and_as_many_close_as_alerts_come() {
        let stream = Stream::new(500);
        let mut world = InstantWorld::new(&stream.options(), stream.maker.alert(0));
        for (now, batch) in stream.batches(0, 2_000) {
            let routed = world.route(batch.alerts);
            world.accept_at(now, routed);
        }
        let stats = world.stats();
        assert_eq!(stats.merged, world.take_closed().len() as u64);
        assert!((1_436..=1_564).contains(&stats.merged), "{stats:?}");
        assert_eq!(stats.open_groups + stats.merged, 2_000);
        assert_eq!(stats.grouped_alerts, stats.open_groups);
    }
}
