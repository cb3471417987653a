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

/// What is done to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and started again after so many ticks.
    Kill(u64),
    /// SIGSTOP, and SIGCONT after so many ticks.
    Freeze(u64),
    /// SIGTERM, and started again at once.
    Restart,
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

    /// The fault of this tick and the index of its member, if there is to be one.
    pub(crate) fn choose(&mut self, tick: u64, members: usize) -> Option<(usize, Fault)> {
        if tick < self.next {
            return None;
        }
        self.next = tick + self.rng.random_range(PAUSE);
        let member = self.rng.random_range(0..members);
        let fault = match self.rng.random_range(0..10) {
            0..6 => Fault::Kill(self.rng.random_range(AWAY)),
            6..8 => Fault::Freeze(FROZEN),
            _ => Fault::Restart,
        };
        Some((member, fault))
    }
}
