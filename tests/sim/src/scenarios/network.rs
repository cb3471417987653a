use std::time::Duration;

use rand::RngExt;

use super::Scenario;
use crate::run::{Run, Setup};

pub(super) const PARTITIONS: Scenario = Scenario {
    name: "partitions",
    about: "every pair of services that talk cannot, for a while each",
    setup: partitions_setup,
    act: partitions,
};

pub(super) const ROLLING: Scenario = Scenario {
    name: "rolling-restart",
    about: "all nodes end in good order and start again, one after the other",
    setup: partitions_setup,
    act: rolling,
};

/// Who talks with whom.
const PAIRS: [(&str, &str); 8] = [
    ("c0", "r0"),
    ("c1", "r0"),
    ("r0", "m0"),
    ("r0", "m1"),
    ("m0", "d0"),
    ("m1", "d0"),
    ("m0", "d1"),
    ("m1", "d1"),
];

fn partitions_setup() -> Setup {
    Setup {
        payloads: 300,
        ..Setup::default()
    }
}

fn partitions(run: &mut Run) {
    run.allow_windows(Duration::from_secs(20));
    run.go_about(Duration::from_secs(10));
    for (a, b) in PAIRS {
        run.partition(a, b);
        // Some shorter than it takes to notice, some longer.
        let pause = Duration::from_millis(run.rng.random_range(500..14_000));
        run.go(pause);
        run.repair(a, b);
        run.go_about(Duration::from_secs(4));
    }
    run.finish();
    let partitions = run.world.inner().history.figures.partitions;
    run.require(partitions == PAIRS.len() as u64, "every pair was parted");
}

fn rolling(run: &mut Run) {
    run.allow_windows(Duration::from_secs(30));
    run.go_about(Duration::from_secs(15));
    for name in run.names() {
        run.restart(&name);
        run.go_about(Duration::from_secs(8));
    }
    run.finish();
    let duplicates = run.world.inner().history.figures.duplicates;
    run.require(
        duplicates == 0,
        "nothing is delivered twice when everything ends in good order",
    );
}
