use std::time::Duration;

/// The first pause after a failure: short, because most failures are over at once.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause: an hour's outage then costs 360 attempts and recovery is noticed within this time.
const LONGEST: Duration = Duration::from_secs(10);

/// The pause after the `failures`-th failure in a row (from 1). Without jitter: the caller is one per lane.
pub(crate) fn pause(failures: u32) -> Duration {
    FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(pause(1), Duration::from_millis(100));
        assert_eq!(pause(3), Duration::from_millis(400));
        assert_eq!(pause(40), LONGEST);
    }
}
