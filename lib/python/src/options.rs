use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::StrikePolicy;
use streamalert_types::{Clock, SystemClock};

/// What a pool of Python workers is started with.
#[derive(Clone)]
pub struct PoolOptions {
    /// An executable, or the directory of a virtual environment. `None`: `$VIRTUAL_ENV`, then `python3` and
    /// `python` on the path.
    pub interpreter: Option<PathBuf>,
    /// Worker processes that evaluate, one per core; a warm spare comes on top.
    pub workers: usize,
    /// The root of the user's repository: user code imports as if run from there.
    pub repo_root: PathBuf,
    /// Folders whose Python files hold rules, absolute or relative to `repo_root`.
    pub rule_dirs: Vec<PathBuf>,
    /// Folders whose Python files hold matchers.
    pub matcher_dirs: Vec<PathBuf>,
    /// Folders whose Python files hold publishers.
    pub publisher_dirs: Vec<PathBuf>,
    /// The `conf` directory that user code sees through `load_config()`; `None`: `conf` under `repo_root`.
    pub conf_dir: Option<PathBuf>,
    /// JSON files, one dictionary each, that stand in for lookup tables by name. They win over
    /// `lookup_tables.json`.
    pub lookup_tables: BTreeMap<String, PathBuf>,
    /// Limits on user code and on this pool.
    pub limits: Limits,
    /// Where "now" comes from, for strikes.
    pub clock: Arc<dyn Clock>,
}

impl PoolOptions {
    /// Two workers over `rules`, `matchers` and `publishers` under `repo_root`, as far as they exist.
    #[must_use]
    pub fn for_repo(repo_root: impl Into<PathBuf>) -> Self {
        let repo_root = repo_root.into();
        let dir = |name: &str| {
            Some(PathBuf::from(name))
                .filter(|_| repo_root.join(name).is_dir())
                .into_iter()
                .collect()
        };
        Self {
            interpreter: None,
            workers: 2,
            rule_dirs: dir("rules"),
            matcher_dirs: dir("matchers"),
            publisher_dirs: dir("publishers"),
            conf_dir: None,
            lookup_tables: BTreeMap::new(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            repo_root,
        }
    }
}

/// Limits on user code and on the pool's queues.
#[derive(Debug, Clone)]
pub struct Limits {
    /// One rule on one record, matchers and dynamic outputs included. Computing time, or waiting time when the
    /// rule waits; time in which the machine was too busy to run it does not count (up to a factor of 20).
    pub evaluation: Duration,
    /// One slice of a batch. A slice over it is cut short and the rest follows in a further slice; a rule that
    /// took most of it gets a strike.
    pub slice: Duration,
    /// One publisher chain on one alert.
    pub publish: Duration,
    /// Importing one file. User code may compile tables there, so it is generous.
    pub load: Duration,
    /// Address space of a worker process, in bytes; 0 = unlimited.
    pub memory_bytes: u64,
    /// Open files of a worker process.
    pub open_files: u64,
    /// Largest file that user code may write, in bytes; 0 = unlimited.
    pub file_bytes: u64,
    /// Whether user code may use the network. Without, a worker lives in a network namespace of its own, and opening
    /// a socket is a `PermissionError`. Where the system refuses the namespace the load report has a warning, and
    /// only the second holds.
    pub network: bool,
    /// Whether user code may start processes.
    pub allow_processes: bool,
    /// Records of one slice. More gives less overhead, fewer gives earlier answers.
    pub batch_records_max: usize,
    /// Bytes of one slice beyond its first record.
    pub batch_bytes_max: usize,
    /// Slices that wait for a worker. A caller beyond waits, which is how backpressure reaches the source.
    pub queue_slices_max: usize,
    /// Bytes of slices that wait or are being evaluated.
    pub queue_bytes_max: usize,
    /// Lines per second and worker that user code may print into our log; more are counted and dropped.
    pub print_lines_per_sec_max: u32,
    /// When a rule over its limits is suspended.
    pub strikes: StrikePolicy,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            evaluation: Duration::from_millis(100),
            slice: Duration::from_secs(1),
            publish: Duration::from_secs(1),
            load: Duration::from_secs(30),
            memory_bytes: 512 << 20,
            open_files: 128,
            file_bytes: 64 << 20,
            network: true,
            allow_processes: false,
            batch_records_max: 256,
            batch_bytes_max: 4 << 20,
            queue_slices_max: 16,
            queue_bytes_max: 64 << 20,
            print_lines_per_sec_max: 20,
            strikes: StrikePolicy::default(),
        }
    }
}
