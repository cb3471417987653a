use std::path::PathBuf;

use streamalert_native::cx::Limits;
use streamalert_python::PoolOptions;

/// What a runtime is started with.
#[derive(Clone)]
pub struct RuntimeOptions {
    /// Where the user's files are, and the limits on CPython workers.
    pub python: PoolOptions,
    /// Folder for what loading found, so that the next start needs no Python; `None`: load afresh each time.
    pub cache_dir: Option<PathBuf>,
    /// Whether to evaluate natively; otherwise every pair goes to CPython.
    pub native: bool,
    /// Threads of native evaluation, one per core.
    pub threads: usize,
    /// Limits on one (event, rule) pair.
    pub limits: Limits,
    /// Records evaluated in one go on one thread: large enough that handing over costs nothing, small enough that a
    /// batch spreads over the threads.
    pub slice_records_max: usize,
    /// Slices that wait for a thread. Beyond it callers wait, which holds back the source.
    pub queue_slices_max: usize,
    /// One event in so many is timed, rule by rule; 0 = none.
    pub time_every: u32,
}

impl RuntimeOptions {
    /// Native evaluation on every core, with these workers for what falls back.
    #[must_use]
    pub fn new(python: PoolOptions) -> Self {
        Self {
            threads: python.workers.max(1),
            python,
            cache_dir: None,
            native: true,
            limits: Limits::default(),
            slice_records_max: 256,
            queue_slices_max: 64,
            time_every: 64,
        }
    }
}
