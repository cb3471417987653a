use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamalert_detect::{
    DEFAULT_PUBLISHER, RuleIndex, RuleSet, RuntimeError, StrikeEffect, Strikes, Suspension, alert_item,
    output_dict, publisher_names,
};
use streamalert_types::{Alert, Clock, OutputName};
use streamalert_value::Value;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::process::WorkerProcess;
use crate::queue::{Closed, Queue};
use crate::slot::{Job, PublishJob, Slot, watch_period};
use crate::start::{PoolStartError, Starter, first_process, keep_spare, launcher, report};
use crate::{Limits, LoadReport, PoolOptions, Publication, PublishError};

/// How long a slot waits for a process when none can be started, before its callers are told.
const PROCESS_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long queued slices may keep a pool that ends. The limits on user code end all but a long queue before;
/// what is left then is refused, which callers may try again.
const SHUTDOWN_MAX: Duration = Duration::from_secs(30);

/// A killed process is gone within this time, or it hangs in the kernel and is left behind.
const KILL_MAX: Duration = Duration::from_secs(5);

/// Why a call is refused, or not answered, at the end.
pub(crate) const SHUTTING_DOWN: &str = "the pool is shutting down";

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

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Arc<Queue<Job>>,
    /// Bytes of slices that may wait or be evaluated.
    pub(crate) bytes: Arc<Semaphore>,
    tasks: tokio::sync::Mutex<Tasks>,
    /// Holds the shim. Taken when it is removed.
    dir: Mutex<Option<PathBuf>>,
}

struct Tasks {
    slots: JoinSet<()>,
    /// The one task that starts spare processes; it owns the launcher.
    spare: JoinSet<()>,
}

impl Inner {
    /// The folder goes with the last user of the launcher at the latest; but that is a task, and the runtime may
    /// end before it.
    fn remove_dir(&self) {
        let dir = self.dir.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(dir) = dir
            && let Err(error) = std::fs::remove_dir_all(&dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(dir = %dir.display(), %error, "temporary folder of the python workers is left behind");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.remove_dir();
    }
}

/// A pool of CPython worker processes. Clones share it; the last one dropped ends the processes.
///
/// **Sharing.** A batch of records holds a worker for one exchange at a time: [`Limits::slice`], or one evaluation
/// over its limit and the replacement of the process. What is left of it then waits behind others, and all workers
/// but one work on such left-overs (a single one takes them in turn with fresh batches). So each batch with a slow
/// rule delays those behind it by one exchange of one worker, and the rule is suspended after so many strikes.
///
/// **Reload.** Pools share nothing: each has its own folder and at most [`PoolOptions::workers`] processes and a
/// spare one. A second pool may be started while the first works; [`shutdown`](Self::shutdown) of the first then
/// ends it when the calls that have begun are answered.
#[derive(Clone)]
pub struct PythonPool {
    pub(crate) inner: Arc<Inner>,
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
            match started.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(process) => processes.push(process),
                Err(reason) => {
                    // They hold the launcher, and with it the folder that must not be left behind.
                    starting.shutdown().await;
                    return Err(PoolStartError::Worker { reason });
                }
            }
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
        let (queue, seats) = Queue::new(processes.len(), limits.queue_slices_max);
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
        let dir = Mutex::new(Some(starter.launcher.dir.path().to_owned()));
        let mut slots = JoinSet::new();
        for (process, seat) in processes.into_iter().zip(seats) {
            slots.spawn(Slot::new(shared.clone(), Some(process), seat).run());
        }
        // Apart from the slots, which may need a spare to work off the queue.
        let mut spare = JoinSet::new();
        spare.spawn(keep_spare(starter, spares));
        let bytes = Arc::new(Semaphore::new(
            shared.limits.queue_bytes_max.clamp(1, u32::MAX as usize),
        ));
        let tasks = tokio::sync::Mutex::new(Tasks { slots, spare });
        Self {
            inner: Arc::new(Inner {
                shared,
                queue,
                bytes,
                tasks,
                dir,
            }),
        }
    }

    /// Runs the publishers that `alert` names for `output`. When they fail, or take too long, the plain output
    /// dictionary stands in and the reason is told and logged: an alert never waits for its decoration.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish(&self, alert: &Alert, output: &OutputName) -> Result<Publication, PublishError> {
        let names = publisher_names(alert, output);
        if names.iter().all(|name| name == DEFAULT_PUBLISHER) {
            return Ok(Publication {
                value: output_dict(alert).ok_or(PublishError::BadRecord)?,
                fallback: None,
            });
        }
        self.publish_by(alert, &names, None).await
    }

    /// Runs the publishers of these names, one after the other, on `made`: what those before them made, `None` when they
    /// are the first. When they fail, the plain output dictionary stands in as in [`Self::publish`].
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish_by(
        &self,
        alert: &Alert,
        names: &[String],
        made: Option<&Value>,
    ) -> Result<Publication, PublishError> {
        let plain = || output_dict(alert).ok_or(PublishError::BadRecord);
        let (reply, answer) = oneshot::channel();
        let job = Job::Publish(PublishJob {
            request: request(alert, names, made),
            reply,
        });
        let unavailable = || PublishError::Unavailable {
            reason: SHUTTING_DOWN.into(),
        };
        let caller = self.inner.queue.enter().map_err(|Closed| unavailable())?;
        caller.put(job).await.map_err(|Closed| unavailable())?;
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
                tracing::warn!(rule = %alert.rule_name, %reason, "publishers failed, sending the alert plain");
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

    /// Ends the workers after the calls that have begun, within half a minute, and removes their temporary folder,
    /// whatever clones of the pool remain. Later calls answer `Unavailable`.
    pub async fn shutdown(&self) {
        self.inner.queue.close();
        let mut tasks = self.inner.tasks.lock().await;
        let queued = async { while tasks.slots.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_MAX, queued).await.is_err() {
            tracing::warn!("python workers do not get done with what is queued, the rest is refused");
            tasks.slots.shutdown().await;
        }
        tasks.spare.shutdown().await;
        let mut spares = self.inner.shared.spares.lock().await;
        while let Ok(mut process) = spares.try_recv() {
            let _ = tokio::time::timeout(KILL_MAX, process.kill()).await;
        }
        self.inner.remove_dir();
    }
}

/// What a worker is asked to publish.
fn request(alert: &Alert, names: &[String], made: Option<&Value>) -> String {
    let names = names.iter().map(|name| Value::Str(name.clone())).collect();
    let fields = [
        ("alert", alert_item(alert)),
        ("names", Value::List(names)),
        ("publication", made.cloned().unwrap_or_default()),
    ];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Map(fields.collect()).to_json()
}
