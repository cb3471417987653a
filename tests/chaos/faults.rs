use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

/// One tenth of a second, the step of a run.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Between two faults, in ticks.
const PAUSE: std::ops::RangeInclusive<u64> = 15..=40;
/// How long a killed process is away.
const AWAY: std::ops::RangeInclusive<u64> = 1..=30;
/// How long a frozen process stands still: longer than the leases of this fleet.
const FROZEN: u64 = 100;
/// How long AWS asks for fewer calls.
const THROTTLED: u64 = 50;

/// From which part of a run on there are how many mergers.
pub(crate) const MERGERS: [(f64, usize); 4] = [(0.0, 3), (0.2, 1), (0.5, 4), (0.8, 2)];

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and started again after so many ticks.
    Kill(u64),
    /// SIGSTOP, and SIGCONT after so many ticks.
    Freeze(u64),
    /// SIGTERM, and started again at once.
    Restart,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// To the process of this index.
    Process(usize, Fault),
    /// For so many ticks most calls of AWS are throttled, and some replies are lost.
    Throttle(u64),
}

/// Chooses faults: the same for the same seed.
pub(crate) struct Chooser {
    rng: StdRng,
    next: u64,
}

impl Chooser {
    pub(crate) fn new(rng: StdRng) -> Self {
        // The fleet has come to work by then.
        Self { rng, next: 20 }
    }

    /// The fault of this tick, if there is to be one.
    pub(crate) fn choose(&mut self, tick: u64, members: usize) -> Option<Choice> {
        if tick < self.next {
            return None;
        }
        self.next = tick + self.rng.random_range(PAUSE);
        let member = self.rng.random_range(0..members);
        let away = self.rng.random_range(AWAY);
        Some(match self.rng.random_range(0..10) {
            0..5 => Choice::Process(member, Fault::Kill(away)),
            5..7 => Choice::Process(member, Fault::Freeze(FROZEN)),
            7 => Choice::Process(member, Fault::Restart),
            _ => Choice::Throttle(THROTTLED),
        })
    }
}

/// How many mergers there are when this part of the run has passed.
pub(crate) fn mergers(part: f64) -> usize {
    let passed = MERGERS.iter().take_while(|(from, _)| *from <= part);
    passed.last().map_or(MERGERS[0].1, |(_, count)| *count)
}
