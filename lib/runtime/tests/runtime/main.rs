//! What a runtime promises while rules misbehave and while they are reloaded.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod fallback;
mod limits;
mod reload;
#[path = "../support/mod.rs"]
mod support;
