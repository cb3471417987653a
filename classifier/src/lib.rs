//! The classifier: takes payloads from sources, finds their log type, and owes every source an acknowledgement
//! that it gives only when all alerts and dead letters that came of a payload are durable.

mod ledger;
mod service;
mod stats;
mod taker;
mod traces;

pub use ledger::{BatchLimits, Effect, Event, Ledger, PayloadKey};
pub use service::{Classifier, ClassifierOptions, ClassifierParts, ClassifierTask, SourceEnd};
pub use stats::{ClassifierStats, StatsHandle};
pub use taker::{Taken, Taker, TakerFactory};
