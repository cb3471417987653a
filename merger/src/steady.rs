use std::time::Duration;

use streamalert_types::Timestamp;

/// A clock that is fed with wall-clock time and never goes back. A wall clock that steps back by an hour would
/// otherwise keep every group open for an hour longer; here only the step itself is left out.
#[derive(Debug, Default)]
pub(crate) struct SteadyClock {
    wall: Option<Timestamp>,
    steady: Timestamp,
}

impl SteadyClock {
    /// Takes note of the wall clock.
    pub(crate) fn observe(&mut self, wall: Timestamp) {
        let elapsed = self.wall.map_or(Duration::ZERO, |before| wall.since(before));
        self.steady = self.steady.plus(elapsed);
        self.wall = Some(wall);
    }

    /// The steady time at the last observation.
    pub(crate) fn now(&self) -> Timestamp {
        self.steady
    }

    /// The steady time of a wall-clock moment, not before now and at most `max` from now.
    pub(crate) fn due(&self, moment: Timestamp, max: Duration) -> Timestamp {
        let wall = self.wall.unwrap_or(moment);
        self.steady.plus(moment.since(wall).min(max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    #[test]
    fn a_step_back_costs_nothing_and_a_step_forward_counts() {
        let mut clock = SteadyClock::default();
        clock.observe(at(1_000));
        let due = clock.due(at(1_010), Duration::from_secs(60));
        clock.observe(at(1_004));
        clock.observe(at(400));
        assert_eq!(due.since(clock.now()), Duration::from_secs(6));
        clock.observe(at(406));
        assert!(clock.now() >= due);
    }

    #[test]
    fn a_moment_far_in_the_future_is_no_further_than_the_maximum() {
        let mut clock = SteadyClock::default();
        clock.observe(at(1_000));
        let due = clock.due(at(9_000), Duration::from_secs(60));
        assert_eq!(due.since(clock.now()), Duration::from_secs(60));
        assert_eq!(clock.due(at(5), Duration::from_secs(60)), clock.now());
    }
}
