//! `otlp-logs:NAME`: a log record of OpenTelemetry, sent to a collector.
//!
//! Follows opentelemetry.io, OTLP 1.9 ("OTLP/HTTP", JSON Protobuf encoding) and the logs data model: the body is title
//! and summary, attributes tell the alert, its record as JSON text, and severity and trace are where the model has them.
//!
//! Idempotency: OTLP knows none. The attribute `streamalert.idempotency_key` is the same for every attempt at one
//! delivery.
//!
//! Limits: a request over `body_bytes_max` is sent without record and context, and says so.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{self, Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "otlp-logs",
    title: "OpenTelemetry logs",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = OtlpLogs(config::Config::read(settings)?);
    let poster = settings.poster_with(&config::tls(settings)?)?;
    Ok(Arc::new(HttpOutput::new(api, poster)))
}

struct OtlpLogs(config::Config);

impl Api for OtlpLogs {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::export(&self.0, parcel).map(Step::Ask),
            [answer, ..] => response::judge(answer),
        }
    }
}
