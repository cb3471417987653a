//! Threads of native evaluation. They are not the async runtime's: a slice keeps its thread busy for a millisecond, a
//! hostile rule for longer, and deep recursion needs a stack of its own.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use streamalert_detect::{EvaluateOptions, RuleIndex};
use streamalert_native::engine::{Event, Options, Scratch};
use streamalert_native::env::Env;
use streamalert_types::{Clock, Record};
use tokio::sync::{mpsc, oneshot};

use crate::generation::Generation;
use crate::verdict::{Judged, judge};

/// Nested calls up to the engine's limit fit, in a debug build as well. Only what is used takes memory.
const STACK_BYTES: usize = 256 << 20;

/// Records to be evaluated by one thread.
pub(crate) struct Job {
    pub(crate) generation: Arc<Generation>,
    pub(crate) records: Vec<Record>,
    pub(crate) options: EvaluateOptions,
    pub(crate) reply: oneshot::Sender<Vec<Judged>>,
}

/// Hands jobs to the threads. They end with the last clone.
#[derive(Clone)]
pub(crate) struct Threads {
    jobs: mpsc::Sender<Job>,
}

impl Threads {
    pub(crate) fn start(
        count: usize,
        queue_slices_max: usize,
        clock: &Arc<dyn Clock>,
        time_every: u32,
    ) -> Result<Self, std::io::Error> {
        let (jobs, queue) = mpsc::channel(queue_slices_max.max(1));
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..count.max(1) {
            let queue = queue.clone();
            let clock = clock.clone();
            std::thread::Builder::new()
                .name(format!("rules-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || Worker::new(clock, time_every).run(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Slices that wait for a thread.
    pub(crate) fn queued(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Waits while the queue is full; `None` when the threads are gone.
    pub(crate) async fn send(&self, job: Job) -> Option<()> {
        self.jobs.send(job).await.ok()
    }
}

/// One thread's own.
struct Worker {
    clock: Arc<dyn Clock>,
    time_every: u32,
    events: u32,
    /// The generation that the buffers below are for. It ends, its workers with it, when nobody evaluates with it.
    generation: Weak<Generation>,
    scratch: Option<Scratch>,
    env: Option<Env>,
}

impl Worker {
    fn new(clock: Arc<dyn Clock>, time_every: u32) -> Self {
        Self {
            clock,
            time_every,
            events: 0,
            generation: Weak::new(),
            scratch: None,
            env: None,
        }
    }

    fn run(mut self, queue: &Mutex<mpsc::Receiver<Job>>) {
        loop {
            let job = {
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                queue.blocking_recv()
            };
            let Some(job) = job else {
                return;
            };
            let judged = self.evaluate(&job);
            // Nobody waits any more when the caller was dropped.
            let _ = job.reply.send(judged);
        }
    }

    fn environment(&self, tables: Arc<std::collections::HashMap<String, streamalert_value::Map>>) -> Env {
        let clock = self.clock.clone();
        Env::new(tables, Box::new(move || clock.now().as_micros()))
    }

    /// Buffers for the job's generation: made anew after a reload.
    fn prepare(&mut self, job: &Job) -> Option<()> {
        // The place is not used again while this holds it.
        if self.generation.as_ptr() != Arc::as_ptr(&job.generation) {
            let engine = job.generation.engine()?;
            self.scratch = Some(Scratch::new(engine));
            self.env = Some(self.environment(job.generation.tables().clone()));
            self.generation = Arc::downgrade(&job.generation);
        }
        Some(())
    }

    fn evaluate(&mut self, job: &Job) -> Vec<Judged> {
        let fixtures = job.options.fixtures.as_ref().map(|fixtures| {
            let tables = fixtures.lookup_tables.iter();
            let tables = tables.filter_map(|(name, table)| Some((name.clone(), table.as_map()?.clone())));
            self.environment(Arc::new(tables.collect()))
        });
        let everything = |record: &Record| Judged {
            record: record.clone(),
            results: Vec::new(),
            fallbacks: job.generation.rules_for(record),
        };
        if self.prepare(job).is_none() {
            return job.records.iter().map(everything).collect();
        }
        let (Some(engine), Some(scratch)) = (job.generation.engine(), self.scratch.as_mut()) else {
            return job.records.iter().map(everything).collect();
        };
        let Some(env) = fixtures.as_ref().or(self.env.as_ref()) else {
            return job.records.iter().map(everything).collect();
        };
        let mut strikes = job.generation.strikes();
        let mut suspended: Vec<RuleIndex> = job.generation.suspended();
        let mut judged = Vec::with_capacity(job.records.len());
        for record in &job.records {
            let Ok(json) = std::str::from_utf8(&record.json) else {
                judged.push(everything(record));
                continue;
            };
            self.events = self.events.wrapping_add(1);
            let timed = self.time_every > 0 && self.events.is_multiple_of(self.time_every);
            let options = Options {
                trace: job.options.trace,
                clock_nanos: timed.then_some(monotonic_nanos as fn() -> u64),
                ..Options::default()
            };
            let event = Event {
                log_type: &record.log_type,
                json,
                options,
                skip: &suspended,
            };
            let mut one = Judged {
                record: record.clone(),
                results: Vec::new(),
                fallbacks: Vec::new(),
            };
            engine.evaluate(scratch, env, &event, &mut |rule, verdict| {
                judge(&job.generation, rule, verdict, &mut one);
            });
            for rule in suspended
                .iter()
                .filter(|rule| job.generation.applies(**rule, record))
            {
                one.suspend(*rule);
            }
            if !suspended.is_empty() {
                one.sort();
            }
            judged.push(one);
            // A rule that is suspended does not see the next record, on whichever thread it got its strikes.
            let now = job.generation.strikes();
            if now != strikes {
                strikes = now;
                suspended = job.generation.suspended();
            }
        }
        job.generation.statistics().add(scratch.take_counters());
        if let Some(env) = self.env.as_mut() {
            env.tidy();
        }
        judged
    }
}

/// Nanoseconds since some moment. For statistics only, so it is no seam that tests would have to hold.
#[expect(
    clippy::disallowed_methods,
    reason = "how long rules take is measured, nothing depends on it"
)]
fn monotonic_nanos() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
