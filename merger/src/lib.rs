//! The merger: makes every alert durable, hands what must go at once to the dispatcher, groups the rest by rule
//! and merge-key values for the window, and sends each group as one alert.
//!
//! An alert's way: [`streamalert_detect::merge::Router`] finds its shard and merge key; the lane that owns the shard reserves a place,
//! writes it to the store, and only then acknowledges it. What is to be delivered goes through a bounded window
//! per output; what does not fit stays in the store and is paged in as the window drains. Groups close by timer.
//!
//! Invariant: an alert is acknowledged only when the store has committed it.
//! Invariant: every decision is made by [`machine::Machine`], which is pure; [`lane`] only waits and executes.
//! Invariant: memory holds ids and metadata of grouped alerts, never their records.

mod backoff;
mod groups;
mod handle;
mod lane;
mod leases;
mod machine;
mod options;
mod outbox;
mod service;
mod stats;
mod steady;
mod traces;

pub use handle::MergerHandle;
pub use options::MergerOptions;
pub use service::{Merger, MergerTask, StartError};
pub use stats::{MergerStats, OutputStats};

/// The pure parts, for benchmarks and simulations. No promise of stability.
#[doc(hidden)]
pub mod pure {
    pub use crate::groups::{Closing, Early, Groups, Limits as GroupLimits, Member, Members};
    pub use crate::machine::{CloseOutcome, Notice};
    pub use crate::machine::{Effect, Event, Machine};
    pub use streamalert_detect::merge::{GroupKey, Routed, Router};
}
