//! Traces and metrics of this process, exported as the settings and the variables of OpenTelemetry say.

use std::sync::Arc;
use std::time::Duration;

use streamalert_config::Settings;
use streamalert_service::{OtlpOptions, OtlpTask, Resource, SpanQueue, otlp_exporter};
use streamalert_types::{Clock, Tracer};

use crate::args::Service;
use crate::failure::Failure;

/// What exports, and what the services trace with.
pub(crate) struct Exporter {
    pub(crate) tracer: Tracer,
    pub(crate) spans: Arc<SpanQueue>,
    pub(crate) task: OtlpTask,
}

/// The exporter of a process that runs `service` (`None`: all of them); `None` when there is no collector.
/// `start` tells this run of the process from others.
pub(crate) fn exporter(
    settings: &Settings,
    service: Option<Service>,
    clock: Arc<dyn Clock>,
    start: u64,
) -> Result<Option<Exporter>, Failure> {
    let telemetry = &settings.telemetry;
    let env = |name: &str| std::env::var(name).ok();
    let host = rustix::system::uname();
    let instance = format!("{}-{start:x}", host.nodename().to_string_lossy());
    let resource = Resource::new(name(service), env!("CARGO_PKG_VERSION"), &instance, env);
    let every = Duration::from_secs(telemetry.otlp_metrics_secs);
    let Some(options) = OtlpOptions::from_env(&telemetry.otlp_endpoint, resource, every, env) else {
        return Ok(None);
    };
    if let Some(protocol) = env("OTEL_EXPORTER_OTLP_PROTOCOL").filter(|protocol| protocol != "grpc") {
        tracing::warn!(%protocol, "only grpc is spoken to collectors, OTEL_EXPORTER_OTLP_PROTOCOL is passed over");
    }
    tracing::info!(endpoint = %options.endpoint, "traces and metrics are exported");
    let (spans, task) = otlp_exporter(options, clock).map_err(|error| Failure::Other(error.to_string()))?;
    let tracer = Tracer::new(spans.clone(), telemetry.trace_ratio);
    Ok(Some(Exporter { tracer, spans, task }))
}

const fn name(service: Option<Service>) -> &'static str {
    match service {
        None => "streamalert",
        Some(Service::Classifier) => "streamalert-classifier",
        Some(Service::RulesNode) => "streamalert-rules-node",
        Some(Service::Merger) => "streamalert-merger",
        Some(Service::Dispatcher) => "streamalert-dispatcher",
    }
}
