use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::Scenario;
use crate::run::{Run, Setup};

pub(super) const SERVICES: Scenario = Scenario {
    name: "crashes",
    about: "every service is killed at random moments",
    setup: Setup::default,
    act: services,
};

fn services(run: &mut Run) {
    run.allow_windows(Duration::from_secs(60));
    run.go_about(Duration::from_secs(12));
    let mut names = run.names();
    for _ in 0..3 {
        names.extend(run.names().choose(&mut run.rng).cloned());
    }
    for name in &names {
        if run.is_up(name) {
            let pause = Duration::from_millis(run.rng.random_range(10..6_000));
            run.crash(name, pause);
        }
        run.go_about(Duration::from_secs(6));
    }
    run.finish();
    let crashes = run.world.inner().history.figures.crashes;
    run.require(crashes >= 6, "every service was killed");
}
