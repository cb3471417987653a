//! `file:NAME`: JSON lines appended to a file.
//!
//! Configuration: `path`. One line per delivery: the publication, with `idempotency_key` as its first field.
//! A delivery is done when its line is on disk (written, then fsync, shared by the lines that wait).
//! Idempotency: a delivery whose key the file has is done without a second line, also when the process was
//! killed between the line and the commit of its outcome. For that the last 16 MiB are read when the file is
//! opened; no more deliveries are repeated than a queue holds. A file that was moved away or emptied meanwhile
//! knows nothing, so a line may then come twice, with the same key; likewise after a failed fsync.
//! A line that a crash cut off gets its newline at the next start, so the next line stands alone; its delivery
//! is written again.
//! The file may be moved away at any time (log rotation); it is made again.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
pub(crate) use config::FileConfig;
use tokio::time::Instant;

use super::jsonl::Appender;
use super::{Output, SendError};
use crate::{DeliveryOptions, Publication};

/// Appends to one file.
#[derive(Debug)]
pub struct FileOutput {
    path: PathBuf,
    appender: Appender,
}

impl FileOutput {
    /// An output that appends to the file at `path`; nothing is touched before the first delivery.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            appender: Appender::default(),
        }
    }

    pub(crate) fn configured(config: &FileConfig, base: &Path) -> Self {
        Self::new(base.join(&config.path))
    }

    /// Many at once, so that they share fsyncs; a full disk is looked at again soon.
    #[must_use]
    pub fn delivery_options() -> DeliveryOptions {
        response::delivery_options()
    }
}

#[async_trait]
impl Output for FileOutput {
    async fn send(&self, publication: &Publication, key: &str, _deadline: Instant) -> Result<(), SendError> {
        self.appender
            .append(self.path.clone(), key, request::line(publication, key))
            .await
    }
}
