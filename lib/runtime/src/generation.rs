use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use streamalert_detect::{
    EvaluateOptions, RecordOutcome, RuleIndex, RuleRuntime, RuleSet, RuntimeError, StrikeEffect, Strikes,
    Suspension,
};
use streamalert_native::cx::{Leave, Limits};
use streamalert_native::engine::{Departure, Engine};
use streamalert_python::{LoadReport, PoolHealth, PythonPool};
use streamalert_types::{Clock, Record};
use streamalert_value::{Map, Value};
use tokio::sync::{OnceCell, oneshot};

use crate::load::Loaded;
use crate::threads::{Job, Threads};
use crate::verdict::Judged;
use crate::{Departed, RuntimeOptions, StartError, Statistics};

/// How a rule set is doing.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Rules that are not evaluated for a while.
    pub suspended: Vec<Suspension>,
    /// Strikes counted since the rule set was loaded.
    pub strikes: u64,
    /// The CPython workers, when there are any.
    pub workers: Option<PoolHealth>,
    /// Why there is no CPython to fall back to.
    pub no_python: Option<String>,
    /// Why the latest reload kept the rules that run; `None` when it did not.
    pub reload_failure: Option<String>,
}

/// One rule set with what evaluates it. Immutable but for counters; a reload makes a new one.
pub struct Generation {
    report: LoadReport,
    engine: Option<Arc<Engine>>,
    tables: Arc<HashMap<String, Map>>,
    statistics: Statistics,
    strikes: Mutex<Strikes>,
    strikes_counted: AtomicU64,
    clock: Arc<dyn Clock>,
    threads: Threads,
    options: RuntimeOptions,
    /// Started when first needed: a project whose rules all run natively has no workers.
    pool: OnceCell<PythonPool>,
    closed: AtomicBool,
    fingerprint: blake3::Hash,
    no_python: Option<String>,
}

impl Generation {
    pub(crate) fn new(
        loaded: Loaded,
        tables: Arc<HashMap<String, Map>>,
        threads: Threads,
        options: RuntimeOptions,
    ) -> Self {
        let Loaded {
            report,
            engine,
            fingerprint,
            no_python,
        } = loaded;
        Self {
            statistics: Statistics::new(report.rules.clone()),
            strikes: Mutex::new(Strikes::new(options.python.limits.strikes.clone())),
            strikes_counted: AtomicU64::new(0),
            clock: options.python.clock.clone(),
            report,
            engine,
            tables,
            threads,
            options,
            pool: OnceCell::new(),
            closed: AtomicBool::new(false),
            fingerprint,
            no_python,
        }
    }

    /// Goes on where the rule set before this one is: counters, and the strikes of rules that are as they were.
    pub(crate) fn take_over(&mut self, before: &Self) {
        self.statistics.take_over(&before.statistics);
        let same = |index: RuleIndex| {
            let old = before.report.rules.get(index)?;
            let (index, new) = self.report.rules.find(&old.name)?;
            (new.code_hash == old.code_hash).then_some(index)
        };
        let mut strikes = Strikes::new(self.options.python.limits.strikes.clone());
        strikes.take_over(&before.lock_strikes(), same);
        self.strikes = Mutex::new(strikes);
        let counted = before.strikes_counted.load(Ordering::Relaxed);
        self.strikes_counted = AtomicU64::new(counted);
    }

    /// Whether it is made of the same files as another.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.report.rules.version() == other.report.rules.version()
    }

    /// Whether there is no CPython to fall back to.
    #[must_use]
    pub const fn without_python(&self) -> bool {
        self.no_python.is_some()
    }

    /// Whether something may need CPython: a rule that may leave, or a publisher.
    pub(crate) fn wants_workers(&self) -> bool {
        // Those of the package `streamalert` run natively.
        let is_users = |name: &String| !name.starts_with("streamalert.");
        !self.without_python() && (self.may_fall_back() || self.report.publishers.iter().any(is_users))
    }

    /// Where and why a pair left.
    pub(crate) fn departed(&self, rule: RuleIndex, departure: &Departure) -> Departed {
        let program = self.engine.as_deref().map(Engine::program);
        if let Leave::Point(point) = departure.leave
            && let Some(program) = program
            && let Some(point) = program.points.get(point as usize)
            && let Some(file) = program.files.get(point.source as usize)
        {
            return Departed {
                file: file.to_string(),
                line: point.line,
                reason: point.reason.to_string(),
            };
        }
        let info = self.report.rules.get(rule);
        let reason = match departure.leave {
            Leave::Here(reason) => reason,
            Leave::Point(_) => "not known to the native engine",
        };
        Departed {
            file: info.map_or_else(String::new, |rule| rule.file.display().to_string()),
            line: departure.line,
            reason: reason.to_owned(),
        }
    }

    /// What loading said.
    #[must_use]
    pub const fn report(&self) -> &LoadReport {
        &self.report
    }

    /// The compiled rules; `None` when native evaluation is switched off.
    #[must_use]
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_deref()
    }

    /// What each rule did.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub(crate) const fn tables(&self) -> &Arc<HashMap<String, Map>> {
        &self.tables
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.options.limits
    }

    pub(crate) fn name(&self, rule: RuleIndex) -> Arc<str> {
        self.report
            .rules
            .get(rule)
            .map_or_else(|| "?".into(), |rule| rule.name.clone())
    }

    /// Every candidate rule of a record.
    pub(crate) fn rules_for(&self, record: &Record) -> Vec<RuleIndex> {
        self.report.rules.for_log_type(&record.log_type).to_vec()
    }

    pub(crate) fn applies(&self, rule: RuleIndex, record: &Record) -> bool {
        self.report.rules.for_log_type(&record.log_type).contains(&rule)
    }

    /// Whether some rule may leave the native engine.
    #[must_use]
    pub fn may_fall_back(&self) -> bool {
        match &self.engine {
            None => true,
            Some(engine) => engine
                .program()
                .rules
                .iter()
                .any(|rule| rule.refused.is_some() || !rule.points.is_empty()),
        }
    }

    /// The workers, started when first asked for.
    ///
    /// # Errors
    /// When they cannot be started, or find other files than this rule set was made of.
    pub async fn pool(&self) -> Result<&PythonPool, RuntimeError> {
        let unavailable = |reason: String| RuntimeError::Unavailable { reason };
        let start = || async {
            if let Some(reason) = &self.no_python {
                return Err(unavailable(reason.clone()));
            }
            if self.closed.load(Ordering::SeqCst) {
                return Err(unavailable("shutting down".to_owned()));
            }
            let (pool, report) = PythonPool::start(self.options.python.clone())
                .await
                .map_err(|error| unavailable(error.to_string()))?;
            if report.rules.version() == self.report.rules.version() {
                return Ok(pool);
            }
            pool.shutdown().await;
            Err(unavailable(
                "the rules' files have changed and are not loaded yet".to_owned(),
            ))
        };
        self.pool.get_or_try_init(start).await
    }

    pub(crate) async fn shutdown(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // Also waits for workers that are just being started.
        if let Ok(pool) = self.pool().await {
            pool.shutdown().await;
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let workers = self.pool.get().map(PythonPool::health);
        let mut suspended: Vec<Suspension> = self.lock_strikes().suspended().cloned().collect();
        suspended.extend(
            workers
                .iter()
                .flat_map(|workers| workers.suspended.iter().cloned()),
        );
        Health {
            suspended,
            strikes: self.strikes_counted.load(Ordering::Relaxed),
            workers,
            no_python: self.no_python.clone(),
            reload_failure: None,
        }
    }

    fn lock_strikes(&self) -> std::sync::MutexGuard<'_, Strikes> {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn strike(&self, rule: RuleIndex, reason: &str) {
        let name = self.name(rule);
        let effect = self.lock_strikes().strike(rule, reason, self.clock.now());
        // Counted last: who sees the count finds the suspension.
        self.strikes_counted.fetch_add(1, Ordering::Release);
        match effect {
            Some(StrikeEffect::Warned {
                strikes, strikes_max, ..
            }) => tracing::warn!(rule = %name, reason, strikes, strikes_max, "rule gets a strike"),
            Some(StrikeEffect::Suspended(suspension)) => {
                let until = suspension.until;
                tracing::error!(rule = %name, reason, %until, "rule is suspended and does not see records");
            }
            Some(StrikeEffect::Resumed { .. }) | None => {}
        }
    }

    /// Strikes counted so far.
    pub(crate) fn strikes(&self) -> u64 {
        self.strikes_counted.load(Ordering::Acquire)
    }

    /// The rules that are suspended right now.
    pub(crate) fn suspended(&self) -> Vec<RuleIndex> {
        let mut strikes = self.lock_strikes();
        for effect in strikes.tick(self.clock.now()) {
            if let StrikeEffect::Resumed { rule } = effect {
                tracing::warn!(rule = %self.name(rule), "rule is no longer suspended");
            }
        }
        strikes.suspended().map(|suspension| suspension.rule).collect()
    }
}

/// A generation as something that evaluates, for one batch or for good.
#[derive(Clone)]
pub(crate) struct Fixed(pub(crate) Arc<Generation>);

#[async_trait]
impl RuleRuntime for Fixed {
    fn rules(&self) -> Arc<RuleSet> {
        self.0.report.rules.clone()
    }

    async fn evaluate(
        &self,
        records: Vec<Record>,
        options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        let generation = &self.0;
        if generation.engine.is_none() {
            return generation.pool().await?.evaluate(records, options).await;
        }
        let mut judged = Vec::with_capacity(records.len());
        for answer in self.hand_out(records, &options).await? {
            let unavailable = |_| RuntimeError::Unavailable {
                reason: "the threads that evaluate rules are gone".to_owned(),
            };
            judged.extend(answer.await.map_err(unavailable)?);
        }
        crate::fallback::complete(generation, judged, options).await
    }
}

impl Fixed {
    /// Cuts the batch into slices and queues them, waiting while the queue is full.
    async fn hand_out(
        &self,
        records: Vec<Record>,
        options: &EvaluateOptions,
    ) -> Result<Vec<oneshot::Receiver<Vec<Judged>>>, RuntimeError> {
        let threads = self.0.options.threads.max(1);
        let slice = records
            .len()
            .div_ceil(threads)
            .clamp(1, self.0.options.slice_records_max.max(1));
        let mut answers = Vec::new();
        let mut records = records.into_iter();
        loop {
            let records: Vec<Record> = records.by_ref().take(slice).collect();
            if records.is_empty() {
                return Ok(answers);
            }
            let (reply, answer) = oneshot::channel();
            let job = Job {
                generation: self.0.clone(),
                records,
                options: options.clone(),
                reply,
            };
            self.0
                .threads
                .send(job)
                .await
                .ok_or_else(|| RuntimeError::Unavailable {
                    reason: "the threads that evaluate rules are gone".to_owned(),
                })?;
            answers.push(answer);
        }
    }
}

/// What the rules are made of and what they look up.
pub(crate) fn with_tables(fingerprint: blake3::Hash, tables: &HashMap<String, Map>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(fingerprint.as_bytes());
    let mut names: Vec<&String> = tables.keys().collect();
    names.sort_unstable();
    for name in names {
        let text = tables.get(name).cloned().map(|table| Value::Map(table).to_json());
        for part in [name.as_str(), text.as_deref().unwrap_or_default()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize()
}

/// Lookup tables that are files; one that cannot be read is left out, which loading has told.
pub(crate) async fn tables(options: &RuntimeOptions) -> Result<HashMap<String, Map>, StartError> {
    let mut tables = HashMap::new();
    for (name, path) in &options.python.lookup_tables {
        let read = tokio::fs::read(path).await.map_err(|error| error.to_string());
        let parsed = read.and_then(|text| Value::parse_json(&text).map_err(|error| error.to_string()));
        match parsed {
            Ok(Value::Map(table)) => {
                tables.insert(name.clone(), table);
            }
            Ok(_) => {
                tracing::error!(table = %name, path = %path.display(), "lookup table is no json object");
            }
            Err(error) => {
                tracing::error!(table = %name, path = %path.display(), %error, "lookup table cannot be read");
            }
        }
    }
    Ok(tables)
}
