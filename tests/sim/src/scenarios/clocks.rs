use std::time::Duration;

use rand::RngExt;

use super::Scenario;
use crate::run::{Run, Setup};

pub(super) const JUMPS: Scenario = Scenario {
    name: "clock-jumps",
    about: "clocks differ by minutes, and jump over whole windows, forwards and back",
    setup: Setup::default,
    act: jumps,
};

/// How far a clock may be wrong.
const ERROR: Duration = Duration::from_mins(4);

fn jumps(run: &mut Run) {
    // An owner that begins with a clock minutes behind may let a window pass once more.
    run.allow_windows(Duration::from_secs(90));
    let mut jumped = false;
    for _ in 0..4 {
        for name in run.names() {
            let most = i64::try_from(ERROR.as_micros()).unwrap_or(i64::MAX);
            let error = run.rng.random_range(-most..=most);
            let clock = run.world.clock(&name);
            run.note(&format!("the clock of {name} is wrong by {error} us"));
            clock.set_error(error);
            jumped |= error.unsigned_abs() > 60_000_000;
        }
        run.go_about(Duration::from_secs(18));
    }
    run.finish();
    run.require(jumped, "a clock jumped over a window");
}
