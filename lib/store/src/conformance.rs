//! What every implementation of the traits must do. Each function takes a way to make an empty store and
//! panics, with what it saw, on the first thing that is not so.

mod alerts;
mod checkpoints;
mod first;
mod fixtures;
mod groups;
mod leases;
mod letters;

pub use alerts::{adoption, alerts, alerts_of_other_shards, fences, listing, outbox, tombstones};
pub use checkpoints::checkpoints;
pub use first::first_of_a_group;
pub use fixtures::{Forgets, alert, fence, moment, output, stored};
pub use groups::groups;
pub use leases::{leases, leases_under_any_interleaving};
pub use letters::{bounded_letters, letters};
