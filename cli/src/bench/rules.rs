use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::{RuleRuntime, RuleSet};
use streamalert_python::PoolOptions;
use streamalert_runtime::Runtime;
use streamalert_schema::{Payload, RawInput, Scratch, Selection};
use streamalert_types::{Position, Record, Sequence};

use super::cpu::{children_time, process_time, wall_time};
use super::cpython::{CPython, differences};
use super::engine::{Counts, Engine, RuleTime, RuntimeEngine};
use super::native::NativeEngine;
use super::passes::Passes;
use super::rule_report::{Compared, Measured, Threads};
use super::{Inputs, Report};
use crate::failure::Failure;
use crate::project::Project;

/// Computing time of one pass at least: a worker's is known to 10 ms only.
const PASS_MIN: Duration = Duration::from_secs(1);

/// Records handed over at once, eight of the default slices.
const BATCH: usize = 2_048;

/// Records that single rules are timed on.
const RULE_TIME_RECORDS: usize = 8_192;

/// Rules that are named when alerts differ.
const DIFFERENCES_MAX: usize = 10;

/// What of a record's way is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Classified records through the rules.
    Rules,
    /// Payloads through decoding, classification, normalization and the rules.
    Whole,
}

/// What is to be measured, and how.
pub(crate) struct Plan {
    pub(crate) path: Path,
    /// How often.
    pub(crate) passes: u16,
    /// Whether CPython is measured beside the engine, and has to come to the same alerts.
    pub(crate) compare: bool,
    /// What CPython is started with: the interpreter, and the rules as a worker of these options loads them.
    pub(crate) interpreter: PathBuf,
    pub(crate) options: PoolOptions,
}

/// An engine for each thread: the native one where rules are compiled, otherwise what a node runs.
pub(crate) fn engines(runtime: &Runtime, threads: u16) -> Engines {
    let handle = tokio::runtime::Handle::current();
    let generation = runtime.current();
    let runtime: Arc<dyn RuleRuntime> = Arc::new(runtime.clone());
    let engine = || -> Box<dyn Engine> {
        match NativeEngine::new(generation.clone(), handle.clone()) {
            Some(native) => Box::new(native),
            None => Box::new(RuntimeEngine::new(
                "cpython workers",
                runtime.clone(),
                handle.clone(),
            )),
        }
    };
    Engines {
        rules: runtime.rules(),
        each: (0..threads.max(1)).map(|_| engine()).collect(),
    }
}

/// What evaluates, thread by thread.
pub(crate) struct Engines {
    rules: Arc<RuleSet>,
    each: Vec<Box<dyn Engine>>,
}

/// What goes through in one pass.
struct Work<'a> {
    path: Path,
    inputs: &'a [RawInput],
    selection: Selection,
    records: Vec<Record>,
}

/// What one pass took.
#[derive(Clone, Copy)]
struct Taken {
    /// Computing time of this process and its workers.
    own: Duration,
    workers: Duration,
    wall: Duration,
}

impl Taken {
    fn total(self) -> Duration {
        self.own + self.workers
    }
}

/// The project's rules on the inputs, on one core and, when there are more engines than one, on as many threads.
/// Takes long and waits: not for an asynchronous thread.
pub(crate) fn rules(
    plan: &Plan,
    project: &Project,
    inputs: &Inputs,
    mut engines: Engines,
) -> Result<Report, Failure> {
    let path = plan.path;
    let stage = match path {
        Path::Rules => "rules",
        Path::Whole => "all",
    };
    let selection = project.schemas.select_all();
    let (records, payload_bytes) = records(&selection, &inputs.payloads);
    if records.is_empty() {
        return Ok(Report::skipped(
            stage,
            "no schema of the project takes any of the payloads",
        ));
    }
    let work = Work {
        path,
        inputs: &inputs.payloads,
        selection,
        records,
    };
    let names: Vec<String> = engines
        .rules
        .rules()
        .iter()
        .map(|rule| rule.name.to_string())
        .collect();
    let cpython = |records: &[Record]| CPython::start(&plan.interpreter, &plan.options, records);
    let mut rival = plan.compare.then(|| cpython(&work.records)).transpose()?;

    // The first time warms up and lets a spare worker finish loading; the second tells the cost.
    once(&mut engines.each[..1], &work, 1)?;
    let (expected, taken) = once(&mut engines.each[..1], &work, 1)?;
    if let Some(rival) = &mut rival {
        agree(&names, &expected, rival)?;
    }
    let rounds = u64::try_from(PASS_MIN.as_nanos() / taken.total().as_nanos().max(1)).unwrap_or(u64::MAX) + 1;
    let events = work.records.len() as u64;
    let (mut total, mut worker, mut theirs) = (Passes::default(), Passes::default(), Passes::default());
    let mut threads = Threads::new(engines.each.len() as u64);
    for _ in 0..plan.passes {
        let taken = repeat(&mut engines.each[..1], &work, rounds, &expected)?;
        total.add(taken.total(), events * rounds);
        worker.add(taken.workers, events * rounds);
        if engines.each.len() > 1 {
            threads.one.add(taken.wall, events * rounds);
            let together = repeat(&mut engines.each, &work, rounds, &expected)?;
            let count = events * rounds * threads.number;
            threads.all.add(together.wall, count);
            threads.all_computing.add(together.total(), count);
        }
        if let Some(rival) = &mut rival {
            theirs.add(rival.pass()?.time, events);
        }
    }
    let sample = &work.records[..work.records.len().min(RULE_TIME_RECORDS)];
    let rule_times = engines.each[0].rule_times(sample)?;
    let compared = rival.map(|rival| compared(rival, theirs)).transpose()?;
    // The engine cannot tell what is slow, and nobody else has been asked.
    let elsewhere = match (&rule_times, &compared) {
        (None, None) => Some(cpython(sample)?.rule_times()?),
        _ => None,
    };
    Ok(Measured {
        stage,
        engine: engines.each[0].name(),
        origin: &inputs.origin,
        passes: plan.passes,
        rules: &engines.rules,
        names: &names,
        records: &work.records,
        bytes: match path {
            Path::Rules => work.records.iter().map(|record| record.json.len() as u64).sum(),
            Path::Whole => payload_bytes,
        },
        counts: expected,
        total,
        worker,
        threads: (threads.number > 1).then_some(threads),
        rule_times,
        elsewhere,
        compared,
    }
    .report())
}

fn compared(mut rival: CPython, passes: Passes) -> Result<Compared, Failure> {
    let rule_times: Vec<RuleTime> = rival.rule_times()?;
    let last = rival.pass()?;
    Ok(Compared {
        python: rival.python.clone(),
        json: rival.json.clone(),
        passes,
        alerts: last.fired.values().sum(),
        exceptions: last.raised.values().sum(),
        rule_times,
    })
}

/// Alerts that differ make every figure worthless.
fn agree(names: &[String], expected: &Counts, rival: &mut CPython) -> Result<(), Failure> {
    let found = differences(names, expected, &rival.pass()?);
    if found.is_empty() {
        return Ok(());
    }
    let mut shown = found.clone();
    shown.truncate(DIFFERENCES_MAX);
    let more = found.len() - shown.len();
    let more = if more > 0 {
        format!("; {more} more")
    } else {
        String::new()
    };
    let shown = shown.join("; ");
    Err(Failure::Other(format!(
        "cpython comes to other results on the same records: {shown}{more}"
    )))
}

/// Payloads to records, and the bytes that were read.
pub(super) fn records(selection: &Selection, inputs: &[RawInput]) -> (Vec<Record>, u64) {
    let mut scratch = Scratch::new();
    let mut records = Vec::new();
    let mut bytes = 0;
    for (number, input) in (0..).zip(inputs) {
        bytes += classify(selection, number, input, &mut scratch, &mut records);
    }
    (records, bytes)
}

fn classify(
    selection: &Selection,
    number: u64,
    input: &RawInput,
    scratch: &mut Scratch,
    records: &mut Vec<Record>,
) -> u64 {
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
    let classified = selection.classify(&payload, scratch);
    let bytes = classified.processed_size;
    records.extend(classified.into_records(&source, &position));
    bytes
}

/// Everything once on one engine.
fn through(engine: &mut dyn Engine, work: &Work<'_>) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    match work.path {
        Path::Rules => {
            for batch in work.records.chunks(BATCH) {
                engine.evaluate(batch, &mut counts)?;
            }
        }
        Path::Whole => {
            let mut scratch = Scratch::new();
            let mut batch = Vec::with_capacity(BATCH);
            for (number, input) in (0..).zip(work.inputs) {
                classify(&work.selection, number, input, &mut scratch, &mut batch);
                if batch.len() >= BATCH {
                    engine.evaluate(&batch, &mut counts)?;
                    batch.clear();
                }
            }
            engine.evaluate(&batch, &mut counts)?;
        }
    }
    Ok(counts)
}

/// Everything so many times on each engine, each on a thread of its own. What came of it is that of one round.
fn once(engines: &mut [Box<dyn Engine>], work: &Work<'_>, rounds: u64) -> Result<(Counts, Taken), Failure> {
    let begun = time();
    let results: Vec<Result<Counts, Failure>> = std::thread::scope(|scope| {
        let run = |engine: &mut Box<dyn Engine>| {
            let mut first = None;
            for _ in 0..rounds {
                let counts = through(engine.as_mut(), work)?;
                let expected = first.get_or_insert_with(|| counts.clone());
                if *expected != counts {
                    tracing::warn!(?expected, ?counts, "a pass came out differently");
                }
            }
            Ok(first.unwrap_or_default())
        };
        let threads: Vec<_> = engines
            .iter_mut()
            .map(|engine| scope.spawn(move || run(engine)))
            .collect();
        let ended = |_| Err(Failure::Other("a thread of the measurement panicked".to_owned()));
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(ended))
            .collect()
    });
    let end = time();
    let taken = Taken {
        own: end.own.saturating_sub(begun.own),
        workers: end.workers.saturating_sub(begun.workers),
        wall: end.wall.saturating_sub(begun.wall),
    };
    let mut counts = None;
    for result in results {
        let result = result?;
        if counts.get_or_insert_with(|| result.clone()) != &result {
            tracing::warn!("threads came to different results");
        }
    }
    Ok((counts.unwrap_or_default(), taken))
}

fn repeat(
    engines: &mut [Box<dyn Engine>],
    work: &Work<'_>,
    rounds: u64,
    expected: &Counts,
) -> Result<Taken, Failure> {
    let (counts, taken) = once(engines, work, rounds)?;
    if counts != *expected {
        tracing::warn!(?expected, ?counts, "a pass came out differently");
    }
    Ok(taken)
}

fn time() -> Taken {
    Taken {
        own: process_time(),
        workers: children_time().unwrap_or_default(),
        wall: wall_time(),
    }
}
