use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::Scenario;
use crate::run::{Run, Setup};
use crate::world::{Moment, Site};

pub(super) const LOST_ANSWERS: Scenario = Scenario {
    name: "lost-answers",
    about: "the store fails before a write and after it, for every node",
    setup: Setup::default,
    act: lost_answers,
};

pub(super) const THROTTLED: Scenario = Scenario {
    name: "throttled",
    about: "the store refuses every write for minutes",
    setup: long_setup,
    act: throttled,
};

pub(super) const STORE_SITES: Scenario = Scenario {
    name: "store-sites",
    about: "a merger is killed before and after each kind of call that it makes to the store, and the other as it loads",
    setup: sites_setup,
    act: store_sites,
};

pub(super) const STORE_DOWN: Scenario = Scenario {
    name: "store-down",
    about: "the store does not answer anybody for ten minutes",
    setup: long_setup,
    act: store_down,
};

pub(super) const STORE_AWAITS: Scenario = Scenario {
    name: "store-awaits",
    about: "mergers are killed before and after single calls to the store",
    setup: awaits_setup,
    act: store_awaits,
};

/// Minutes go by: in longer steps.
fn long_setup() -> Setup {
    Setup {
        tick: Duration::from_millis(25),
        ..Setup::default()
    }
}

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

fn sites_setup() -> Setup {
    Setup {
        payloads: 400,
        pace: Duration::from_millis(1_200),
        keys: 30,
        ..long_setup()
    }
}

/// Every call of the way of an alert through the merger; the last three are made as a shard is loaded.
const CALLS: [&str; 6] = ["accept", "settle", "close", "fetch", "grouped", "backlog"];

fn store_sites(run: &mut Run) {
    run.allow_windows(Duration::from_secs(200));
    run.go_about(Duration::from_secs(5));
    let mut sites: Vec<Site> = CALLS
        .into_iter()
        .flat_map(|call| [(call, Moment::Before), (call, Moment::After)])
        .collect();
    sites.shuffle(&mut run.rng);
    let mut died = 0;
    for (at, site) in sites.iter().enumerate() {
        let name = ["m0", "m1"][at % 2];
        run.store(name, |faults| faults.crash_site = Some(*site));
        if matches!(site.0, "grouped" | "backlog") {
            // Made only as shards are taken: it dies as it starts again.
            let pause = Duration::from_millis(run.rng.random_range(100..4_000));
            run.crash(name, pause);
        }
        let before = run.world.node(name, |node| node.died_at.len());
        let dead = run.until(Duration::from_secs(90), |run| {
            run.world.node(name, |node| node.died_at.len()) > before
        });
        died += u32::from(dead);
        run.go_about(Duration::from_secs(4));
    }
    run.finish();
    run.require(
        died == 2 * CALLS.len() as u32,
        "a merger died before and after each kind of call",
    );
}

fn store_down(run: &mut Run) {
    run.allow_windows(Duration::from_mins(12));
    run.go_about(Duration::from_secs(20));
    let before = run.world.inner().history.figures.store_faults;
    for name in run.names() {
        run.store(&name, |faults| faults.fail_permille = 1000);
    }
    run.go(Duration::from_mins(10));
    let during = run.world.inner().history.figures.store_faults;
    run.finish();
    run.require(during > before + 100, "no call to the store went well");
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
