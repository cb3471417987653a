use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use streamalert_detect::{
    DEFAULT_PUBLISHER, EvaluateOptions, RecordOutcome, RuleRuntime, RuleSet, RuntimeError, output_dict,
    publisher_names,
};
use streamalert_python::{LoadReport, Publication, PublishError};
use streamalert_types::{Alert, OutputName, Record};
use streamalert_value::Value;

use crate::generation::{Fixed, tables, with_tables};
use crate::load::{Loaded, load};
use crate::threads::Threads;
use crate::{Generation, Health, RuntimeOptions, StartError};

/// What a reload came to.
#[derive(Debug, Clone)]
pub struct ReloadReport {
    /// What loading said.
    pub report: LoadReport,
    /// Version of the rule set that runs now.
    pub version: Arc<str>,
    /// Whether it is another one than before.
    pub changed: bool,
    /// Rules that came, went, or whose code or options are others.
    pub rules_changed: Vec<Arc<str>>,
}

/// How often files are loaded for one reload, when they change meanwhile.
const LOADS_MAX: u32 = 4;

struct Inner {
    options: RuntimeOptions,
    threads: Threads,
    current: RwLock<Arc<Generation>>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
    reload_failure: Mutex<Option<String>>,
}

/// Evaluates rules. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

impl Runtime {
    /// Loads and compiles the user's files. Files that do not load are in the report; the others run.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(options: RuntimeOptions) -> Result<(Self, LoadReport), StartError> {
        let threads = Threads::start(
            options.threads,
            options.queue_slices_max,
            &options.python.clock,
            options.time_every,
        )?;
        let generation = make(&options, &threads).await?;
        let report = generation.report().clone();
        let inner = Inner {
            options,
            threads,
            current: RwLock::new(Arc::new(generation)),
            reloading: tokio::sync::Mutex::new(()),
            reload_failure: Mutex::new(None),
        };
        Ok((
            Self {
                inner: Arc::new(inner),
            },
            report,
        ))
    }

    /// The rule set of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Generation> {
        self.inner
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A runtime of other rules on the same threads, with the same lookup tables.
    pub(crate) fn beside(&self, loaded: Loaded) -> (Self, LoadReport) {
        let options = self.inner.options.clone();
        let threads = self.inner.threads.clone();
        let tables = self.current().tables().clone();
        let generation = Generation::new(loaded, tables, threads.clone(), options.clone());
        let report = generation.report().clone();
        let inner = Inner {
            options,
            threads,
            current: RwLock::new(Arc::new(generation)),
            reloading: tokio::sync::Mutex::new(()),
            reload_failure: Mutex::new(None),
        };
        let runtime = Self {
            inner: Arc::new(inner),
        };
        (runtime, report)
    }

    pub(crate) fn options(&self) -> &RuntimeOptions {
        &self.inner.options
    }

    /// Starts the workers for what falls back, if anything may, without waiting for them: the first record that needs
    /// one need not wait, and they load the files that are there now.
    pub fn warm(&self) {
        let generation = self.current();
        if !generation.wants_workers() {
            return;
        }
        tokio::spawn(async move {
            if let Err(error) = generation.pool().await {
                tracing::error!(%error, "python workers did not start");
            }
        });
    }

    /// [`Runtime::reload_if`] with nothing more to check.
    ///
    /// # Errors
    /// See [`StartError`]; the old rule set keeps running.
    pub async fn reload(&self) -> Result<ReloadReport, StartError> {
        self.reload_if(|_| Ok(())).await
    }

    /// Loads the files again and, when anything is different, puts the new rule set in the place of the old one, all
    /// at once: batches that are being evaluated end with the old one. Nothing changes when a file does not load that
    /// loaded before, when no rule is left, or when `accept` says why not. What came of it is in [`Runtime::health`]
    /// until the next reload.
    ///
    /// # Errors
    /// See [`StartError`]; the old rule set keeps running.
    pub async fn reload_if(
        &self,
        accept: impl Fn(&LoadReport) -> Result<(), String> + Send + Sync,
    ) -> Result<ReloadReport, StartError> {
        let _one = self.inner.reloading.lock().await;
        let reloaded = self.try_reload(accept).await;
        let failure = reloaded.as_ref().err().map(ToString::to_string);
        *self
            .inner
            .reload_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = failure;
        reloaded
    }

    async fn try_reload(
        &self,
        accept: impl Fn(&LoadReport) -> Result<(), String> + Send + Sync,
    ) -> Result<ReloadReport, StartError> {
        let before = self.current();
        let mut next = self.next(&before, accept).await?;
        let report = next.report().clone();
        let changed = !next.is_same(&before);
        if changed {
            next.take_over(&before);
            // The old one ends, its workers with it, when the last batch is through.
            *self.inner.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        }
        Ok(ReloadReport {
            version: report.rules.version().clone(),
            rules_changed: rules_changed(&before.report().rules, &report.rules),
            report,
            changed,
        })
    }

    /// The rule set that the files are now, with its workers: they are up before the first pair needs them, as a reload
    /// must not show. Workers load the files again; where these have changed meanwhile, the newer ones are taken.
    async fn next(
        &self,
        before: &Generation,
        accept: impl Fn(&LoadReport) -> Result<(), String> + Send + Sync,
    ) -> Result<Generation, StartError> {
        let (options, threads) = (&self.inner.options, &self.inner.threads);
        let mut next = make(options, threads).await?;
        let mut loads = 1;
        loop {
            keeps_all(before.report(), next.report())?;
            accept(next.report()).map_err(|reason| StartError::Kept { reason })?;
            if next.is_same(before) || !next.wants_workers() {
                return Ok(next);
            }
            let Err(RuntimeError::Unavailable { reason }) = next.pool().await else {
                return Ok(next);
            };
            let newer = make(options, threads).await?;
            if loads == LOADS_MAX || newer.is_same(&next) {
                return Err(StartError::Kept { reason });
            }
            next = newer;
            loads += 1;
        }
    }

    /// Runs the publishers that `alert` names for `output`, in a CPython worker.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish(&self, alert: &Alert, output: &OutputName) -> Result<Publication, PublishError> {
        let generation = self.current();
        let plain = publisher_names(alert, output)
            .iter()
            .all(|name| name == DEFAULT_PUBLISHER);
        if plain || generation.without_python() {
            return Ok(Publication {
                value: output_dict(alert).ok_or(PublishError::BadRecord)?,
                fallback: (!plain).then(|| "publishers need python, which is not there".to_owned()),
            });
        }
        match generation.pool().await {
            Ok(pool) => pool.publish(alert, output).await,
            Err(RuntimeError::Unavailable { reason }) => Err(PublishError::Unavailable { reason }),
        }
    }

    /// Runs publishers of the user by name on what those before them made, in a CPython worker;
    /// [`streamalert_python::PythonPool::publish_by`].
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish_by(
        &self,
        alert: &Alert,
        names: &[String],
        made: Option<&Value>,
    ) -> Result<Publication, PublishError> {
        let generation = self.current();
        if generation.without_python() {
            return Ok(Publication {
                value: output_dict(alert).ok_or(PublishError::BadRecord)?,
                fallback: Some(format!(
                    "publishers need python, which is not there: {}",
                    names.join(", ")
                )),
            });
        }
        match generation.pool().await {
            Ok(pool) => pool.publish_by(alert, names, made).await,
            Err(RuntimeError::Unavailable { reason }) => Err(PublishError::Unavailable { reason }),
        }
    }

    /// Whether the user has a publisher of this name.
    #[must_use]
    pub fn has_publisher(&self, name: &str) -> bool {
        let generation = self.current();
        generation.report().publishers.iter().any(|known| known == name)
    }

    /// Slices of batches that wait for a thread of native evaluation.
    #[must_use]
    pub fn queued_slices(&self) -> usize {
        self.inner.threads.queued()
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let failure = &self.inner.reload_failure;
        Health {
            reload_failure: failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..self.current().health()
        }
    }

    /// Ends the workers after what is queued. Later calls that need one answer `Unavailable`.
    pub async fn shutdown(&self) {
        self.current().shutdown().await;
    }
}

async fn make(options: &RuntimeOptions, threads: &Threads) -> Result<Generation, StartError> {
    let mut loaded = load(options).await?;
    let tables = tables(options).await?;
    loaded.fingerprint = with_tables(loaded.fingerprint, &tables);
    Ok(Generation::new(
        loaded,
        Arc::new(tables),
        threads.clone(),
        options.clone(),
    ))
}

/// Whether every file that loaded before does so now.
fn keeps_all(before: &LoadReport, now: &LoadReport) -> Result<(), StartError> {
    let known: HashSet<_> = before.errors.iter().map(|error| &error.file).collect();
    let new = now.errors.iter().filter(|error| !known.contains(&error.file));
    let mut reasons: Vec<String> = new.map(ToString::to_string).collect();
    if reasons.is_empty() && now.rules.rules().is_empty() && !before.rules.rules().is_empty() {
        reasons.push("no rule is left".to_owned());
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(StartError::Kept {
        reason: reasons.join("; "),
    })
}

fn rules_changed(before: &RuleSet, now: &RuleSet) -> Vec<Arc<str>> {
    let gone = before
        .rules()
        .iter()
        .filter(|rule| now.find(&rule.name).is_none());
    let other = now
        .rules()
        .iter()
        .filter(|rule| before.find(&rule.name).is_none_or(|(_, old)| **old != ***rule));
    gone.chain(other).map(|rule| rule.name.clone()).collect()
}

#[async_trait]
impl RuleRuntime for Runtime {
    fn rules(&self) -> Arc<RuleSet> {
        self.current().report().rules.clone()
    }

    fn fixed(&self) -> Option<Arc<dyn RuleRuntime>> {
        Some(Arc::new(Fixed(self.current())))
    }

    async fn evaluate(
        &self,
        records: Vec<Record>,
        options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        Fixed(self.current()).evaluate(records, options).await
    }
}
