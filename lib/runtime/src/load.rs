//! From the user's files to an engine.

use std::sync::Arc;

use streamalert_detect::RuleSet;
use streamalert_native::cx::Limits;
use streamalert_native::engine::Engine;
use streamalert_native::export::Export;
use streamalert_native::lower;
use streamalert_python::{ExportCache, LoadReport, PoolStartError};

use crate::RuntimeOptions;

/// A runtime that did not start, or a rule set that did not load.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Python could not be run, or not load the files.
    #[error(transparent)]
    Python(#[from] PoolStartError),
    /// What loading found cannot be compiled.
    #[error("rules cannot be compiled: {reason}")]
    Compile {
        /// Why, in one line.
        reason: String,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What was loaded.
pub(crate) struct Loaded {
    pub(crate) report: LoadReport,
    /// `None` when native evaluation is switched off.
    pub(crate) engine: Option<Arc<Engine>>,
}

pub(crate) async fn load(options: &RuntimeOptions) -> Result<Loaded, StartError> {
    let cache = options.cache_dir.as_ref().map(ExportCache::new);
    let (report, export) = streamalert_python::export(&options.python, cache.as_ref()).await?;
    if !options.native {
        return Ok(Loaded { report, engine: None });
    }
    let rules = report.rules.clone();
    let limits = options.limits;
    // Thousands of rules take a second or so: not on a thread that others wait for. The compiler goes into nested
    // code, so it has a stack of its own.
    let json = export.json.clone();
    let compiled = tokio::task::spawn_blocking(move || compile(&json, rules, limits)).await;
    let engine = compiled.map_err(|error| StartError::Compile {
        reason: error.to_string(),
    })??;
    Ok(Loaded {
        report,
        engine: Some(Arc::new(engine)),
    })
}

/// Compiles the document that `streamalert_python::export` answers.
///
/// # Errors
/// [`StartError::Compile`] when it is not one.
pub fn compile(json: &[u8], rules: Arc<RuleSet>, limits: Limits) -> Result<Engine, StartError> {
    let failed = |reason: String| StartError::Compile { reason };
    let export: Export = serde_json::from_slice(json).map_err(|error| failed(error.to_string()))?;
    let program = lower::compile(&export).map_err(|error| failed(error.to_string()))?;
    Ok(Engine::new(program, rules, limits))
}
