//! A collector of OpenTelemetry in the test's own process: what was exported, and how spans hang together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::support::PATIENCE;

/// A span, and the `service.name` of the process that exported it.
#[derive(Debug, Clone)]
pub(crate) struct Exported {
    pub(crate) service: String,
    pub(crate) span: Span,
}

impl Exported {
    pub(crate) fn name(&self) -> &str {
        &self.span.name
    }

    pub(crate) fn error(&self) -> Option<&str> {
        self.span.status.as_ref().map(|status| status.message.as_str())
    }

    pub(crate) fn trace_id(&self) -> String {
        hex(&self.span.trace_id)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        text_of(&self.span.attributes, name)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text_of(attributes: &[KeyValue], name: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[derive(Default)]
struct Collected {
    spans: Mutex<Vec<Exported>>,
    /// The latest sum of the points of a metric, by service and metric.
    metrics: Mutex<BTreeMap<(String, String), f64>>,
    /// The `authorization` of the last request.
    authorization: Mutex<Option<String>>,
}

/// Listens until the test ends.
pub(crate) struct Collector {
    collected: Arc<Collected>,
    pub(crate) endpoint: String,
}

struct Serving(Arc<Collected>);

#[tonic::async_trait]
impl TraceService for Serving {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let authorization = request.metadata().get("authorization");
        *self.0.authorization.lock().unwrap() = authorization.map(|value| value.to_str().unwrap().to_owned());
        for resource in request.into_inner().resource_spans {
            let service = text_of(&resource.resource.unwrap().attributes, "service.name").unwrap();
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0.spans.lock().unwrap().extend(spans.map(|span| Exported {
                service: service.clone(),
                span,
            }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Serving {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for resource in request.into_inner().resource_metrics {
            let service = text_of(&resource.resource.unwrap().attributes, "service.name").unwrap();
            for exported in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let points = match exported.data.unwrap() {
                    metric::Data::Sum(sum) => sum.data_points,
                    metric::Data::Gauge(gauge) => gauge.data_points,
                    other => panic!("{other:?}"),
                };
                let values = points.iter().map(|point| match point.value.unwrap() {
                    number_data_point::Value::AsInt(count) => count as f64,
                    number_data_point::Value::AsDouble(measure) => measure,
                });
                let key = (service.clone(), exported.name);
                self.0.metrics.lock().unwrap().insert(key, values.sum());
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let collected = Arc::new(Collected::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Serving(collected.clone())))
            .add_service(MetricsServiceServer::new(Serving(collected.clone())))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Self { collected, endpoint }
    }

    pub(crate) fn metric(&self, service: &str, name: &str) -> Option<f64> {
        let metrics = self.collected.metrics.lock().unwrap();
        metrics.get(&(service.to_owned(), name.to_owned())).copied()
    }

    pub(crate) fn authorization(&self) -> Option<String> {
        self.collected.authorization.lock().unwrap().clone()
    }

    /// Waits until what was exported is as it should be.
    pub(crate) async fn until(&self, what: impl Fn(&Traces) -> bool) -> Traces {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let traces = Traces::of(self.collected.spans.lock().unwrap().clone());
            if what(&traces) {
                return traces;
            }
            assert!(Instant::now() < deadline, "{:#?}", traces.names());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// All spans, by trace and span id.
pub(crate) struct Traces {
    spans: BTreeMap<(Vec<u8>, Vec<u8>), Exported>,
}

impl Traces {
    fn of(spans: Vec<Exported>) -> Self {
        let spans = spans.into_iter().map(|exported| {
            let key = (exported.span.trace_id.clone(), exported.span.span_id.clone());
            (key, exported)
        });
        Self {
            spans: spans.collect(),
        }
    }

    /// Spans whose names begin so.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> Vec<&'a Exported> {
        self.spans
            .values()
            .filter(|exported| exported.span.name.starts_with(name))
            .collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.spans
            .values()
            .map(|exported| format!("{} {} {}", exported.trace_id(), exported.service, exported.name()))
            .collect()
    }

    /// Everything that was told of them.
    pub(crate) fn dump(&self) -> String {
        format!("{:?}", self.spans)
    }

    pub(crate) fn parent(&self, of: &Exported) -> Option<&Exported> {
        if of.span.parent_span_id.is_empty() {
            return None;
        }
        let key = (of.span.trace_id.clone(), of.span.parent_span_id.clone());
        let parent = self.spans.get(&key);
        Some(parent.unwrap_or_else(|| panic!("no parent of {of:#?} among {:#?}", self.names())))
    }

    /// A span and those above it, up to the first of the trace. Times must not run backwards on the way.
    pub(crate) fn way<'a>(&'a self, from: &'a Exported) -> Vec<&'a Exported> {
        let mut way = vec![from];
        while let Some(parent) = self.parent(way[way.len() - 1]) {
            let child = way[way.len() - 1];
            assert!(
                parent.span.start_time_unix_nano <= child.span.start_time_unix_nano,
                "{parent:#?} after {child:#?}"
            );
            way.push(parent);
        }
        way
    }

    /// The spans that a span is linked with.
    pub(crate) fn linked(&self, of: &Exported) -> Vec<&Exported> {
        let links = of.span.links.iter();
        links
            .map(|link| {
                let found = self.spans.get(&(link.trace_id.clone(), link.span_id.clone()));
                found.unwrap_or_else(|| panic!("a link of {of:#?} leads nowhere"))
            })
            .collect()
    }
}
