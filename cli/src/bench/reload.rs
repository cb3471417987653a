//! Rules that are loaded again and again while records go through: what it does to the rate.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use streamalert_runtime::{Runtime, RuntimeOptions};
use streamalert_types::Record;
use streamalert_value::Value;

use super::cpu::wall_time;
use super::engine::{Counts, Engine, RuntimeEngine};
use super::rules::records;
use super::{Inputs, Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;

/// The time over which a rate is taken.
const STEP: Duration = Duration::from_millis(100);

/// Records handed over at once: few enough that a step holds many batches.
const BATCH: usize = 512;

/// How long records go through undisturbed, before, between and after reloads.
const REST: Duration = Duration::from_secs(3);

/// How long after a reload what happens is still its doing.
const AFTER: Duration = Duration::from_secs(1);

/// Below this share of the usual rate, the rate has dropped.
const DROPPED: f64 = 0.9;

/// Steps shown before a reload.
const SHOWN_BEFORE: usize = 5;

/// What goes on, each by the wall clock since the beginning.
struct Course {
    /// When a batch was answered, and its records.
    batches: Vec<(Duration, u64)>,
    /// When reloads began and ended.
    reloads: Vec<(Duration, Duration)>,
}

/// What became of the rate around one reload.
#[derive(Debug, PartialEq)]
struct Swap {
    took: Duration,
    /// Events per second, step by step, from a little before the reload to a while after it.
    rates: Vec<f64>,
    /// How long the rate was below [`DROPPED`] of the usual one.
    dropped: Duration,
}

/// What became of the rate.
#[derive(Debug, PartialEq)]
struct Summary {
    /// Events per second in the middle step of those without a reload.
    usual: f64,
    /// The share of steps without a reload in which the rate was dropped all the same.
    dropped_otherwise: f64,
    swaps: Vec<Swap>,
}

/// The project's rules on one thread, loaded again `reloads` times meanwhile, each time with a rule that is another.
pub(crate) async fn reload(
    project: &Project,
    inputs: Inputs,
    mut options: RuntimeOptions,
    reloads: u16,
) -> Result<Report, Failure> {
    let (records, _) = records(&project.schemas.select_all(), &inputs.payloads);
    let Some(first) = records.first() else {
        let reason = "no schema of the project takes any of the payloads";
        return Ok(Report::skipped("reload", reason));
    };
    let log_type = first.log_type.clone();
    let folder = tempfile::tempdir()?;
    // A file of its own beside the project's, so that nothing of the user's is touched.
    change(folder.path(), &log_type, 0)?;
    options.python.rule_dirs.push(folder.path().canonicalize()?);
    options.threads = 1;
    // As after an edit: nothing that was found before holds.
    options.cache_dir = None;
    let cannot_load = |error| Failure::while_doing("cannot load rules", error);
    let (runtime, report) = Runtime::start(options).await.map_err(cannot_load)?;
    let rules = report.rules.rules().len();
    let load = Load {
        engine: RuntimeEngine::new("", Arc::new(runtime.clone()), tokio::runtime::Handle::current()),
        records,
        begun: wall_time(),
        enough: Arc::default(),
    };
    let (enough, begun) = (load.enough.clone(), load.begun);
    let loading = tokio::task::spawn_blocking(move || load.run());
    let mut times = Vec::new();
    tokio::time::sleep(REST).await;
    for number in 1..=reloads {
        change(folder.path(), &log_type, number)?;
        let start = wall_time().saturating_sub(begun);
        let reloaded = runtime.reload().await.map_err(cannot_load)?;
        times.push((start, wall_time().saturating_sub(begun)));
        if !reloaded.changed {
            return Err(Failure::Other("the changed rule was not loaded".to_owned()));
        }
        tokio::time::sleep(REST).await;
    }
    enough.store(true, Ordering::SeqCst);
    let panicked = |error| Failure::while_doing("a measurement ended", error);
    let batches = loading.await.map_err(panicked)??;
    runtime.shutdown().await;
    let course = Course {
        batches,
        reloads: times,
    };
    Ok(course.summary().report(rules, &inputs.origin))
}

/// Writes the rule that changes.
fn change(folder: &Path, log_type: &str, number: u16) -> Result<(), Failure> {
    let rule = format!(
        "from streamalert.shared.rule import rule\n\n\n@rule(logs=['{log_type}'])\n\
         def streamalert_bench_reloaded(record):\n    return record.get('streamalert_bench') == {number}\n"
    );
    Ok(std::fs::write(
        folder.join("streamalert_bench_reloaded.py"),
        rule,
    )?)
}

/// Records that go through until it is enough.
struct Load {
    engine: RuntimeEngine,
    records: Vec<Record>,
    begun: Duration,
    enough: Arc<AtomicBool>,
}

impl Load {
    fn run(mut self) -> Result<Vec<(Duration, u64)>, Failure> {
        let mut batches = Vec::new();
        let mut counts = Counts::default();
        while !self.enough.load(Ordering::SeqCst) {
            for batch in self.records.chunks(BATCH) {
                self.engine.evaluate(batch, &mut counts)?;
                let at = wall_time().saturating_sub(self.begun);
                batches.push((at, batch.len() as u64));
            }
        }
        Ok(batches)
    }
}

fn step_of(at: Duration) -> usize {
    usize::try_from(at.as_millis() / STEP.as_millis()).unwrap_or(usize::MAX)
}

impl Course {
    /// Events per second in each whole step. A batch counts for the steps between the answer before it and its own,
    /// so that batches that take longer than a step do not look like a standstill and a burst.
    fn rates(&self) -> Vec<f64> {
        let end = self.batches.last().map_or(Duration::ZERO, |(at, _)| *at);
        let mut events = vec![0.0; step_of(end)];
        let step = STEP.as_secs_f64();
        let mut before = Duration::ZERO;
        for (at, count) in &self.batches {
            let took = at.saturating_sub(before).as_secs_f64().max(1e-9);
            for (number, events) in events
                .iter_mut()
                .enumerate()
                .take(step_of(*at).saturating_add(1))
                .skip(step_of(before))
            {
                let begin = (number as f64 * step).max(before.as_secs_f64());
                let until = ((number + 1) as f64 * step).min(at.as_secs_f64());
                *events += *count as f64 * (until - begin).max(0.0) / took;
            }
            before = *at;
        }
        events.into_iter().map(|events| events / step).collect()
    }

    fn summary(&self) -> Summary {
        let rates = self.rates();
        let windows: Vec<(usize, usize)> = self
            .reloads
            .iter()
            .map(|(begin, end)| (step_of(*begin), step_of(*end + AFTER).min(rates.len())))
            .collect();
        let otherwise = rates.iter().enumerate().filter(|(step, _)| {
            let within = |(begin, end): &(usize, usize)| (*begin..*end).contains(step);
            // The first second warms up.
            *step >= step_of(Duration::from_secs(1)) && !windows.iter().any(within)
        });
        let mut otherwise: Vec<f64> = otherwise.map(|(_, rate)| *rate).collect();
        otherwise.sort_by(f64::total_cmp);
        let usual = otherwise.get(otherwise.len() / 2).copied().unwrap_or(f64::NAN);
        let low = |rates: &[f64]| rates.iter().filter(|rate| **rate < usual * DROPPED).count();
        let swaps = self.reloads.iter().zip(&windows);
        let swaps = swaps.map(|((begin, end), (first, last))| {
            let within = rates.get(*first..*last).unwrap_or_default();
            let shown = first.saturating_sub(SHOWN_BEFORE)..*last;
            Swap {
                took: end.saturating_sub(*begin),
                rates: rates.get(shown).unwrap_or_default().to_vec(),
                dropped: STEP * u32::try_from(low(within)).unwrap_or(u32::MAX),
            }
        });
        Summary {
            usual,
            dropped_otherwise: low(&otherwise) as f64 / otherwise.len().max(1) as f64,
            swaps: swaps.collect(),
        }
    }
}

impl Summary {
    fn report(&self, rules: usize, origin: &str) -> Report {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let dropped = self
            .swaps
            .iter()
            .map(|swap| swap.dropped)
            .max()
            .unwrap_or_default();
        let swaps = self.swaps.iter().map(|swap| {
            let rates = swap.rates.iter().map(|rate| Value::Float(rate.round()));
            object([
                ("took_ms", integer(millis(swap.took))),
                ("dropped_ms", integer(millis(swap.dropped))),
                ("rates_per_100_ms", Value::List(rates.collect())),
            ])
        });
        let json = object([
            ("stage", text("reload")),
            ("input", text(origin)),
            ("rules", integer(rules as u64)),
            ("events_per_s", Value::Float(self.usual.round())),
            ("dropped_ms_max", integer(millis(dropped))),
            ("dropped_share_otherwise", Value::Float(self.dropped_otherwise)),
            ("reloads", Value::List(swaps.collect())),
        ]);
        let mut lines = vec![
            format!("reload: {rules} rules loaded again while one thread evaluates them, {origin}"),
            format!(
                "  {} events/s usually; below 90 % of it for {} ms at most around a reload, {:.1} % of the time without one",
                grouped(self.usual),
                millis(dropped),
                self.dropped_otherwise * 100.0
            ),
        ];
        for swap in &self.swaps {
            let rates = swap.rates.iter().map(|rate| format!("{:.0}", rate / 1e3));
            let rates: Vec<String> = rates.collect();
            lines.push(format!(
                "  took {} ms, below 90 % for {} ms; thousand events/s every 100 ms: {}",
                millis(swap.took),
                millis(swap.dropped),
                rates.join(" ")
            ));
        }
        Report { json, lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Ten events every 10 ms for ten seconds, but half of that between the times given.
    fn course(slow: std::ops::Range<u64>, reload: (u64, u64)) -> Course {
        let batches = (1..=1_000).map(|number| {
            let at = number * 10;
            let count = if slow.contains(&(at - 1)) { 5 } else { 10 };
            (millis(at), count)
        });
        Course {
            batches: batches.collect(),
            reloads: vec![(millis(reload.0), millis(reload.1))],
        }
    }

    #[test]
    fn the_time_of_a_lower_rate_is_that_around_the_reload() {
        let summary = course(4_000..4_700, (4_000, 4_500)).summary();
        assert!((summary.usual - 1_000.0).abs() < 1.0, "{summary:?}");
        assert!(summary.dropped_otherwise.abs() < 1e-9, "{summary:?}");
        let swap = &summary.swaps[0];
        assert_eq!((swap.took, swap.dropped), (millis(500), millis(700)));
        assert_eq!(swap.rates.len(), 20);
        assert!((swap.rates[5] - 500.0).abs() < 1.0, "{swap:?}");
    }

    #[test]
    fn a_lower_rate_without_a_reload_is_told_apart() {
        let summary = course(8_000..8_500, (4_000, 4_500)).summary();
        assert_eq!(summary.swaps[0].dropped, Duration::ZERO);
        assert!(summary.dropped_otherwise > 0.05, "{summary:?}");
    }

    #[test]
    fn a_batch_longer_than_a_step_is_spread_over_its_time() {
        let course = Course {
            batches: vec![(millis(500), 500), (millis(1_000), 500)],
            reloads: Vec::new(),
        };
        let rates = course.rates();
        assert_eq!(rates.len(), 10);
        assert!(rates.iter().all(|rate| (rate - 1_000.0).abs() < 1.0), "{rates:?}");
    }
}
