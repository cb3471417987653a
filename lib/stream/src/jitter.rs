//! Pauses that differ from one node to the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shortens pauses by up to half at random, so that readers that failed together do not return together. Equal seeds
/// give equal pauses.
#[derive(Debug)]
pub(crate) struct Jitter(AtomicU64);

/// The step of the sequence: 2^64 over the golden ratio, odd, as SplitMix64 has it.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number of the sequence (SplitMix64).
    fn number(&self) -> u64 {
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A pause of at least half of `longest`, and at most all of it.
    pub(crate) fn shorten(&self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        let half = micros / 2;
        // The bias of the remainder is below one in a million for pauses of days.
        longest - Duration::from_micros(self.number() % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seed: u64, longest: Duration) -> Vec<Duration> {
        let jitter = Jitter::new(seed);
        (0..200).map(|_| jitter.shorten(longest)).collect()
    }

    #[test]
    fn pauses_lie_between_half_and_all_and_are_spread_over_it() {
        let second = Duration::from_secs(1);
        let row = row(7, second);
        assert!(row.iter().all(|pause| (second / 2..=second).contains(pause)));
        let tenth = |n: u32| (second / 2 + second / 20 * n, second / 2 + second / 20 * (n + 1));
        for (from, to) in (0..10).map(tenth) {
            assert!(row.iter().any(|pause| (from..to).contains(pause)), "{from:?}");
        }
        assert_eq!(Jitter::new(0).shorten(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn one_seed_gives_one_row_of_pauses_and_two_seeds_give_two() {
        let second = Duration::from_secs(1);
        assert_eq!(row(1, second), row(1, second));
        assert_ne!(row(1, second), row(2, second));
    }
}
