//! How outputs stand, for `status`.

use streamalert_dispatcher::{DispatcherStats, OutputStats};
use streamalert_value::Value;

use crate::explain::{integer, object, text};

/// Every output that is configured, and what went to names that no configuration knows, if anything did.
pub(super) fn status(stats: &DispatcherStats) -> Value {
    let configured = stats.outputs.iter();
    let mut rows: Vec<Value> = configured
        .map(|(name, stats)| row(name.as_str(), stats))
        .collect();
    if stats.unconfigured != OutputStats::default() {
        rows.push(row("unconfigured", &stats.unconfigured));
    }
    Value::List(rows)
}

fn row(name: &str, stats: &OutputStats) -> Value {
    object([
        ("output", text(name)),
        ("down", Value::Bool(stats.down)),
        ("waiting", integer(stats.waiting)),
        ("retrying", integer(stats.retrying)),
        ("burying", integer(stats.burying)),
        ("dead", integer(stats.dead)),
        (
            "last_error",
            stats.last_error.as_deref().map_or(Value::Null, text),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nothing_configures_are_told_when_something_went_there() {
        let mut stats = DispatcherStats::default();
        stats
            .outputs
            .insert("webhook:a".parse().unwrap(), OutputStats::default());
        let names = |stats: &DispatcherStats| -> Vec<String> {
            let rows = status(stats);
            let rows = rows.as_list().unwrap().iter();
            rows.map(|row| row.get("output").and_then(Value::as_str).unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&stats), ["webhook:a"]);
        stats.unconfigured.dead = 1;
        assert_eq!(names(&stats), ["webhook:a", "unconfigured"]);
    }

    #[test]
    fn a_row_says_how_an_output_stands() {
        let stats = OutputStats {
            dead: 1,
            waiting: 2,
            retrying: 3,
            burying: 4,
            down: true,
            last_error: Some("http 503".to_owned()),
            ..OutputStats::default()
        };
        assert_eq!(
            row("webhook:a", &stats).to_json(),
            r#"{"output":"webhook:a","down":true,"waiting":2,"retrying":3,"burying":4,"dead":1,"last_error":"http 503"}"#
        );
    }
}
