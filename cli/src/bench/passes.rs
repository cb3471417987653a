use std::time::Duration;

/// Seconds of computing time for one event, pass by pass. The fastest pass is the least disturbed one; the median
/// tells what to expect.
#[derive(Debug, Clone, Default)]
pub(super) struct Passes {
    secs: Vec<f64>,
}

impl Passes {
    /// Adds a pass over `count` events.
    pub(super) fn add(&mut self, time: Duration, count: u64) {
        self.secs.push(time.as_secs_f64() / (count.max(1) as f64));
    }

    /// Seconds for one event in the fastest pass.
    pub(super) fn best(&self) -> f64 {
        self.secs.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Seconds for one event in the middle pass.
    pub(super) fn median(&self) -> f64 {
        median(self.secs.clone())
    }

    /// How many times the speed of `other` this is: the median over pairs of passes that ran one after the other.
    pub(super) fn speed_against(&self, other: &Self) -> f64 {
        median(
            self.secs
                .iter()
                .zip(&other.secs)
                .map(|(own, other)| other / own)
                .collect(),
        )
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_taken_between_neighbouring_passes() {
        let (mut one, mut other) = (Passes::default(), Passes::default());
        // The machine gets slower, both alike: the ratio stays.
        for slowness in [1, 2, 10] {
            one.add(Duration::from_millis(100 * slowness), 100);
            other.add(Duration::from_millis(200 * slowness), 100);
        }
        assert!((one.speed_against(&other) - 2.0).abs() < 1e-9);
        assert!((one.best() - 0.001).abs() < 1e-9);
        assert!((one.median() - 0.002).abs() < 1e-9);
    }
}
