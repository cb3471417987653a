//! From the user's files to an engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamalert_detect::RuleSet;
use streamalert_native::cx::Limits;
use streamalert_native::engine::Engine;
use streamalert_native::export::Export;
use streamalert_native::lower;
use streamalert_python::{ExportCache, LoadReport, PoolStartError};

use crate::{RuntimeOptions, without_python};

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
    /// A reload that would lose rules.
    #[error("the rules that run are kept: {reason}")]
    Kept {
        /// What does not load, with file and line.
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
    /// Another one when anything that rules are made of is.
    pub(crate) fingerprint: blake3::Hash,
    /// Why there is no CPython to fall back to.
    pub(crate) no_python: Option<String>,
}

/// Nested source, and whatever its author nested in it, is read and compiled on a stack of this size.
const STACK_BYTES: usize = 256 << 20;

pub(crate) async fn load(options: &RuntimeOptions) -> Result<Loaded, StartError> {
    let cache = options.cache_dir.as_ref().map(ExportCache::new);
    let (report, export) = match streamalert_python::export(&options.python, cache.as_ref()).await {
        Err(PoolStartError::Interpreter(error)) if options.native => {
            return load_without_python(options, error.to_string()).await;
        }
        exported => exported?,
    };
    let fingerprint = blake3::hash(&export.json);
    let engine = if options.native {
        let rules = report.rules.clone();
        let limits = options.limits;
        Some(Arc::new(
            apart(move || compile(&export.json, rules, limits)).await??,
        ))
    } else {
        None
    };
    Ok(Loaded {
        report,
        engine,
        fingerprint,
        no_python: None,
    })
}

async fn load_without_python(options: &RuntimeOptions, why: String) -> Result<Loaded, StartError> {
    tracing::warn!(
        reason = %why,
        "no python: rules are loaded natively, and records on which one of them needs python become dead letters"
    );
    let (python, limits) = (options.python.clone(), options.limits);
    apart(move || built(without_python::load(&python)?, limits, why)).await?
}

/// Loads these files and what they import without Python, whether there is one or not.
pub(crate) async fn load_texts(
    texts: Arc<BTreeMap<String, String>>,
    wanted: Vec<String>,
    python: (u8, u8, u8),
    limits: Limits,
) -> Result<Loaded, StartError> {
    let why = "these rules were loaded without python".to_owned();
    apart(move || built(without_python::loaded(&texts, &wanted, python)?, limits, why)).await?
}

fn built(found: without_python::Found, limits: Limits, why: String) -> Result<Loaded, StartError> {
    let rules = found.report.rules.clone();
    let engine = build(&found.export, rules, limits)?;
    Ok(Loaded {
        report: found.report,
        engine: Some(Arc::new(engine)),
        fingerprint: found.fingerprint,
        no_python: Some(why),
    })
}

/// Runs something that takes a second or so and much stack, on a thread of its own.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("rules-compile".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            // Nobody waits any more when the caller was dropped.
            let _ = reply.send(work());
        })?;
    answer.await.map_err(|_| StartError::Compile {
        reason: "the compiler failed, please report this".to_owned(),
    })
}

/// Compiles the document that `streamalert_python::export` answers.
///
/// # Errors
/// [`StartError::Compile`] when it is not one.
pub fn compile(json: &[u8], rules: Arc<RuleSet>, limits: Limits) -> Result<Engine, StartError> {
    let export: Export = serde_json::from_slice(json).map_err(|error| StartError::Compile {
        reason: error.to_string(),
    })?;
    build(&export, rules, limits)
}

fn build(export: &Export, rules: Arc<RuleSet>, limits: Limits) -> Result<Engine, StartError> {
    let program = lower::compile(export).map_err(|error| StartError::Compile {
        reason: error.to_string(),
    })?;
    Ok(Engine::new(program, rules, limits))
}
