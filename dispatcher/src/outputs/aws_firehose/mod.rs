//! `aws-firehose:alerts` in local mode: the history of all alerts, as files.
//!
//! Every alert goes here, staged ones too. Files are named like the objects that StreamAlert's delivery stream
//! puts into S3: `alerts/dt=YYYY-MM-DD-HH/alerts.jsonl`, one JSON line per alert with `idempotency_key` first.
//! The hour is that of the alert's creation in UTC, so that a repeated delivery lands in the same file.
//! Idempotency: a delivery whose key its file has is done without a second line, also after a restart, within
//! the same limits as for `file:NAME`.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
pub(crate) use config::FirehoseConfig;
use tokio::time::Instant;

use super::jsonl::Appender;
use super::{Output, SendError};
use crate::{DeliveryOptions, Publication};

/// Appends to hourly files below one directory.
#[derive(Debug)]
pub struct FirehoseLocalOutput {
    directory: PathBuf,
    stream: String,
    appender: Appender,
}

impl FirehoseLocalOutput {
    /// The history of `stream` (for `aws-firehose:alerts`: `alerts`) below `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, stream: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            stream: stream.into(),
            appender: Appender::default(),
        }
    }

    pub(crate) fn configured(config: &FirehoseConfig, base: &Path, history: &Path, stream: &str) -> Self {
        let directory = config
            .directory
            .as_ref()
            .map_or_else(|| history.to_owned(), |dir| base.join(dir));
        Self::new(directory, stream)
    }

    /// The same as for files.
    #[must_use]
    pub fn delivery_options() -> DeliveryOptions {
        response::delivery_options()
    }
}

#[async_trait]
impl Output for FirehoseLocalOutput {
    async fn send(&self, publication: &Publication, key: &str, _deadline: Instant) -> Result<(), SendError> {
        let path = self
            .directory
            .join(request::object_key(&self.stream, publication.alert.created));
        self.appender
            .append(path, key, request::line(publication, key))
            .await
    }
}
