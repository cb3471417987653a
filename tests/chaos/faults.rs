use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// One tenth of a second, the step of a run.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Between two faults, in ticks.
const PAUSE: RangeInclusive<u64> = 15..=40;
/// How long a killed process is away.
const AWAY: RangeInclusive<u64> = 1..=30;
/// How long a link is cut: some shorter, some longer than the leases of this fleet.
const CUT: RangeInclusive<u64> = 20..=120;
/// How long a frozen process stands still: longer than the leases of this fleet.
const FROZEN: u64 = 100;
/// How long AWS asks for fewer calls.
const THROTTLED: u64 = 50;

/// From which part of a run on there are how many mergers.
pub(crate) const MERGERS: [(f64, usize); 4] = [(0.0, 3), (0.2, 1), (0.45, 4), (0.8, 2)];

/// What is done next, for so many ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and started again after a while.
    Kill(u64),
    /// SIGSTOP, and SIGCONT.
    Freeze(u64),
    /// SIGTERM, and started again at once.
    Restart,
    /// One link carries nothing.
    Cut(u64),
    /// No link of a process carries anything.
    Isolate(u64),
    /// Half of the calls of AWS are refused, and of some the answers are lost.
    Throttle(u64),
    /// A shard of the stream becomes two.
    Split,
    /// Two shards of the stream become one.
    Merge,
}

/// Deals faults and chooses whom they hit: a deck with each, in an order that the seed decides, again and again.
pub(crate) struct Dealer {
    rng: StdRng,
    deck: Vec<Fault>,
    next: u64,
}

impl Dealer {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            deck: Vec::new(),
            // The fleet has come to work by then.
            next: 20,
        }
    }

    /// The fault of this tick, if there is to be one.
    pub(crate) fn deal(&mut self, tick: u64) -> Option<Fault> {
        if tick < self.next {
            return None;
        }
        self.next = tick + self.rng.random_range(PAUSE);
        if self.deck.is_empty() {
            let mut away = || self.rng.random_range(AWAY);
            let kills = [Fault::Kill(away()), Fault::Kill(away()), Fault::Kill(away())];
            let mut long = || self.rng.random_range(CUT);
            let cuts = [Fault::Cut(long()), Fault::Cut(long()), Fault::Isolate(long())];
            self.deck.extend(kills);
            self.deck.extend(cuts);
            self.deck.extend([
                Fault::Freeze(FROZEN),
                Fault::Restart,
                Fault::Throttle(THROTTLED),
                Fault::Split,
                Fault::Merge,
            ]);
            self.deck.shuffle(&mut self.rng);
        }
        self.deck.pop()
    }

    /// One of so many, if there are any.
    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.rng.random_range(0..among.len())])
    }
}

/// How many mergers there are when this part of the run has passed.
pub(crate) fn mergers(part: f64) -> usize {
    let passed = MERGERS.iter().take_while(|(from, _)| *from <= part);
    passed.last().map_or(MERGERS[0].1, |(_, count)| *count)
}

/// The most mergers that run at once.
pub(crate) fn mergers_max() -> usize {
    MERGERS.iter().map(|(_, count)| *count).max().unwrap_or(0)
}
