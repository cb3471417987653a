use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::{EvaluateOptions, RuleIndex};
use streamalert_native::engine::{Engine as Rules, Event, Options, Scratch, Verdict};
use streamalert_native::env::Env;
use streamalert_python::PairRecord;
use streamalert_runtime::Generation;
use streamalert_types::Record;

use super::cpu::thread_time;
use super::engine::{Counts, Engine, RuleTime};
use crate::failure::Failure;

/// The native engine on the calling thread, and CPython workers for what falls back.
pub(super) struct NativeEngine {
    generation: Arc<Generation>,
    scratch: Scratch,
    env: Env,
    handle: tokio::runtime::Handle,
}

impl NativeEngine {
    /// `None` when the rules are not compiled. `handle` is of the tokio runtime that workers are started on.
    pub(super) fn new(generation: Arc<Generation>, handle: tokio::runtime::Handle) -> Option<Self> {
        let scratch = Scratch::new(generation.engine()?);
        let clock = crate::assembly::clock();
        let tables = Arc::new(HashMap::new());
        let env = Env::new(tables, Box::new(move || clock.now().as_micros()));
        Some(Self {
            generation,
            scratch,
            env,
            handle,
        })
    }

    fn fall_back(&self, pairs: Vec<PairRecord>, counts: &mut Counts) -> Result<(), Failure> {
        let failed = |error| Failure::while_doing("cannot evaluate what falls back", error);
        let evaluation = async {
            let pool = self.generation.pool().await?;
            pool.evaluate_pairs(pairs, EvaluateOptions::default()).await
        };
        let outcomes = self.handle.block_on(evaluation).map_err(failed)?;
        for result in outcomes.iter().flat_map(|outcome| &outcome.results) {
            counts.add(result.rule, &result.outcome);
        }
        Ok(())
    }
}

impl Engine for NativeEngine {
    fn name(&self) -> &'static str {
        "native"
    }

    fn evaluate(&mut self, records: &[Record], counts: &mut Counts) -> Result<(), Failure> {
        let generation = self.generation.clone();
        let Some(engine) = generation.engine() else {
            return Ok(());
        };
        let mut pairs = Vec::new();
        let mut left: Vec<RuleIndex> = Vec::new();
        for record in records {
            let event = event(record, Options::default());
            engine.evaluate(
                &mut self.scratch,
                &self.env,
                &event,
                &mut |rule, verdict| match verdict {
                    Verdict::Fired(_) => counts.fired(rule),
                    Verdict::Exception(_) => counts.raised(rule),
                    Verdict::Fallback(_) => left.push(rule),
                    Verdict::False | Verdict::NotRun => {}
                    Verdict::OverLimit(_) | Verdict::Panicked(_) => counts.unknown += 1,
                },
            );
            if !left.is_empty() {
                pairs.push(PairRecord {
                    record: record.clone(),
                    rules: left.drain(..).collect(),
                });
            }
        }
        self.env.tidy();
        if pairs.is_empty() {
            return Ok(());
        }
        self.fall_back(pairs, counts)
    }

    /// Every pair on its own, without the index; what reading the clock takes is taken off.
    fn rule_times(&mut self, records: &[Record]) -> Result<Option<Vec<RuleTime>>, Failure> {
        let generation = self.generation.clone();
        let Some(engine) = generation.engine() else {
            return Ok(None);
        };
        let options = Options {
            without_index: true,
            clock_nanos: Some(thread_nanos),
            ..Options::default()
        };
        let clock = clock_cost();
        self.scratch.take_counters();
        for record in records {
            engine.evaluate(
                &mut self.scratch,
                &self.env,
                &event(record, options),
                &mut |_, _| {},
            );
        }
        let counters = self.scratch.take_counters();
        let times = names(engine)
            .zip(counters)
            .filter(|(_, counter)| counter.timed > 0);
        let times = times.map(|(name, counter)| RuleTime {
            name,
            pairs: counter.timed,
            ns: (counter.nanos as f64 / counter.timed as f64 - clock).max(0.0),
        });
        Ok(Some(times.collect()))
    }
}

fn names(engine: &Rules) -> impl Iterator<Item = String> {
    engine.rules().rules().iter().map(|rule| rule.name.to_string())
}

fn event(record: &Record, options: Options) -> Event<'_> {
    Event {
        log_type: &record.log_type,
        // What is no text is unreadable, which the engine tells.
        json: std::str::from_utf8(&record.json).unwrap_or_default(),
        options,
        skip: &[],
    }
}

fn thread_nanos() -> u64 {
    u64::try_from(thread_time().as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds that lie between two readings of the clock with nothing between them.
fn clock_cost() -> f64 {
    const READINGS: u32 = 100_000;
    let begun = thread_time();
    for _ in 0..READINGS {
        std::hint::black_box(thread_nanos());
    }
    let taken: Duration = thread_time().saturating_sub(begun);
    taken.as_nanos() as f64 / f64::from(READINGS)
}
