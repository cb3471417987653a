//! Rules in production: native evaluation on threads of its own, CPython workers for the pairs that fall back, strikes
//! against rules that are over a limit, statistics, and reload of a whole rule set at once.
//!
//! A [`Runtime`] holds one [`Generation`] at a time: rules, compiled program and workers that belong together. Whoever
//! evaluates takes the generation of the moment and stays with it, so that a reload never mixes two rule sets.

mod draft;
mod fallback;
mod generation;
mod load;
mod options;
mod runtime;
mod statistics;
mod threads;
mod verdict;
mod without_python;

pub use draft::{Drafts, Reach};
pub use generation::{Generation, Health};
pub use load::{StartError, compile};
pub use options::RuntimeOptions;
pub use runtime::{ReloadReport, Runtime};
pub use statistics::{Departed, RuleStatistics, SlowRule, Statistics};
