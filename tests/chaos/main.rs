//! A fleet on this machine: every service as processes of the binary, state and stream in emulators of AWS, under
//! faults. `cargo xtask fleet` runs it for as long as is wanted; by itself it runs for half a minute.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests, helpers included"
)]

mod account;
mod arrived;
mod aws;
mod events;
mod faults;
mod fleet;
mod links;
mod member;
mod mutants;
mod project;
mod relay;
mod settle;
mod stream;
mod tally;

use crate::fleet::{Fleet, Plan};
use crate::mutants::Mutant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_delivers_every_alert_once_whatever_is_killed_frozen_cut_off_throttled_or_resharded() {
    let Some(mut fleet) = Fleet::start(Plan::from_env()).await else {
        return;
    };
    fleet.run().await;
    let mut account = fleet.settle().await;
    if let Some(mutant) = Mutant::from_env() {
        println!("the books are wrong on purpose: {mutant:?}");
        mutant.apply(&mut account);
    }
    let findings = account.findings();
    let logs = if findings.is_empty() {
        String::new()
    } else {
        fleet.logs()
    };
    println!("{logs}\n{account}");
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    let missed = mutants::missed(&account);
    assert!(
        missed.is_empty(),
        "the account is blind to mistakes in the books: {missed:?}"
    );
    println!(
        "mistakes in the books that the account finds: {0} of {0}",
        Mutant::ALL.len()
    );
    println!("nothing lost, nothing twice, everything acknowledged, every group right");
}
