//! Tests of the whole: the binary as users run it. One program, because each would be linked anew.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests, helpers included"
)]

mod aws;
mod bad_aws;
mod bad_input;
mod bad_rules;
mod bench;
mod canary;
mod collector;
mod corpus;
mod crash;
mod deployment;
mod developers_loop;
mod every_output;
mod explain;
mod first;
mod fleet;
mod hostile_native;
mod hostile_rules;
mod metrics;
mod no_python;
mod outputs;
mod outputs_reload;
mod publishers;
mod quickstart;
mod reload;
mod replay;
mod secrets;
mod sns;
mod support;
mod test_events;
mod tls;
mod traces;
