//! `aws-firehose:alerts` in local mode: the history of all alerts, as files.
//!
//! Every alert goes here, staged ones too. Files are named like the objects that StreamAlert's delivery stream
//! puts into S3: `alerts/dt=YYYY-MM-DD-HH/alerts.jsonl`, one JSON line per alert with `idempotency_key` first.
//! The hour is that of the alert's creation in UTC, so that a repeated delivery lands in the same file.
//!
//! Idempotency: a delivery whose key its file has is done without a second line, also after a restart, within
//! the same limits as for `file:NAME`.
//!
//! Limits: none.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::jsonl::Appender;
use super::{Output, Receipt, SendError, Settings};
use crate::Publication;
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-firehose",
    title: "History of all alerts",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let directory = config::directory(settings)?;
    Ok(Arc::new(LocalHistory::new(
        directory,
        settings.output.descriptor(),
    )))
}

/// Appends to hourly files below one directory.
#[derive(Debug)]
struct LocalHistory {
    directory: PathBuf,
    stream: String,
    appender: Appender,
}

impl LocalHistory {
    /// The history of `stream` (for `aws-firehose:alerts`: `alerts`) below `directory`.
    fn new(directory: PathBuf, stream: &str) -> Self {
        Self {
            directory,
            stream: stream.to_owned(),
            appender: Appender::default(),
        }
    }
}

#[async_trait]
impl Output for LocalHistory {
    async fn send(&self, publication: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let object = request::object_key(&self.stream, publication.alert.created);
        let line = request::line(publication, key);
        self.appender
            .append(self.directory.join(object), key, line)
            .await?;
        Ok(Receipt::default())
    }
}
