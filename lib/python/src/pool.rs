use std::sync::Arc;

use async_trait::async_trait;
use streamalert_detect::{
    EvaluateOptions, RecordOutcome, RuleRuntime, RuleSet, RuntimeError, Suspension, output_dict, publisher_names,
};
use streamalert_types::{Alert, OutputName, Record};

use crate::{InterpreterError, LoadReport, PoolOptions, Publication, PublishError};

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

/// A pool of CPython worker processes. Clones share it; the last one dropped ends the processes.
#[derive(Clone)]
pub struct PythonPool {
    rules: Arc<RuleSet>,
}

impl PythonPool {
    /// Starts the workers and loads the user's files. Files that do not load are in the report; the pool runs
    /// with the others.
    ///
    /// # Errors
    /// See [`PoolStartError`].
    pub async fn start(options: PoolOptions) -> Result<(Self, LoadReport), PoolStartError> {
        let interpreter = crate::find_interpreter(options.interpreter.as_deref()).await?;
        Err(PoolStartError::Worker { reason: format!("not built yet, python {:?}", interpreter.version) })
    }

    /// Runs the publishers that `alert` names for `output`. When they fail, or take too long, the plain output
    /// dictionary stands in and the reason is told and logged: an alert never waits for its decoration.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish(&self, alert: &Alert, output: &OutputName) -> Result<Publication, PublishError> {
        let _names = publisher_names(alert, output);
        let value = output_dict(alert).ok_or(PublishError::BadRecord)?;
        Ok(Publication { value, fallback: None })
    }

    /// How the pool is doing.
    #[must_use]
    pub fn health(&self) -> PoolHealth {
        PoolHealth::default()
    }

    /// Ends the workers after the slices in progress. Later calls answer `Unavailable`.
    pub async fn shutdown(&self) {}
}

#[async_trait]
impl RuleRuntime for PythonPool {
    fn rules(&self) -> Arc<RuleSet> {
        self.rules.clone()
    }

    async fn evaluate(
        &self,
        records: Vec<Record>,
        _options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        Ok(records.into_iter().map(|record| RecordOutcome { record, results: Vec::new() }).collect())
    }
}
