//! What runs a project's rules and publishers: natively, and in Python workers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::StrikePolicy;
use streamalert_python::{LoadReport, PoolOptions};
use streamalert_runtime::{Runtime, RuntimeOptions};
use streamalert_types::Clock;

use crate::failure::Failure;
use crate::project::Project;

/// Loads the project's rules, matchers and publishers.
pub(crate) async fn start(
    project: &Project,
    workers: Option<usize>,
    clock: Arc<dyn Clock>,
) -> Result<(Runtime, LoadReport), Failure> {
    Runtime::start(runtime_options(project, workers, clock)?)
        .await
        .map_err(|error| Failure::while_doing("cannot run python rules", error))
}

/// What a runtime for this project is started with.
pub(crate) fn runtime_options(
    project: &Project,
    workers: Option<usize>,
    clock: Arc<dyn Clock>,
) -> Result<RuntimeOptions, Failure> {
    let settings = &project.settings;
    let mut options = RuntimeOptions::new(options(project, workers, clock)?);
    options.native = settings.rules.native;
    options.limits.fuel = settings.rules.steps_max;
    options.limits.arena_bytes = usize::try_from(settings.rules.arena_bytes_max).unwrap_or(usize::MAX);
    options.cache_dir = Some(std::path::absolute(settings.data.dir.join("cache/rules"))?);
    Ok(options)
}

/// What a pool for this project is started with.
pub(crate) fn options(
    project: &Project,
    workers: Option<usize>,
    clock: Arc<dyn Clock>,
) -> Result<PoolOptions, Failure> {
    let settings = &project.settings;
    let dirs = project.python_dirs();
    let repo_root = repo_root(&dirs.rules)?;
    let mut options = PoolOptions::for_repo(repo_root);
    let existing = |dirs: Vec<PathBuf>| -> Result<Vec<PathBuf>, Failure> {
        dirs.into_iter()
            .filter(|dir| dir.exists())
            .map(|dir| Ok(dir.canonicalize()?))
            .collect()
    };
    options.rule_dirs = existing(dirs.rules)?;
    options.matcher_dirs = existing(dirs.matchers)?;
    options.publisher_dirs = existing(dirs.publishers)?;
    options.conf_dir = Some(project.conf.dir.canonicalize()?);
    options.interpreter = Some(&settings.python.interpreter)
        .filter(|name| !name.is_empty())
        .map(PathBuf::from);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    options.workers = match (workers, settings.python.workers) {
        (Some(workers), _) => workers,
        (None, 0) => cores,
        (None, workers) => workers,
    };
    options.lookup_tables = settings
        .lookup_tables
        .iter()
        .map(|(name, table)| Ok((name.clone(), std::path::absolute(&table.path)?)))
        .collect::<Result<_, Failure>>()?;
    options.clock = clock;
    let limits = &mut options.limits;
    limits.evaluation = Duration::from_millis(settings.rules.time_limit_ms);
    limits.slice = Duration::from_millis(settings.rules.slice_limit_ms);
    limits.load = Duration::from_millis(settings.python.import_limit_ms);
    limits.memory_bytes = settings.python.memory_bytes_max;
    limits.allow_processes = settings.python.allow_subprocess;
    limits.network = settings.python.network;
    limits.file_bytes = settings.python.file_bytes_max;
    limits.batch_records_max = settings.python.batch_records_max;
    limits.strikes = StrikePolicy {
        strikes_max: settings.rules.strikes_max,
        suspend_for: Duration::from_secs(settings.rules.suspend_secs),
        ..StrikePolicy::default()
    };
    Ok(options)
}

/// The folder that user code imports from: the one that holds `rules`, since rules say `from rules.helpers …`.
pub(crate) fn repo_root(rule_dirs: &[PathBuf]) -> Result<PathBuf, Failure> {
    for dir in rule_dirs.iter().filter(|dir| dir.exists()) {
        let dir = dir.canonicalize()?;
        let named_rules = dir
            .ancestors()
            .find(|folder| folder.file_name().is_some_and(|name| name == "rules"));
        if let Some(root) = named_rules.and_then(Path::parent).or_else(|| dir.parent()) {
            return Ok(root.to_owned());
        }
    }
    Ok(std::env::current_dir()?)
}
