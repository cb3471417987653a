//! Tests of the whole: the binary as users run it. One program, because each would be linked anew.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod bad_input;
mod corpus;
mod crash;
mod explain;
mod fleet;
mod hostile_rules;
mod quickstart;
mod support;
mod test_events;
