use std::time::Duration;

/// A rate limit as outputs document theirs: so many a second in the long run, so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Attempts per second in the long run; above 0.
    pub per_sec: f64,
    /// Attempts that may go at once after a quiet time; at least 1.
    pub burst: u32,
}

/// A token bucket, kept as the generic cell rate algorithm (ITU-T I.371): one moment instead of a count that
/// must be refilled, exact in integers, and O(1) however long it was idle.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    interval: Duration,
    tolerance: Duration,
    /// When the bucket would be full again.
    full_at: Duration,
}

impl RateLimiter {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let per_sec = if rate.per_sec.is_finite() {
            rate.per_sec.clamp(1e-6, 1e9)
        } else {
            1e9
        };
        let interval = Duration::from_secs_f64(1.0 / per_sec);
        Self {
            interval,
            tolerance: interval.saturating_mul(rate.burst.max(1) - 1),
            full_at: Duration::ZERO,
        }
    }

    /// The earliest moment at which [`Self::take`] succeeds; may lie in the past.
    #[must_use]
    pub fn free_at(&self) -> Duration {
        self.full_at.saturating_sub(self.tolerance)
    }

    /// Takes one token at `now`; false when there is none.
    pub fn take(&mut self, now: Duration) -> bool {
        if now < self.free_at() {
            return false;
        }
        self.full_at = self.full_at.max(now).saturating_add(self.interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate_holds() {
        let mut limiter = RateLimiter::new(Rate {
            per_sec: 2.0,
            burst: 3,
        });
        let at = Duration::from_secs(100);
        assert_eq!((0..10).filter(|_| limiter.take(at)).count(), 3);
        assert_eq!(limiter.free_at(), at + Duration::from_millis(500));
        assert!(!limiter.take(at + Duration::from_millis(499)));
        assert!(limiter.take(at + Duration::from_millis(500)));
        assert!(!limiter.take(at + Duration::from_millis(501)));
    }

    #[test]
    fn a_quiet_time_fills_the_bucket_to_the_burst_and_no_further() {
        let mut limiter = RateLimiter::new(Rate {
            per_sec: 10.0,
            burst: 5,
        });
        assert_eq!(
            (0..10).filter(|_| limiter.take(Duration::from_secs(1))).count(),
            5
        );
        assert_eq!(
            (0..10)
                .filter(|_| limiter.take(Duration::from_secs(3600)))
                .count(),
            5
        );
    }

    #[test]
    fn odd_rates_do_not_panic() {
        for per_sec in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(RateLimiter::new(Rate { per_sec, burst: 0 }).take(Duration::ZERO));
        }
    }
}
