//! What every user of AWS here shares: one way to make a client configuration, and one reading of what failed.
//!
//! Credentials come from the SDK's default chain only (environment, profile, container, instance): this crate takes
//! no keys, so that none can stand in a settings file.

mod access;
mod fault;
mod seen;

pub use access::{Access, Role};
pub use aws_config::SdkConfig;
pub use fault::{Fault, FaultKind};
pub use seen::SeenSecrets;
