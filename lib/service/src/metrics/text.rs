//! The text format of Prometheus, version 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//! Written here and not by a crate: those bring a registry of their own, and what is shown is counted elsewhere.

use std::fmt::Write as _;

use super::{Metric, MetricKind, MetricPoint, MetricSnapshot, MetricValue};

/// The snapshot as a page for Prometheus to scrape.
#[must_use]
pub fn prometheus_text(snapshot: &MetricSnapshot) -> String {
    let mut page = String::new();
    for metric in &snapshot.metrics {
        write_metric(&mut page, metric);
    }
    page
}

fn write_metric(page: &mut String, metric: &Metric) {
    let (kind, ending) = match metric.kind {
        MetricKind::Counter => ("counter", "_total"),
        MetricKind::Gauge => ("gauge", ""),
    };
    let name = metric.name;
    let _ = write!(page, "# HELP {name}{ending} ");
    escape(page, metric.help, false);
    let _ = write!(page, "\n# TYPE {name}{ending} {kind}\n");
    for point in &metric.points {
        page.push_str(name);
        page.push_str(ending);
        write_point(page, point);
    }
}

fn write_point(page: &mut String, point: &MetricPoint) {
    for (at, (name, value)) in point.labels.iter().enumerate() {
        page.push(if at == 0 { '{' } else { ',' });
        page.push_str(name);
        page.push_str("=\"");
        escape(page, value, true);
        page.push('"');
    }
    if !point.labels.is_empty() {
        page.push('}');
    }
    let _ = match point.value {
        MetricValue::Count(count) => writeln!(page, " {count}"),
        MetricValue::Measure(measure) if measure == f64::INFINITY => writeln!(page, " +Inf"),
        MetricValue::Measure(measure) if measure == f64::NEG_INFINITY => writeln!(page, " -Inf"),
        MetricValue::Measure(measure) => writeln!(page, " {measure}"),
    };
}

/// Backslash and line feed are escaped everywhere, quotes in label values.
fn escape(page: &mut String, text: &str, quoted: bool) {
    for character in text.chars() {
        match character {
            '\\' => page.push_str("\\\\"),
            '\n' => page.push_str("\\n"),
            '"' if quoted => page.push_str("\\\""),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_end_in_total_and_labels_are_escaped() {
        let mut snapshot = MetricSnapshot::default();
        snapshot.counters(
            "fired",
            "a \"back\\slash\"\nand a line",
            "rule",
            [("a\"b\\c\nd".into(), 3_u64), ("über".into(), u64::MAX)],
        );
        snapshot.gauge("open", "now", 0.5);
        snapshot.gauge("off", "on or off", false);
        let page = "# HELP fired_total a \"back\\\\slash\"\\nand a line\n# TYPE fired_total counter\n\
                    fired_total{rule=\"a\\\"b\\\\c\\nd\"} 3\nfired_total{rule=\"über\"} 18446744073709551615\n\
                    # HELP open now\n# TYPE open gauge\nopen 0.5\n# HELP off on or off\n# TYPE off gauge\noff 0\n";
        assert_eq!(prometheus_text(&snapshot), page);
    }

    #[test]
    fn a_metric_without_points_is_left_out() {
        let mut snapshot = MetricSnapshot::default();
        snapshot.counters("fired", "never", "rule", Vec::<(std::sync::Arc<str>, u64)>::new());
        assert_eq!(prometheus_text(&snapshot), "");
    }

    #[test]
    fn measures_that_are_no_numbers_are_written_as_prometheus_reads_them() {
        let mut snapshot = MetricSnapshot::default();
        snapshot.gauges(
            "m",
            "x",
            "of",
            [
                ("a".into(), f64::INFINITY),
                ("b".into(), f64::NEG_INFINITY),
                ("c".into(), f64::NAN),
            ],
        );
        let page = prometheus_text(&snapshot);
        let values: Vec<&str> = page.lines().filter_map(|line| line.split("} ").nth(1)).collect();
        assert_eq!(values, ["+Inf", "-Inf", "NaN"]);
    }
}
