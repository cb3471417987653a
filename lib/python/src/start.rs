use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use streamalert_detect::{RuleIndex, RuleInfo, RuleSet};
use tokio::sync::mpsc;

use crate::load::Loaded;
use crate::process::{InitMessage, LaunchFailure, Launcher, WorkerProcess};
use crate::spawner::Spawner;
use crate::{InterpreterError, LoadError, LoadErrorKind, LoadReport, PoolOptions, frame, shim};

/// Files that may hang or kill the worker at import before loading is given up.
const BAD_FILES_MAX: usize = 32;

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

/// Starts further processes over the same files.
pub(crate) struct Starter {
    pub(crate) launcher: Arc<Launcher>,
    /// Files that hang or end the process at import.
    pub(crate) skip: Vec<PathBuf>,
    pub(crate) rules: Arc<RuleSet>,
}

impl Starter {
    pub(crate) async fn start(&self) -> Result<WorkerProcess, String> {
        match self.launcher.launch(&self.skip).await {
            Ok((process, loaded)) => self.bind(process, Some(loaded)).await,
            Err(LaunchFailure::File { path, how, .. }) => Err(format!("{}: {how}", path.display())),
            Err(LaunchFailure::Other(reason)) => Err(reason),
        }
    }

    /// Tells the process the order of the pool's rules, and notes those it lacks.
    pub(crate) async fn bind(
        &self,
        mut process: WorkerProcess,
        loaded: Option<Loaded>,
    ) -> Result<WorkerProcess, String> {
        if let Some(loaded) = loaded {
            let found: Vec<RuleInfo> = loaded.rules.into_iter().map(RuleInfo::from).collect();
            let names: HashSet<&str> = found.iter().map(|rule| &*rule.name).collect();
            process.missing = (0_u32..)
                .map(RuleIndex)
                .zip(self.rules.rules())
                .filter(|(_, rule)| !names.contains(&*rule.name))
                .map(|(index, _)| index)
                .collect();
            if RuleSet::new(found)
                .ok()
                .is_none_or(|found| found.version() != self.rules.version())
            {
                tracing::warn!("rule files are others than those that this worker is to run");
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
pub(crate) async fn keep_spare(starter: Arc<Starter>, spares: mpsc::Sender<WorkerProcess>) {
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

pub(crate) async fn launcher(options: PoolOptions) -> Result<Launcher, PoolStartError> {
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
        file_bytes: limits.file_bytes,
        network: limits.network,
        allow_processes: limits.allow_processes,
        export: false,
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
pub(crate) async fn first_process(
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

pub(crate) fn report(loaded: Loaded, mut errors: Vec<LoadError>) -> Result<LoadReport, PoolStartError> {
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
