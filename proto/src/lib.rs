//! What the services say to each other: one trait per neighbour, the errors, and (in [`v1`]) the same as
//! gRPC messages with conversions from and to the domain types.
//!
//! A service is given its neighbour as `Arc<dyn Trait>`: in one process that is the neighbour's handle, in a
//! fleet a streaming gRPC client. Neither side can tell.

mod neighbours;

pub use neighbours::{Alerts, Deliveries, NeighbourError, Records};
