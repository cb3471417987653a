//! What a process counts, as one snapshot that any exporter can render: [`text`] for Prometheus today.

mod text;

use std::sync::Arc;

use async_trait::async_trait;

/// The media type of [`prometheus_text`].
pub(crate) const PROMETHEUS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub use text::prometheus_text;

/// How the values of a metric move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows; begins at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// A count.
    Count(u64),
    /// A measure, such as seconds.
    Measure(f64),
}

impl From<u64> for MetricValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for MetricValue {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<bool> for MetricValue {
    fn from(is: bool) -> Self {
        Self::Count(u64::from(is))
    }
}

impl From<f64> for MetricValue {
    fn from(measure: f64) -> Self {
        Self::Measure(measure)
    }
}

/// A name and value that tell a point from the others of its metric.
pub type Label = (&'static str, Arc<str>);

/// One point of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricPoint {
    /// What tells it from the others; names of letters, digits and underscores.
    pub labels: Vec<Label>,
    /// The value at the time of the snapshot.
    pub value: MetricValue,
}

/// One metric with its points. No two points have the same labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name with its unit, such as `streamalert_classifier_bytes`; letters, digits and underscores. Of a counter
    /// without the ending `_total`, which Prometheus wants and OpenTelemetry does not.
    pub name: &'static str,
    /// What it tells, one sentence.
    pub help: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// Its points.
    pub points: Vec<MetricPoint>,
}

/// All metrics of a process at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricSnapshot {
    /// In the order they are shown.
    pub metrics: Vec<Metric>,
}

impl MetricSnapshot {
    /// Adds a counter without labels.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: impl Into<MetricValue>) {
        self.push(name, help, MetricKind::Counter, vec![unlabelled(value)]);
    }

    /// Adds a gauge without labels.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Into<MetricValue>) {
        self.push(name, help, MetricKind::Gauge, vec![unlabelled(value)]);
    }

    /// Adds a counter with a point per value of one label.
    pub fn counters<V: Into<MetricValue>>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        points: impl IntoIterator<Item = (Arc<str>, V)>,
    ) {
        self.push(name, help, MetricKind::Counter, labelled(label, points));
    }

    /// Adds a gauge with a point per value of one label.
    pub fn gauges<V: Into<MetricValue>>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        points: impl IntoIterator<Item = (Arc<str>, V)>,
    ) {
        self.push(name, help, MetricKind::Gauge, labelled(label, points));
    }

    fn push(&mut self, name: &'static str, help: &'static str, kind: MetricKind, points: Vec<MetricPoint>) {
        // A metric of nothing says nothing.
        if !points.is_empty() {
            self.metrics.push(Metric {
                name,
                help,
                kind,
                points,
            });
        }
    }
}

fn unlabelled(value: impl Into<MetricValue>) -> MetricPoint {
    MetricPoint {
        labels: Vec::new(),
        value: value.into(),
    }
}

fn labelled<V: Into<MetricValue>>(
    label: &'static str,
    points: impl IntoIterator<Item = (Arc<str>, V)>,
) -> Vec<MetricPoint> {
    let points = points.into_iter().map(|(name, value)| MetricPoint {
        labels: vec![(label, name)],
        value: value.into(),
    });
    points.collect()
}

/// Something that can tell what it has counted, whenever an exporter asks.
#[async_trait]
pub trait MetricSource: Send + Sync + 'static {
    /// Everything counted so far.
    async fn metrics(&self) -> MetricSnapshot;
}
