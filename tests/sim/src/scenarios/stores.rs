use std::time::Duration;

use rand::RngExt;

use super::Scenario;
use crate::run::{Run, Setup};

pub(super) const LOST_ANSWERS: Scenario = Scenario {
    name: "lost-answers",
    about: "the store fails before a write and after it, for every node",
    setup: Setup::default,
    act: lost_answers,
};

pub(super) const THROTTLED: Scenario = Scenario {
    name: "throttled",
    about: "the store refuses every write for minutes",
    setup: Setup::default,
    act: throttled,
};

pub(super) const STORE_AWAITS: Scenario = Scenario {
    name: "store-awaits",
    about: "mergers are killed before and after single calls to the store",
    setup: awaits_setup,
    act: store_awaits,
};

fn lost_answers(run: &mut Run) {
    run.allow_windows(Duration::from_secs(60));
    run.go_about(Duration::from_secs(8));
    for name in run.names() {
        run.store(&name, |faults| {
            faults.fail_permille = 60;
            faults.lost_permille = 60;
        });
    }
    run.go(Duration::from_secs(100));
    run.finish();
    let faults = run.world.inner().history.figures.store_faults;
    run.require(faults > 20, "the store failed many times");
}

fn throttled(run: &mut Run) {
    let pause = Duration::from_secs(run.rng.random_range(120..300));
    run.allow_windows(pause + Duration::from_secs(60));
    run.go_about(Duration::from_secs(20));
    let before = run.world.inner().history.figures.store_faults;
    for name in run.names() {
        run.store(&name, |faults| faults.throttled = true);
    }
    run.go(pause);
    let during = run.world.inner().history.figures.store_faults;
    for name in run.names() {
        run.store(&name, |faults| faults.throttled = false);
    }
    run.finish();
    run.require(during > before + 20, "the store refused many writes");
}

fn awaits_setup() -> Setup {
    Setup {
        payloads: 120,
        pace: Duration::from_millis(500),
        ..Setup::default()
    }
}

/// Calls that a merger makes between two of its deaths, at most: enough that every kind of call is among them.
const POINTS_MAX: u64 = 60;

/// How often each merger dies.
const DEATHS: u32 = 5;

fn store_awaits(run: &mut Run) {
    run.allow_windows(Duration::from_secs(120));
    let mergers = ["m0", "m1"];
    for _ in 0..DEATHS {
        for name in mergers {
            let further = run.rng.random_range(1..=POINTS_MAX);
            run.world
                .node(name, |node| node.faults.crash_at = Some(node.points + further));
        }
        run.go_about(Duration::from_secs(14));
    }
    let crashes = run.world.inner().history.figures.crashes;
    run.finish();
    run.require(crashes >= u64::from(DEATHS), "mergers died at calls to the store");
}
