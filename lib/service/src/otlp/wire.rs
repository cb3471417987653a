//! Our spans and snapshots as the messages of OTLP.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::tonic::trace::v1 as trace;
use streamalert_types::{Span, SpanKind, SpanValue, Timestamp, Traceparent};

use super::Resource;
use crate::{Metric, MetricKind, MetricPoint, MetricSnapshot, MetricValue};

/// The flag of W3C Trace Context that a span is sampled.
const SAMPLED: u32 = 1;

/// The request that carries `spans`.
pub(super) fn traces(resource: &Resource, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let mut by_service: BTreeMap<&'static str, Vec<trace::Span>> = BTreeMap::new();
    for span in spans {
        by_service
            .entry(span.service)
            .or_default()
            .push(span_message(span));
    }
    let scopes = by_service.into_iter().map(|(service, spans)| trace::ScopeSpans {
        scope: Some(scope(&format!("streamalert.{service}"))),
        spans,
        schema_url: String::new(),
    });
    ExportTraceServiceRequest {
        resource_spans: vec![trace::ResourceSpans {
            resource: Some(resource_message(resource)),
            scope_spans: scopes.collect(),
            schema_url: String::new(),
        }],
    }
}

/// The request that carries `snapshot`, taken at `now` by a process that began to count at `started`.
pub(super) fn snapshot(
    resource: &Resource,
    snapshot: &MetricSnapshot,
    started: Timestamp,
    now: Timestamp,
) -> ExportMetricsServiceRequest {
    let metrics = snapshot
        .metrics
        .iter()
        .map(|metric| metric_message(metric, started, now));
    ExportMetricsServiceRequest {
        resource_metrics: vec![metrics::ResourceMetrics {
            resource: Some(resource_message(resource)),
            scope_metrics: vec![metrics::ScopeMetrics {
                scope: Some(scope("streamalert")),
                metrics: metrics.collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn resource_message(resource: &Resource) -> ResourceMessage {
    let attributes = resource.attributes().iter();
    ResourceMessage {
        attributes: attributes
            .map(|(name, value)| attribute(name, text(value.clone())))
            .collect(),
        ..ResourceMessage::default()
    }
}

fn span_message(span: Span) -> trace::Span {
    let kind = match span.kind {
        SpanKind::Internal => trace::span::SpanKind::Internal,
        SpanKind::Producer => trace::span::SpanKind::Producer,
        SpanKind::Consumer => trace::span::SpanKind::Consumer,
    };
    let attributes = span.attributes.into_iter();
    trace::Span {
        trace_id: trace_id(span.context),
        span_id: span_id(span.context),
        trace_state: String::new(),
        parent_span_id: span.parent.map(span_id).unwrap_or_default(),
        flags: SAMPLED,
        name: span.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(span.start),
        // A clock that was set back meanwhile must not make a span that ends before it begins.
        end_time_unix_nano: nanos(span.end.max(span.start)),
        attributes: attributes
            .map(|(name, value)| attribute(name, span_value(value)))
            .collect(),
        links: span.links.into_iter().map(link).collect(),
        status: span.error.map(|message| trace::Status {
            message,
            code: trace::status::StatusCode::Error.into(),
        }),
        ..trace::Span::default()
    }
}

fn link(to: Traceparent) -> trace::span::Link {
    trace::span::Link {
        trace_id: trace_id(to),
        span_id: span_id(to),
        flags: SAMPLED,
        ..trace::span::Link::default()
    }
}

fn trace_id(context: Traceparent) -> Vec<u8> {
    context.trace_id().to_be_bytes().to_vec()
}

fn span_id(context: Traceparent) -> Vec<u8> {
    context.span_id().to_be_bytes().to_vec()
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(0).saturating_mul(1_000)
}

fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(text: String) -> Value {
    Value::StringValue(text)
}

fn span_value(value: SpanValue) -> Value {
    match value {
        SpanValue::Text(value) => text(value),
        SpanValue::Number(number) => Value::IntValue(number),
        SpanValue::Flag(flag) => Value::BoolValue(flag),
        SpanValue::Texts(texts) => Value::ArrayValue(ArrayValue {
            values: texts
                .into_iter()
                .map(|value| AnyValue {
                    value: Some(text(value)),
                })
                .collect(),
        }),
    }
}

fn metric_message(metric: &Metric, started: Timestamp, now: Timestamp) -> metrics::Metric {
    let points = metric.points.iter();
    let points = |start| points.map(|point| point_message(point, start, now)).collect();
    let data = match metric.kind {
        MetricKind::Counter => metrics::metric::Data::Sum(metrics::Sum {
            data_points: points(nanos(started)),
            aggregation_temporality: metrics::AggregationTemporality::Cumulative.into(),
            is_monotonic: true,
        }),
        MetricKind::Gauge => metrics::metric::Data::Gauge(metrics::Gauge {
            data_points: points(0),
        }),
    };
    metrics::Metric {
        name: metric.name.to_owned(),
        description: metric.help.to_owned(),
        data: Some(data),
        ..metrics::Metric::default()
    }
}

fn point_message(point: &MetricPoint, start: u64, now: Timestamp) -> metrics::NumberDataPoint {
    let value = match point.value {
        // Counts of a process stay far below 2^63.
        MetricValue::Count(count) => {
            metrics::number_data_point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))
        }
        MetricValue::Measure(measure) => metrics::number_data_point::Value::AsDouble(measure),
    };
    let labels = point.labels.iter();
    metrics::NumberDataPoint {
        attributes: labels
            .map(|(name, value)| attribute(name, text(value.to_string())))
            .collect(),
        start_time_unix_nano: start,
        time_unix_nano: nanos(now),
        value: Some(value),
        ..metrics::NumberDataPoint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_makes_no_span_that_ends_before_it_begins() {
        let context: Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            .parse()
            .unwrap();
        let made = span_message(Span {
            context,
            parent: Some(context),
            service: "merger",
            name: "accept".into(),
            kind: SpanKind::Consumer,
            start: Timestamp::from_micros(5),
            end: Timestamp::from_micros(3),
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
        });
        assert_eq!(
            (made.start_time_unix_nano, made.end_time_unix_nano),
            (5_000, 5_000)
        );
        assert_eq!(made.trace_id.len(), 16);
        assert_eq!(
            made.parent_span_id,
            [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]
        );
    }

    #[test]
    fn counters_are_cumulative_since_the_start_and_gauges_have_none() {
        let mut counted = MetricSnapshot::default();
        counted.counter("c", "Counts.", 3_u64);
        counted.gauges("g", "Measures.", "of", [("x".into(), 0.5)]);
        let (started, now) = (Timestamp::from_micros(1), Timestamp::from_micros(2));
        let request = snapshot(&Resource::default(), &counted, started, now);
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let Some(metrics::metric::Data::Sum(sum)) = &metrics[0].data else {
            panic!("{metrics:?}")
        };
        assert!(sum.is_monotonic && sum.data_points[0].start_time_unix_nano == 1_000);
        let Some(metrics::metric::Data::Gauge(gauge)) = &metrics[1].data else {
            panic!("{metrics:?}")
        };
        assert_eq!(gauge.data_points[0].attributes[0].key, "of");
        assert_eq!(gauge.data_points[0].start_time_unix_nano, 0);
    }
}
