//! Python rules and publishers, unmodified, in CPython worker processes.
//!
//! A [`PythonPool`] keeps worker processes that import the user's files over a `streamalert` package of ours
//! (embedded in this crate), and implements [`streamalert_detect::RuleRuntime`]. A rule that loops, eats memory,
//! ends its process or floods its output costs one worker process and its own outcome, nothing else.
//!
//! Invariant: user code never runs in this process.

mod batch;
mod evaluate;
pub mod export;
mod frame;
mod interpreter;
mod load;
mod marshal;
mod options;
mod pool;
mod process;
mod publish;
mod queue;
mod shim;
mod slot;
mod spawner;
mod start;
mod stubs;
mod watchdog;

pub use batch::PairRecord;
pub use export::{Export, ExportCache, export};
pub use interpreter::{Interpreter, InterpreterError, find_interpreter};
pub use load::{LoadError, LoadErrorKind, LoadReport, LoadWarning};
pub use options::{Limits, PoolOptions};
pub use pool::{PoolHealth, PythonPool};
pub use publish::{Publication, PublishError};
pub use shim::materialise as write_python_files;
pub use start::PoolStartError;
pub use stubs::stubs;
