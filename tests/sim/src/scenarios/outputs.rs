use std::time::Duration;

use rand::RngExt;

use super::Scenario;
use crate::run::{DISPATCHERS, Run, Setup};
use crate::world::Behaviour;

pub(super) const SLOW: Scenario = Scenario {
    name: "slow-output",
    about: "an output takes seconds for each alert, for an hour",
    setup: slow_setup,
    act: slow,
};

pub(super) const UNSURE: Scenario = Scenario {
    name: "unsure-output",
    about: "an output takes alerts and its answers are lost, and one is down for a while",
    setup: Setup::default,
    act: unsure,
};

pub(super) const BURST: Scenario = Scenario {
    name: "burst",
    about: "all dispatchers are killed again and again while many alerts come at once",
    setup: burst_setup,
    act: burst,
};

fn slow_setup() -> Setup {
    Setup {
        payloads: 800,
        pace: Duration::from_millis(2_500),
        tick: Duration::from_millis(100),
        ..Setup::default()
    }
}

fn slow(run: &mut Run) {
    run.allow_windows(Duration::from_secs(10));
    run.go_about(Duration::from_secs(30));
    run.output("sim:a", Behaviour::Slow(Duration::from_millis(9_500)));
    run.go(Duration::from_hours(1));
    let behind = run.world.inner().history.delivered.len();
    run.finish();
    let end = run.world.inner().history.delivered.len();
    run.require(end > behind + 20, "the output was behind after the hour");
}

fn unsure(run: &mut Run) {
    run.allow_windows(Duration::from_secs(10));
    run.go_about(Duration::from_secs(8));
    run.output("sim:a", Behaviour::LosesAnswers(30));
    run.output("sim:b", Behaviour::Down);
    run.go_about(Duration::from_secs(60));
    run.finish();
    let duplicates = run.world.inner().history.figures.duplicates;
    run.require(duplicates > 0, "the output got what it had already");
}

fn burst_setup() -> Setup {
    Setup {
        payloads: 400,
        pace: Duration::from_millis(10),
        ..Setup::default()
    }
}

fn burst(run: &mut Run) {
    run.allow_windows(Duration::from_secs(30));
    run.go_about(Duration::from_secs(3));
    let mut killed_with = 0;
    for _ in 0..4 {
        let delivered = run.world.inner().history.delivered.len();
        let pause = Duration::from_millis(run.rng.random_range(200..5_000));
        for name in DISPATCHERS {
            if run.is_up(name) {
                run.crash(name, pause);
            }
        }
        let working = Duration::from_millis(run.rng.random_range(100..3_000));
        run.go(pause + working);
        let later = run.world.inner().history.delivered.len();
        killed_with += u32::from(later > delivered);
    }
    run.finish();
    run.require(
        killed_with > 0,
        "the dispatchers were killed while they had something to deliver",
    );
}
