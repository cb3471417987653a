use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::Scenario;
use crate::run::{Run, Setup};
use crate::world::Behaviour;

pub(super) const CHAOS: Scenario = Scenario {
    name: "chaos",
    about: "faults of every kind, several at a time",
    setup,
    act: chaos,
};

pub(super) const CHAOS_LATE: Scenario = Scenario {
    name: "chaos-late",
    about: "the same on a store that cannot fence and write in one commit",
    setup: late_setup,
    act: chaos,
};

/// Faults that are made.
const ROUNDS: u32 = 30;

fn setup() -> Setup {
    Setup {
        mergers: 3,
        payloads: 400,
        ..Setup::default()
    }
}

fn late_setup() -> Setup {
    Setup {
        late_writes: true,
        ..setup()
    }
}

fn chaos(run: &mut Run) {
    // Anything may be away at any time; that groups close at last is seen at the end.
    run.allow_windows(Duration::from_mins(10));
    let mut parted: Vec<(String, String)> = Vec::new();
    for _ in 0..ROUNDS {
        let mut names = run.names();
        names.retain(|name| run.is_up(name));
        let one = names.choose(&mut run.rng).cloned();
        let other = names.choose(&mut run.rng).cloned();
        let (Some(one), Some(other)) = (one, other) else {
            run.go(Duration::from_secs(1));
            continue;
        };
        let millis = run.rng.random_range(10..15_000);
        match run.rng.random_range(0..9) {
            0 | 1 => run.crash(&one, Duration::from_millis(millis)),
            2 if one != other => {
                run.partition(&one, &other);
                parted.push((one, other));
            }
            3 => {
                let site = run.rng.random_range(1..40);
                run.world
                    .node(&one, |node| node.faults.crash_at = Some(node.points + site));
            }
            4 => {
                let (fail, lost) = (run.rng.random_range(0..200), run.rng.random_range(0..200));
                run.store(&one, |faults| {
                    faults.fail_permille = fail;
                    faults.lost_permille = lost;
                });
            }
            5 => run.store(&one, |faults| {
                faults.leases_hang = true;
                faults.writes_delayed = Duration::from_millis(millis * 2);
            }),
            6 => run.store(&one, |faults| faults.throttled = true),
            7 => {
                let error = run.rng.random_range(-120_000_000..120_000_000);
                run.note(&format!("the clock of {one} is wrong by {error} us"));
                run.world.clock(&one).set_error(error);
            }
            _ => {
                let behaviour = [
                    Behaviour::Well,
                    Behaviour::Down,
                    Behaviour::LosesAnswers(20),
                    Behaviour::Slow(Duration::from_millis(millis / 2)),
                ];
                let behaviour = behaviour.choose(&mut run.rng).copied();
                run.output("sim:a", behaviour.unwrap_or(Behaviour::Well));
            }
        }
        run.go_about(Duration::from_secs(4));
        if run.rng.random_bool(0.4) {
            for (one, other) in parted.drain(..) {
                run.repair(&one, &other);
            }
            for name in run.names() {
                run.store(&name, |faults| *faults = Default::default());
            }
        }
    }
    for (one, other) in parted {
        run.repair(&one, &other);
    }
    run.finish();
    let figures = run.world.inner().history.figures;
    run.require(figures.crashes + figures.store_faults > 0, "something went wrong");
}
