//! Export of spans and metrics over OTLP/gRPC (<https://opentelemetry.io/docs/specs/otlp/>).
//!
//! Messages are made straight from our own spans and snapshots: the SDK of OpenTelemetry counts and samples by
//! itself, when a span begins, while here both are done when it is known what came of a record.
//!
//! Invariant: nobody waits for the exporter. A span that finds the queue full is dropped and counted.

mod export;
mod queue;
mod resource;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamalert_types::{Clock, Timestamp};
use tokio::sync::mpsc;
use tonic::metadata::{AsciiMetadataKey, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::cause::with_causes;

pub use export::OtlpTask;
pub use queue::{SpanCounts, SpanQueue};
pub use resource::Resource;

/// Spans that wait to be exported: some seconds of a burst of alerts, a few megabytes.
const QUEUE_SPANS_MAX: usize = 16_384;

/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where telemetry goes.
#[derive(Clone)]
pub struct OtlpOptions {
    /// URI of a collector's OTLP/gRPC port, such as `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// Metadata of every request: names and values. Values are secrets.
    pub headers: Vec<(String, String)>,
    /// Authorities that an `https` collector's certificate may come from, PEM; `None` = those of the machine.
    pub ca: Option<PathBuf>,
    /// Who we are.
    pub resource: Resource,
    /// Between two exports of metrics.
    pub metrics_every: Duration,
}

impl fmt::Debug for OtlpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("OtlpOptions")
            .field("endpoint", &self.endpoint)
            .field("headers", &headers)
            .field("ca", &self.ca)
            .field("resource", &self.resource)
            .field("metrics_every", &self.metrics_every)
            .finish()
    }
}

impl OtlpOptions {
    /// Export to `endpoint`, or, if that is empty, as `env` says in the variables of OpenTelemetry:
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, with `OTEL_EXPORTER_OTLP_HEADERS` (`name=value,…`, values percent-encoded) and
    /// `OTEL_EXPORTER_OTLP_CERTIFICATE` in both cases. `None` when nothing is to be exported, also by
    /// `OTEL_SDK_DISABLED`.
    #[must_use]
    pub fn from_env(
        endpoint: &str,
        resource: Resource,
        metrics_every: Duration,
        env: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let endpoint = match endpoint {
            "" => set("OTEL_EXPORTER_OTLP_ENDPOINT")?,
            endpoint => endpoint.to_owned(),
        };
        Some(Self {
            endpoint,
            headers: resource::pairs(&set("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default()).collect(),
            ca: set("OTEL_EXPORTER_OTLP_CERTIFICATE").map(PathBuf::from),
            resource,
            metrics_every,
        })
    }
}

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The endpoint is no URI of a host.
    #[error("otlp endpoint {endpoint:?} is not a uri such as http://127.0.0.1:4317: {reason}")]
    Endpoint {
        /// As configured.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header cannot be sent.
    #[error("otlp header {name:?} has a name or value that no header may have")]
    Header {
        /// Its name.
        name: String,
    },
    /// The authorities cannot be read.
    #[error("otlp certificate {} cannot be read", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The exporter: where spans are recorded, and the task that sends them, which is to be run. It connects when
/// there is something to send. Must be called within a runtime.
///
/// # Errors
/// See [`OtlpError`].
pub fn otlp_exporter(
    options: OtlpOptions,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<SpanQueue>, OtlpTask), OtlpError> {
    let channel = channel(&options)?;
    let metadata = metadata(&options.headers)?;
    let (sender, spans) = mpsc::channel(QUEUE_SPANS_MAX);
    let queue = Arc::new(SpanQueue::new(sender));
    let started: Timestamp = clock.now();
    let task = OtlpTask {
        channel,
        metadata,
        resource: options.resource,
        metrics_every: options.metrics_every,
        spans,
        counts: queue.shared_counts(),
        clock,
        started,
    };
    Ok((queue, task))
}

fn channel(options: &OtlpOptions) -> Result<Channel, OtlpError> {
    let wrong = |reason: String| OtlpError::Endpoint {
        endpoint: options.endpoint.clone(),
        reason,
    };
    let mut endpoint = Endpoint::from_shared(options.endpoint.clone())
        .map_err(|error| wrong(with_causes(&error)))?
        .connect_timeout(CONNECT_TIMEOUT);
    match endpoint.uri().scheme_str() {
        Some("http") => {}
        Some("https") => {
            let mut tls = ClientTlsConfig::new();
            tls = match &options.ca {
                Some(path) => {
                    let pem = std::fs::read(path).map_err(|source| OtlpError::Certificate {
                        path: path.clone(),
                        source,
                    })?;
                    tls.ca_certificate(Certificate::from_pem(pem))
                }
                None => tls.with_native_roots(),
            };
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|error| wrong(with_causes(&error)))?;
        }
        _ => return Err(wrong("the scheme must be http or https".to_owned())),
    }
    Ok(endpoint.connect_lazy())
}

fn metadata(headers: &[(String, String)]) -> Result<MetadataMap, OtlpError> {
    let mut metadata = MetadataMap::new();
    for (name, value) in headers {
        let wrong = || OtlpError::Header { name: name.clone() };
        let key: AsciiMetadataKey = name.to_lowercase().parse().map_err(|_| wrong())?;
        metadata.insert(key, value.parse().map_err(|_| wrong())?);
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use streamalert_types::SystemClock;

    use super::*;

    fn options(endpoint: &str, headers: &[(&str, &str)]) -> OtlpOptions {
        OtlpOptions {
            endpoint: endpoint.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ca: None,
            resource: Resource::default(),
            metrics_every: Duration::from_secs(60),
        }
    }

    fn error(endpoint: &str, headers: &[(&str, &str)]) -> String {
        match otlp_exporter(options(endpoint, headers), Arc::new(SystemClock)) {
            Ok(_) => panic!("{endpoint} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_cannot_be_is_told_with_the_form_it_should_have() {
        for endpoint in ["127.0.0.1:4317", "ftp://host:1", "http://"] {
            let told = error(endpoint, &[]);
            assert!(
                told.contains(endpoint) && told.contains("http://127.0.0.1:4317"),
                "{told}"
            );
        }
    }

    #[test]
    fn the_environment_says_where_to_unless_the_settings_do() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, team=x"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", ""),
        ];
        let made = |endpoint: &str, variables: &[(&str, &str)]| {
            let env = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            OtlpOptions::from_env(endpoint, Resource::default(), Duration::from_secs(1), env)
        };
        assert!(made("", &[]).is_none());
        let options = made("", &variables).unwrap();
        assert_eq!(options.endpoint, "http://env:4317");
        assert_eq!(
            options.headers,
            [("api-key", "a b"), ("team", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(options.ca, None);
        assert_eq!(made("http://set:1", &variables).unwrap().endpoint, "http://set:1");
        assert!(made("http://set:1", &[("OTEL_SDK_DISABLED", "true")]).is_none());
    }

    #[tokio::test]
    async fn values_of_headers_are_in_no_error_and_in_no_debug_output() {
        let told = error("http://h:1", &[("api-key", "planted\nsecret")]);
        assert!(told.contains("api-key") && !told.contains("planted"), "{told}");
        let shown = format!("{:?}", options("http://h:1", &[("api-key", "planted")]));
        assert!(shown.contains("api-key") && !shown.contains("planted"), "{shown}");
    }
}
