use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryOptions {
    /// How lines are written.
    pub format: LogFormat,
    /// A level, or directives like `info,streamalert_merger=debug`.
    pub filter: String,
}

impl Default for TelemetryOptions {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

/// Why telemetry did not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("log filter {filter:?} is not valid")]
    Filter {
        /// As configured.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// It was started before in this process.
    #[error("telemetry is already running")]
    Running(#[from] TryInitError),
}

/// Telemetry of the process, alive as long as this is held. Dropping it flushes what is exported.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped"]
pub struct Telemetry {
    _private: (),
}

impl Telemetry {
    /// Starts logging to standard error.
    ///
    /// # Errors
    /// See [`TelemetryError`].
    pub fn start(options: &TelemetryOptions) -> Result<Self, TelemetryError> {
        // Exporters are further layers of this list; their guards go into `Telemetry`.
        let layers = vec![log_layer(options)?];
        tracing_subscriber::registry().with(layers).try_init()?;
        Ok(Self { _private: () })
    }
}

/// Whether an event may be logged at all: at `trace` the SDKs of AWS log whole answers, and some of those quote what a
/// request was signed with.
#[must_use]
pub fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    *metadata.level() != Level::TRACE || !metadata.target().starts_with("aws_smithy_runtime")
}

fn log_layer(options: &TelemetryOptions) -> Result<Box<dyn Layer<Registry> + Send + Sync>, TelemetryError> {
    let filter = EnvFilter::try_new(&options.filter).map_err(|source| TelemetryError::Filter {
        filter: options.filter.clone(),
        source,
    })?;
    let filter = filter.and(filter_fn(may_be_logged));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    Ok(match options.format {
        LogFormat::Text => layer
            .with_ansi(std::io::stderr().is_terminal())
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_an_error_that_shows_it() {
        let options = TelemetryOptions {
            filter: "info,=what=".to_owned(),
            ..TelemetryOptions::default()
        };
        let error = Telemetry::start(&options).unwrap_err();
        assert_eq!(error.to_string(), "log filter \"info,=what=\" is not valid");
    }
}
