use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_detect::{
    DEFAULT_PUBLISHER, EvaluateOptions, RecordOutcome, RuleIndex, RuleInfo, RuleRuntime, RuleSet,
    RuntimeError, StrikeEffect, Strikes, Suspension, alert_item, output_dict, publisher_names,
};
use streamalert_types::{Alert, Clock, OutputName, Record};
use streamalert_value::Value;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::load::Loaded;
use crate::process::{InitMessage, LaunchFailure, Launcher, WorkerProcess};
use crate::slot::{EvaluateJob, Job, PublishJob, Slot, watch_period};
use crate::spawner::Spawner;
use crate::{
    InterpreterError, Limits, LoadError, LoadErrorKind, LoadReport, PoolOptions, Publication, PublishError,
    frame, shim,
};

/// Files that may hang or kill the worker at import before loading is given up.
const BAD_FILES_MAX: usize = 32;

/// How long a slot waits for a process when none can be started, before its callers are told.
const PROCESS_WAIT_MAX: Duration = Duration::from_secs(60);

/// First and longest pause between attempts to start a spare process.
const RESTART_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Why a pool could not be started.
#[derive(Debug, thiserror::Error)]
pub enum PoolStartError {
    /// No interpreter.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// A file of ours could not be written, or a process not be started.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A worker did not come up, for no fault of a user file.
    #[error("python worker did not start: {reason}")]
    Worker {
        /// Why, in one line, with what it printed.
        reason: String,
    },
}

/// How a pool is doing.
#[derive(Debug, Clone, Default)]
pub struct PoolHealth {
    /// Rules that are not evaluated for a while.
    pub suspended: Vec<Suspension>,
    /// Worker processes that were killed or died, since start.
    pub workers_lost: u64,
    /// Strikes counted, since start.
    pub strikes: u64,
    /// Lines that user code printed beyond its allowance, since start.
    pub print_lines_dropped: u64,
}

/// What the slots and the pool's handles share.
pub(crate) struct Shared {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) limits: Limits,
    pub(crate) watch_period: Duration,
    clock: Arc<dyn Clock>,
    strikes: Mutex<Strikes>,
    strikes_counted: AtomicU64,
    workers_lost: AtomicU64,
    lines_dropped: Arc<AtomicU64>,
    spares: tokio::sync::Mutex<mpsc::Receiver<WorkerProcess>>,
}

impl Shared {
    /// Takes the warm spare, or waits for one.
    pub(crate) async fn next_process(&self) -> Result<WorkerProcess, RuntimeError> {
        let unavailable = |reason: &str| RuntimeError::Unavailable {
            reason: reason.to_owned(),
        };
        let wait = async { self.spares.lock().await.recv().await };
        match tokio::time::timeout(PROCESS_WAIT_MAX, wait).await {
            Ok(Some(process)) => Ok(process),
            Ok(None) => Err(unavailable("the pool is shutting down")),
            Err(_) => Err(unavailable("no python worker can be started")),
        }
    }

    pub(crate) fn strike(&self, rule: RuleIndex, reason: &str) {
        self.strikes_counted.fetch_add(1, Ordering::Relaxed);
        let name = self
            .rules
            .get(rule)
            .map_or_else(|| "?".into(), |rule| rule.name.clone());
        let effect = self.lock_strikes().strike(rule, reason, self.clock.now());
        match effect {
            Some(StrikeEffect::Warned {
                strikes, strikes_max, ..
            }) => {
                tracing::warn!(rule = %name, reason, strikes, strikes_max, "rule gets a strike");
            }
            Some(StrikeEffect::Suspended(suspension)) => {
                let until = suspension.until;
                tracing::error!(rule = %name, reason, %until, "rule is suspended and does not see records");
            }
            Some(StrikeEffect::Resumed { .. }) | None => {}
        }
    }

    /// The rules that are suspended right now.
    pub(crate) fn suspended(&self) -> Vec<RuleIndex> {
        let mut strikes = self.lock_strikes();
        for effect in strikes.tick(self.clock.now()) {
            if let StrikeEffect::Resumed { rule } = effect {
                let name = self
                    .rules
                    .get(rule)
                    .map_or_else(|| "?".into(), |rule| rule.name.clone());
                tracing::warn!(rule = %name, "rule is no longer suspended");
            }
        }
        strikes.suspended().map(|suspension| suspension.rule).collect()
    }

    fn lock_strikes(&self) -> std::sync::MutexGuard<'_, Strikes> {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count_lost_worker(&self) {
        self.workers_lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped_lines(&self, lines: u32) {
        self.lines_dropped.fetch_add(u64::from(lines), Ordering::Relaxed);
    }
}

struct Inner {
    shared: Arc<Shared>,
    /// Taken on shutdown.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    bytes: Arc<Semaphore>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

/// A pool of CPython worker processes. Clones share it; the last one dropped ends the processes.
#[derive(Clone)]
pub struct PythonPool {
    inner: Arc<Inner>,
}

impl PythonPool {
    /// Starts the workers and loads the user's files. Files that do not load are in the report; the pool runs
    /// with the others.
    ///
    /// # Errors
    /// See [`PoolStartError`].
    pub async fn start(options: PoolOptions) -> Result<(Self, LoadReport), PoolStartError> {
        let workers = options.workers.max(1);
        let limits = options.limits.clone();
        let clock = options.clock.clone();
        let launcher = Arc::new(launcher(options).await?);
        let mut skip = Vec::new();
        let mut errors = Vec::new();
        let (process, loaded) = first_process(&launcher, &mut skip, &mut errors).await?;
        let report = report(loaded, errors)?;
        let starter = Arc::new(Starter {
            launcher,
            skip,
            rules: report.rules.clone(),
        });
        let mut processes = vec![
            starter
                .bind(process, None)
                .await
                .map_err(|reason| PoolStartError::Worker { reason })?,
        ];
        let mut starting = JoinSet::new();
        for _ in 1..workers {
            let starter = starter.clone();
            starting.spawn(async move { starter.start().await });
        }
        while let Some(started) = starting.join_next().await {
            let started = started.unwrap_or_else(|error| Err(error.to_string()));
            processes.push(started.map_err(|reason| PoolStartError::Worker { reason })?);
        }
        Ok((Self::with(processes, starter, limits, clock), report))
    }

    fn with(
        processes: Vec<WorkerProcess>,
        starter: Arc<Starter>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (spares, spares_taken) = mpsc::channel(1);
        let (jobs, queue) = mpsc::channel(limits.queue_slices_max.max(1));
        let shared = Arc::new(Shared {
            rules: starter.rules.clone(),
            watch_period: watch_period(&limits),
            strikes: Mutex::new(Strikes::new(limits.strikes.clone())),
            strikes_counted: AtomicU64::new(0),
            workers_lost: AtomicU64::new(0),
            lines_dropped: starter.launcher.lines_dropped.clone(),
            spares: tokio::sync::Mutex::new(spares_taken),
            clock,
            limits,
        });
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let mut tasks = JoinSet::new();
        for process in processes {
            tasks.spawn(Slot::new(shared.clone(), Some(process), queue.clone()).run());
        }
        // Not among the tasks that shutdown waits for: it ends when nobody can take a spare any more.
        tokio::spawn(keep_spare(starter, spares));
        let bytes = Arc::new(Semaphore::new(
            shared.limits.queue_bytes_max.clamp(1, u32::MAX as usize),
        ));
        let tasks = tokio::sync::Mutex::new(tasks);
        Self {
            inner: Arc::new(Inner {
                shared,
                jobs: Mutex::new(Some(jobs)),
                bytes,
                tasks,
            }),
        }
    }

    /// Runs the publishers that `alert` names for `output`. When they fail, or take too long, the plain output
    /// dictionary stands in and the reason is told and logged: an alert never waits for its decoration.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish(&self, alert: &Alert, output: &OutputName) -> Result<Publication, PublishError> {
        let plain = || output_dict(alert).ok_or(PublishError::BadRecord);
        let names = publisher_names(alert, output);
        if names.iter().all(|name| name == DEFAULT_PUBLISHER) {
            return Ok(Publication {
                value: plain()?,
                fallback: None,
            });
        }
        let (reply, answer) = oneshot::channel();
        let job = Job::Publish(PublishJob {
            service: output.service().to_owned(),
            descriptor: output.descriptor().to_owned(),
            item: alert_item(alert).to_json(),
            reply,
        });
        let unavailable = || PublishError::Unavailable {
            reason: "the pool is shutting down".into(),
        };
        let jobs = self.queue().ok_or_else(unavailable)?;
        jobs.send(job).await.map_err(|_| unavailable())?;
        drop(jobs);
        let answer = answer.await.map_err(|_| unavailable())?;
        let answer =
            answer.map_err(|RuntimeError::Unavailable { reason }| PublishError::Unavailable { reason })?;
        let read = answer.and_then(|json| Value::parse_json(&json).map_err(|error| error.to_string()));
        match read {
            Ok(value) => Ok(Publication {
                value,
                fallback: None,
            }),
            Err(reason) => {
                tracing::warn!(rule = %alert.rule_name, %output, %reason, "publishers failed, sending the alert plain");
                Ok(Publication {
                    value: plain()?,
                    fallback: Some(reason),
                })
            }
        }
    }

    /// How the pool is doing.
    #[must_use]
    pub fn health(&self) -> PoolHealth {
        let shared = &self.inner.shared;
        PoolHealth {
            suspended: shared.lock_strikes().suspended().cloned().collect(),
            workers_lost: shared.workers_lost.load(Ordering::Relaxed),
            strikes: shared.strikes_counted.load(Ordering::Relaxed),
            print_lines_dropped: shared.lines_dropped.load(Ordering::Relaxed),
        }
    }

    /// Ends the workers after the slices that are queued. Later calls answer `Unavailable`.
    pub async fn shutdown(&self) {
        drop(
            self.inner
                .jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let mut tasks = self.inner.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }

    fn queue(&self) -> Option<mpsc::Sender<Job>> {
        self.inner
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Cuts records into slices of bounded number and bytes.
    fn slices(&self, records: Vec<Record>) -> Vec<(Vec<Record>, usize)> {
        let limits = &self.inner.shared.limits;
        let mut slices: Vec<(Vec<Record>, usize)> = Vec::new();
        for record in records {
            let weight = record.weight_bytes();
            match slices.last_mut() {
                Some((slice, bytes))
                    if slice.len() < limits.batch_records_max
                        && *bytes + weight <= limits.batch_bytes_max =>
                {
                    slice.push(record);
                    *bytes += weight;
                }
                _ => slices.push((vec![record], weight)),
            }
        }
        slices
    }
}

#[async_trait]
impl RuleRuntime for PythonPool {
    fn rules(&self) -> Arc<RuleSet> {
        self.inner.shared.rules.clone()
    }

    async fn evaluate(
        &self,
        records: Vec<Record>,
        options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        let unavailable = || RuntimeError::Unavailable {
            reason: "the pool is shutting down".into(),
        };
        let fixtures = options.fixtures.as_deref().map(|fixtures| {
            let tables = Value::Map(fixtures.lookup_tables.clone());
            Arc::<str>::from(tables.to_json())
        });
        let count = records.len();
        let bytes_max = self.inner.shared.limits.queue_bytes_max;
        let mut answers = Vec::new();
        for (records, bytes) in self.slices(records) {
            let permits = u32::try_from(bytes.clamp(1, bytes_max.max(1))).unwrap_or(u32::MAX);
            let permit = self
                .inner
                .bytes
                .clone()
                .acquire_many_owned(permits)
                .await
                .map_err(|_| unavailable())?;
            let (reply, answer) = oneshot::channel();
            let fixtures = fixtures.clone();
            let job = EvaluateJob {
                records,
                trace: options.trace,
                fixtures,
                reply,
                _bytes: permit,
            };
            let jobs = self.queue().ok_or_else(unavailable)?;
            jobs.send(Job::Evaluate(job)).await.map_err(|_| unavailable())?;
            answers.push(answer);
        }
        let mut outcomes = Vec::with_capacity(count);
        for answer in answers {
            outcomes.extend(answer.await.map_err(|_| unavailable())??);
        }
        Ok(outcomes)
    }
}

/// Starts further processes over the same files.
struct Starter {
    launcher: Arc<Launcher>,
    /// Files that hang or end the process at import.
    skip: Vec<PathBuf>,
    rules: Arc<RuleSet>,
}

impl Starter {
    async fn start(&self) -> Result<WorkerProcess, String> {
        match self.launcher.launch(&self.skip).await {
            Ok((process, loaded)) => self.bind(process, Some(loaded)).await,
            Err(LaunchFailure::File { path, how, .. }) => Err(format!("{}: {how}", path.display())),
            Err(LaunchFailure::Other(reason)) => Err(reason),
        }
    }

    /// Tells the process the order of the pool's rules, and notes those it lacks.
    async fn bind(
        &self,
        mut process: WorkerProcess,
        loaded: Option<Loaded>,
    ) -> Result<WorkerProcess, String> {
        if let Some(loaded) = loaded {
            let found: Vec<RuleInfo> = loaded.rules.into_iter().map(RuleInfo::from).collect();
            process.missing = (0_u32..)
                .map(RuleIndex)
                .zip(self.rules.rules())
                .filter(|(_, rule)| !found.iter().any(|other| other.name == rule.name))
                .map(|(index, _)| index)
                .collect();
            if RuleSet::new(found)
                .ok()
                .is_none_or(|found| found.version() != self.rules.version())
            {
                tracing::warn!("rule files changed since start, restart to load all of them");
            }
        }
        let names: Vec<&str> = self.rules.rules().iter().map(|rule| &*rule.name).collect();
        let names = serde_json::to_vec(&names).map_err(|error| error.to_string())?;
        let bound = process.send(&frame::frame(frame::BIND, &names)).await;
        if bound {
            Ok(process)
        } else {
            Err("the process ended right after loading".into())
        }
    }
}

/// Keeps one loaded process ready, so that a killed worker is replaced at once.
async fn keep_spare(starter: Arc<Starter>, spares: mpsc::Sender<WorkerProcess>) {
    let mut pause = RESTART_PAUSE.0;
    loop {
        let Ok(place) = spares.reserve().await else { return };
        // A process that starts while the pool goes away is dropped with the future.
        let started = tokio::select! {
            biased;
            () = spares.closed() => return,
            started = starter.start() => started,
        };
        match started {
            Ok(process) => {
                pause = RESTART_PAUSE.0;
                place.send(process);
            }
            Err(reason) => {
                drop(place);
                tracing::error!(%reason, pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    "spare python worker did not start");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RESTART_PAUSE.1);
            }
        }
    }
}

async fn launcher(options: PoolOptions) -> Result<Launcher, PoolStartError> {
    let io = |doing: &'static str| move |source: std::io::Error| PoolStartError::Io { doing, source };
    let interpreter = crate::find_interpreter(options.interpreter.as_deref()).await?;
    let dir = tempfile::Builder::new()
        .prefix("streamalert-python-")
        .tempdir()
        .map_err(io("make a directory"))?;
    shim::materialise(dir.path()).map_err(io("write the streamalert package"))?;
    let repo_root = options
        .repo_root
        .canonicalize()
        .map_err(io("find the rule repository"))?;
    let absolute = |path: &Path| {
        let path = repo_root.join(path);
        path.canonicalize().unwrap_or(path)
    };
    let all = |paths: &[PathBuf]| paths.iter().map(|path| absolute(path)).collect::<Vec<_>>();
    let limits = &options.limits;
    let init = InitMessage {
        parent: rustix::process::getpid().as_raw_pid(),
        conf_dir: absolute(options.conf_dir.as_deref().unwrap_or(Path::new("conf"))),
        rule_dirs: all(&options.rule_dirs),
        matcher_dirs: all(&options.matcher_dirs),
        publisher_dirs: all(&options.publisher_dirs),
        lookup_tables: options
            .lookup_tables
            .iter()
            .map(|(name, path)| (name.clone(), absolute(path)))
            .collect(),
        skip_files: Vec::new(),
        progress_file: PathBuf::new(),
        memory_bytes: limits.memory_bytes,
        open_files: limits.open_files,
        allow_processes: limits.allow_processes,
        slice_secs: limits.slice.as_secs_f64(),
        print_lines_per_sec_max: limits.print_lines_per_sec_max,
        repo_root,
    };
    Ok(Launcher {
        spawner: Spawner::start().map_err(io("start a thread"))?,
        interpreter,
        dir,
        init,
        load_max: limits.load,
        lines_dropped: Arc::new(AtomicU64::new(0)),
    })
}

/// Loads for the first time, leaving out files that hang or end the process at import.
async fn first_process(
    launcher: &Launcher,
    skip: &mut Vec<PathBuf>,
    errors: &mut Vec<LoadError>,
) -> Result<(WorkerProcess, Loaded), PoolStartError> {
    loop {
        match launcher.launch(skip).await {
            Ok(started) => return Ok(started),
            Err(LaunchFailure::File { path, timed_out, how }) if skip.len() < BAD_FILES_MAX => {
                let file = path
                    .strip_prefix(&launcher.init.repo_root)
                    .unwrap_or(&path)
                    .to_owned();
                let kind = if timed_out {
                    LoadErrorKind::TimedOut
                } else {
                    LoadErrorKind::Died
                };
                errors.push(LoadError {
                    file,
                    line: 0,
                    kind,
                    message: how,
                    traceback: String::new(),
                });
                skip.push(path);
            }
            Err(LaunchFailure::File { path, how, .. }) => {
                return Err(PoolStartError::Worker {
                    reason: format!("{}: {how}", path.display()),
                });
            }
            Err(LaunchFailure::Other(reason)) => return Err(PoolStartError::Worker { reason }),
        }
    }
}

fn report(loaded: Loaded, mut errors: Vec<LoadError>) -> Result<LoadReport, PoolStartError> {
    errors.extend(loaded.errors.into_iter().map(LoadError::from));
    let rules: Vec<RuleInfo> = loaded.rules.into_iter().map(RuleInfo::from).collect();
    let rules = RuleSet::new(rules).map_err(|error| PoolStartError::Worker {
        reason: error.to_string(),
    })?;
    Ok(LoadReport {
        rules: Arc::new(rules),
        publishers: loaded.publishers,
        errors,
        warnings: loaded.warnings.into_iter().map(Into::into).collect(),
        python_version: loaded.python,
    })
}
