//! What outputs notice of others that hang and fail, in real time: `tests/outputs_down` shows it in simulated time,
//! where computing costs nothing.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use streamalert_merger::MergerHandle;
use streamalert_proto::Alerts;
use streamalert_types::{AlertBatch, OutputName};
use streamalert_value::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::Report;
use super::alerts::AlertMaker;
use super::deliver::{Receiver, alert, dispatcher, merger, output, webhook};
use super::latency::Latencies;
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// What is asked of the receiver, and by the names of how many outputs.
const OUTPUTS: [(&str, &str); 5] = [
    ("webhook:well-1", "/well"),
    ("webhook:well-2", "/well"),
    ("webhook:well-3", "/well"),
    ("webhook:hangs", "/hangs"),
    ("webhook:fails", "/fails"),
];

/// How many of them work throughout.
const WELL: usize = 3;

/// Alerts a second, each to all outputs, a batch every so often.
const RATE: u64 = 200;
const EVERY: Duration = Duration::from_millis(20);

/// For how long nothing may arrive while something is missing. Probes of an output that is down are a minute apart.
const PATIENCE: Duration = Duration::from_secs(120);

/// Part of a run, and how its alerts fared.
struct Phase {
    name: &'static str,
    alerts: std::ops::Range<u64>,
    raised: Vec<Instant>,
    /// Memory of this process at its end, in bytes.
    resident: u64,
    waiting: u64,
}

/// Latencies of three webhooks beside one that hangs and one that answers 500: for a third of `seconds` all are well,
/// for `seconds` two are not, and for a third all are well again. On an embedded store in a folder under `parent`.
pub(crate) async fn outputs_down(parent: &Path, seconds: u16) -> Result<Report, Failure> {
    std::fs::create_dir_all(parent)?;
    let dir = tempfile::Builder::new()
        .prefix("streamalert-bench-")
        .tempdir_in(parent)?;
    let receiver = Receiver::start()?;
    receiver.note();
    let specs = OUTPUTS.map(|(name, path)| webhook(name, &receiver.url(path), json!({})));
    let dispatcher = dispatcher(&specs)?;
    let (merger, _task, _store) = merger(dir.path(), 64, dispatcher.clone()).await?;
    let maker = AlertMaker::new(u64::MAX);
    let sick = Duration::from_secs(seconds.into());
    let mut phases: Vec<Phase> = Vec::new();
    for (name, lasts, is_sick) in [
        ("all well", sick / 3, false),
        ("two down", sick, true),
        ("well again", sick / 3, false),
    ] {
        receiver.set_sick(is_sick);
        let first = phases.last().map_or(0, |phase| phase.alerts.end);
        let (end, raised) = raise(&merger, &maker, first, lasts).await?;
        phases.push(Phase {
            name,
            alerts: first..end,
            raised,
            resident: resident(),
            waiting: merger.stats().await.backlog(),
        });
    }
    let (begun, expected) = (
        Instant::now(),
        phases.iter().map(|phase| phase.raised.len()).sum::<usize>(),
    );
    let expected = expected * OUTPUTS.len();
    while receiver.taken_count() < expected {
        if begun.elapsed() > PATIENCE {
            let taken = receiver.taken_count();
            return Err(Failure::Other(format!(
                "{taken} of {expected} deliveries arrived"
            )));
        }
        sleep(EVERY).await;
    }
    let caught_up = begun.elapsed();
    merger.wait_idle().await;
    let taken = receiver.taken();
    let twice = taken.values().filter(|(_, times)| *times > 1).count();
    let latencies = phases.iter().map(|phase| {
        let of = |(number, raised): (u64, &Instant)| {
            let id = maker.alert(number).id;
            let wells = OUTPUTS.iter().take(WELL);
            wells
                .filter_map(|(name, _)| taken.get(&format!("{id}/{name}")))
                .map(|(at, _)| at.saturating_duration_since(*raised))
                .collect::<Vec<_>>()
        };
        phase
            .alerts
            .clone()
            .zip(&phase.raised)
            .flat_map(of)
            .collect::<Latencies>()
    });
    let latencies: Vec<Latencies> = latencies.collect();
    merger.drain().await;
    dispatcher.drain().await;
    receiver.stop();
    Ok(report(&phases, &latencies, twice, caught_up))
}

/// Raises alerts for so long; answers the number of the next and when each was raised.
async fn raise(
    merger: &MergerHandle,
    maker: &AlertMaker,
    first: u64,
    lasts: Duration,
) -> Result<(u64, Vec<Instant>), Failure> {
    let outputs: Vec<OutputName> = OUTPUTS.iter().map(|(name, _)| output(name)).collect();
    let count = RATE * EVERY.as_millis() as u64 / 1_000;
    let begin = Instant::now();
    let (mut next, mut raised) = (first, Vec::new());
    let mut due = begin;
    while begin.elapsed() < lasts {
        sleep_until(due).await;
        let alerts: Vec<_> = (next..next + count)
            .map(|number| alert(maker, number, &outputs))
            .collect();
        // from when it was due, so that being late counts
        raised.extend(std::iter::repeat_n(due, alerts.len()));
        next += count;
        due += EVERY;
        let merger = merger.clone();
        let accepted = merger.accept(AlertBatch { alerts }).await;
        accepted.map_err(|error| Failure::while_doing("the merger refused alerts", error))?;
    }
    Ok((next, raised))
}

/// Memory of this process; 0 where there is no `/proc`.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1_024
}

fn report(phases: &[Phase], latencies: &[Latencies], twice: usize, caught_up: Duration) -> Report {
    let mut lines = vec![format!(
        "outputs-down: {RATE} alerts/s to {WELL} webhooks and two more, of which one hangs and one answers 500 for a while"
    )];
    let mut rows = Vec::new();
    for (phase, latencies) in phases.iter().zip(latencies) {
        let told: Vec<String> = latencies
            .told()
            .iter()
            .map(|(name, ms)| format!("{name} {ms:.1} ms"))
            .collect();
        lines.push(format!(
            "  {:<10} {:>6} alerts, the {WELL}: {}; waiting in the store at its end {}, memory {} MB",
            phase.name,
            phase.raised.len(),
            told.join(", "),
            phase.waiting,
            phase.resident >> 20
        ));
        let told = latencies.told().into_iter();
        let told = told.map(|(name, ms)| (format!("{name}_ms"), Value::Float(ms)));
        rows.push(object([
            ("phase", text(phase.name)),
            ("alerts", integer(phase.raised.len() as u64)),
            ("latency", Value::Map(told.collect())),
            ("waiting", integer(phase.waiting)),
            ("resident_bytes", integer(phase.resident)),
        ]));
    }
    lines.push(format!(
        "  everything had arrived {:.1} s after the last alert; {twice} deliveries were taken twice",
        caught_up.as_secs_f64()
    ));
    let json = object([
        ("stage", text("outputs-down")),
        ("phases", Value::List(rows)),
        ("taken_twice", integer(twice as u64)),
        ("caught_up_s", Value::Float(caught_up.as_secs_f64())),
    ]);
    Report { json, lines }
}
