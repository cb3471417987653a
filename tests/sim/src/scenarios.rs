//! What is done to the services. Each scenario says with `require` that its fault was really made.

mod chaos;
mod clocks;
mod crashes;
mod leases;
mod network;
mod outputs;
mod stores;

use std::time::Duration;

use crate::run::{Run, Setup};

/// A kind of run.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    setup: fn() -> Setup,
    act: fn(&mut Run),
}

impl Scenario {
    /// The way of one run until its faults are over.
    pub(crate) fn setup(&self) -> Setup {
        (self.setup)()
    }

    pub(crate) fn act(&self, run: &mut Run) {
        (self.act)(run);
    }
}

/// All of them, in the order in which they are run.
pub(crate) const SCENARIOS: [Scenario; 18] = [
    Scenario {
        name: "calm",
        about: "nothing goes wrong",
        setup: Setup::default,
        act: calm,
    },
    crashes::SERVICES,
    stores::STORE_AWAITS,
    stores::STORE_SITES,
    leases::STALE_OWNER,
    leases::STALE_OWNER_LATE,
    leases::RESHARD,
    stores::LOST_ANSWERS,
    stores::THROTTLED,
    stores::STORE_DOWN,
    outputs::SLOW,
    outputs::UNSURE,
    outputs::BURST,
    clocks::JUMPS,
    network::PARTITIONS,
    network::ROLLING,
    chaos::CHAOS,
    chaos::CHAOS_LATE,
];

pub(crate) fn named(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

fn calm(run: &mut Run) {
    run.go(Duration::from_secs(30));
    let owners = run.owners();
    run.require(owners.len() == 2, "two mergers share the shards");
    run.finish();
    let duplicates = run.world.inner().history.figures.duplicates;
    run.require(
        duplicates == 0,
        "nothing is delivered twice when nothing goes wrong",
    );
}
