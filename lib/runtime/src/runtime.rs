use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use streamalert_detect::{EvaluateOptions, RecordOutcome, RuleRuntime, RuleSet, RuntimeError};
use streamalert_python::{LoadReport, Publication, PublishError};
use streamalert_types::{Alert, OutputName, Record};

use crate::generation::{Fixed, tables};
use crate::load::load;
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
}

struct Inner {
    options: RuntimeOptions,
    threads: Threads,
    current: RwLock<Arc<Generation>>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
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

    /// Loads the files again and, when the rules are others, puts the new rule set in the place of the old one, all
    /// at once: batches that are being evaluated end with the old one. Nothing changes when a file does not load that
    /// loaded before, or no file loads.
    ///
    /// # Errors
    /// See [`StartError`]; the old rule set keeps running.
    pub async fn reload(&self) -> Result<ReloadReport, StartError> {
        let _one = self.inner.reloading.lock().await;
        let next = make(&self.inner.options, &self.inner.threads).await?;
        let before = self.current();
        let report = next.report().clone();
        let version = report.rules.version().clone();
        let changed = version != *before.report().rules.version();
        let worse = report.errors.len() > before.report().errors.len();
        if worse || report.rules.rules().is_empty() && !before.report().rules.rules().is_empty() {
            let reasons: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
            return Err(StartError::Compile {
                reason: format!("the rules that run are kept: {}", reasons.join("; ")),
            });
        }
        if changed {
            // Workers are up before the first pair needs them: a reload must not show.
            if next.may_fall_back()
                && let Err(RuntimeError::Unavailable { reason }) = next.pool().await
            {
                return Err(StartError::Compile { reason });
            }
            *self.inner.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
            tokio::spawn(async move { before.shutdown().await });
        }
        Ok(ReloadReport {
            report,
            version,
            changed,
        })
    }

    /// Runs the publishers that `alert` names for `output`, in a CPython worker.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish(&self, alert: &Alert, output: &OutputName) -> Result<Publication, PublishError> {
        let generation = self.current();
        match generation.pool().await {
            Ok(pool) => pool.publish(alert, output).await,
            Err(RuntimeError::Unavailable { reason }) => Err(PublishError::Unavailable { reason }),
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.current().health()
    }

    /// Ends the workers after what is queued. Later calls that need one answer `Unavailable`.
    pub async fn shutdown(&self) {
        self.current().shutdown().await;
    }
}

async fn make(options: &RuntimeOptions, threads: &Threads) -> Result<Generation, StartError> {
    let loaded = load(options).await?;
    let tables = tables(options).await?;
    Ok(Generation::new(
        loaded.report,
        loaded.engine,
        tables,
        threads.clone(),
        options.clone(),
    ))
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
