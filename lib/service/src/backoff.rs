use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How long to wait between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffOptions {
    /// The first delay, before jitter.
    pub first: Duration,
    /// No delay is longer.
    pub max: Duration,
}

impl Default for BackoffOptions {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            max: Duration::from_secs(10),
        }
    }
}

/// Delays that double from one attempt to the next up to a limit. Each is shortened by up to half at random,
/// so that callers that failed together do not return together. Equal seeds give equal delays.
#[derive(Debug)]
pub struct Backoff {
    options: BackoffOptions,
    attempt: u32,
    rng: StdRng,
}

impl Backoff {
    /// Delays by `options`, jitter by `seed`.
    #[must_use]
    pub fn new(options: BackoffOptions, seed: u64) -> Self {
        Self {
            options,
            attempt: 0,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// How long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let doubled = 2_u32
            .checked_pow(self.attempt)
            .and_then(|factor| self.options.first.checked_mul(factor));
        let longest = doubled.map_or(self.options.max, |delay| delay.min(self.options.max));
        self.attempt = self.attempt.saturating_add(1);
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.rng.random_range(micros / 2..=micros))
    }

    /// Attempts since the beginning or the last success.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempt
    }

    /// The last attempt succeeded: the next failure waits the first delay again.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> BackoffOptions {
        BackoffOptions {
            first: Duration::from_millis(100),
            max: Duration::from_secs(5),
        }
    }

    #[test]
    fn delays_double_within_their_jitter_up_to_the_limit() {
        let mut backoff = Backoff::new(options(), 7);
        for attempt in 0..40 {
            let longest = (100_u64 << attempt.min(10)).min(5000);
            let delay = backoff.next_delay();
            assert!(
                delay <= Duration::from_millis(longest),
                "attempt {attempt}: {delay:?}"
            );
            assert!(
                delay >= Duration::from_millis(longest) / 2,
                "attempt {attempt}: {delay:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(100));
    }

    #[test]
    fn one_seed_gives_one_row_of_delays_and_two_seeds_give_two() {
        let row = |seed| {
            let mut backoff = Backoff::new(options(), seed);
            std::iter::repeat_with(|| backoff.next_delay())
                .take(8)
                .collect::<Vec<_>>()
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
    }

    #[test]
    fn a_zero_delay_stays_zero() {
        let zero = BackoffOptions {
            first: Duration::ZERO,
            max: Duration::ZERO,
        };
        assert_eq!(Backoff::new(zero, 1).next_delay(), Duration::ZERO);
    }
}
