//! A fleet on this machine: every service as processes of the binary, state and stream in an emulator of AWS, under
//! faults. `cargo xtask fleet` runs it for as long as is wanted; by itself it runs for half a minute.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests, helpers included"
)]

mod account;
mod faults;
mod fleet;
mod member;

use crate::fleet::{Fleet, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_delivers_every_alert_once_whatever_is_killed_frozen_or_restarted() {
    let Some(mut fleet) = Fleet::start(Plan::from_env()).await else {
        return;
    };
    fleet.run().await;
    let account = fleet.settle().await;
    println!("{account}");
    account.check();
}
