use std::time::Duration;

use streamalert_value::Value;

use crate::explain::{integer, object};

/// Upper ends of the histogram's columns, in milliseconds; above the last there is one more.
const COLUMNS_MS: [u64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// The longest bar, in characters.
const BAR: usize = 50;

/// Quantiles that are told, and how many latencies it takes for each to mean something.
const QUANTILES: [(&str, f64, usize); 4] = [
    ("p50", 0.5, 1),
    ("p90", 0.9, 10),
    ("p99", 0.99, 100),
    ("p99.9", 0.999, 1_000),
];

/// Latencies, every one of them kept: there are thousands, and nothing is rounded.
pub(in crate::bench) struct Latencies {
    sorted: Vec<Duration>,
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut sorted: Vec<Duration> = latencies.into_iter().collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

impl Latencies {
    pub(super) const fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Quantiles and the longest, in milliseconds.
    pub(in crate::bench) fn told(&self) -> Vec<(&'static str, f64)> {
        let enough = QUANTILES
            .iter()
            .filter(|(_, _, least)| self.sorted.len() >= *least);
        let mut told: Vec<(&str, Duration)> = enough
            .map(|(name, share, _)| (*name, self.quantile(*share)))
            .collect();
        told.extend(self.sorted.last().map(|longest| ("max", *longest)));
        told.into_iter()
            .map(|(name, latency)| (name, latency.as_secs_f64() * 1e3))
            .collect()
    }

    /// The shortest latency that this share of all does not exceed.
    fn quantile(&self, share: f64) -> Duration {
        let rank = (self.sorted.len() as f64 * share).ceil() as usize;
        self.sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// How many are above the column before and not above this one.
    fn columns(&self) -> Vec<(Option<u64>, usize)> {
        let mut below = 0;
        let mut columns = Vec::new();
        for end in COLUMNS_MS {
            let up_to = self
                .sorted
                .partition_point(|latency| *latency <= Duration::from_millis(end));
            columns.push((Some(end), up_to - below));
            below = up_to;
        }
        columns.push((None, self.sorted.len() - below));
        columns
    }

    /// The columns that hold something, and those between them, as lines.
    pub(super) fn bars(&self) -> Vec<String> {
        let columns = self.columns();
        let holds = |(_, count): &(Option<u64>, usize)| *count > 0;
        let first = columns.iter().position(holds).unwrap_or(columns.len());
        let last = columns.iter().rposition(holds).map_or(first, |at| at + 1);
        let highest = columns
            .iter()
            .map(|(_, count)| *count)
            .max()
            .unwrap_or_default()
            .max(1);
        let line = |(end, count): &(Option<u64>, usize)| {
            let name = end.map_or_else(|| "more".to_owned(), |end| format!("≤ {end} ms"));
            let bar = "█".repeat((count * BAR).div_ceil(highest));
            format!("{name:>11} {count:>8} {bar}").trim_end().to_owned()
        };
        columns
            .get(first..last)
            .unwrap_or_default()
            .iter()
            .map(line)
            .collect()
    }

    pub(super) fn json(&self) -> Value {
        let columns = self.columns().into_iter();
        let columns = columns.map(|(end, count)| {
            let end = end.map_or(Value::Null, integer);
            object([("up_to_ms", end), ("alerts", integer(count as u64))])
        });
        Value::List(columns.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latencies {
        millis.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn quantiles_are_latencies_that_occurred() {
        let told = of((1..=1_000).rev()).told();
        assert_eq!(
            told,
            [
                ("p50", 500.0),
                ("p90", 900.0),
                ("p99", 990.0),
                ("p99.9", 999.0),
                ("max", 1_000.0)
            ]
        );
    }

    #[test]
    fn quantiles_that_too_few_latencies_tell_nothing_of_are_left_out() {
        let names: Vec<&str> = of(1..=99).told().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["p50", "p90", "max"]);
        assert!(of([]).told().is_empty());
    }

    #[test]
    fn bars_begin_and_end_where_latencies_do() {
        let bars = of([3, 4, 5, 15, 30_000]).bars();
        let begins: Vec<&str> = bars
            .iter()
            .map(|bar| bar.trim_start().split("ms").next().unwrap())
            .collect();
        assert_eq!(begins[..3], ["≤ 5 ", "≤ 10 ", "≤ 20 "]);
        assert!(bars[0].ends_with(&format!("3 {}", "█".repeat(BAR))), "{bars:?}");
        assert!(bars[1].ends_with(" 0"), "{bars:?}");
        assert!(bars.last().unwrap().trim_start().starts_with("more"), "{bars:?}");
        assert!(of([]).bars().is_empty());
    }
}
