use std::time::Duration;

use rand::RngExt;

/// How long to wait before the next attempt: doubling, capped, with the upper half left to chance so that
/// deliveries that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second attempt.
    pub first: Duration,
    /// Never longer than this.
    pub max: Duration,
}

impl Backoff {
    /// The wait after failure number `failures` (from 1): between half of and the whole of
    /// `first · 2^(failures-1)`, at most `max`.
    pub fn delay(&self, failures: u32, rng: &mut impl RngExt) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let whole = self.first.saturating_mul(1 << doublings).min(self.max);
        let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(rng.random_range(micros / 2..=micros))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_keeps_at_least_half() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        };
        let mut rng = StdRng::seed_from_u64(1);
        for (failures, whole) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (50, 60), (u32::MAX, 60)] {
            for _ in 0..100 {
                let delay = backoff.delay(failures, &mut rng);
                assert!(delay <= Duration::from_secs(whole), "{failures}: {delay:?}");
                assert!(delay >= Duration::from_secs(whole) / 2, "{failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        };
        let waits = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            (1..20).map(|n| backoff.delay(n, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }
}
