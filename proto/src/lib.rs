//! What the services say to each other: one trait per neighbour, the errors, and (in [`v1`]) the same as
//! gRPC messages with conversions from and to the domain types.
//!
//! A service is given its neighbour as `Arc<dyn Trait>`: in one process that is the neighbour's handle, in a
//! fleet a streaming gRPC client. Neither side can tell.

mod admin;
mod alert;
mod delivery;
mod failure;
mod malformed;
mod neighbours;
mod record;
pub mod v1;

pub use admin::{Admin, AdminError, AdminRequest};
pub use failure::nack;
pub use malformed::MalformedMessage;
pub use neighbours::{Alerts, Deliveries, Evaluated, NeighbourError, NotOwned, Records};
