//! `file:NAME`: JSON lines appended to a file.
//!
//! One line per delivery: the publication, with `idempotency_key` as its first field.
//! A delivery is done when its line is on disk (written, then fsync, shared by the lines that wait).
//!
//! Idempotency: a delivery whose key the file has is done without a second line, also when the process was
//! killed between the line and the commit of its outcome. For that the last 16 MiB are read when the file is
//! opened; no more deliveries are repeated than a queue holds. A file that was moved away or emptied meanwhile
//! knows nothing, so a line may then come twice, with the same key; likewise after a failed fsync.
//! A line that a crash cut off gets its newline at the next start, so the next line stands alone; its delivery
//! is written again.
//! The file may be moved away at any time (log rotation); it is made again.
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
    name: "file",
    title: "File",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    Ok(Arc::new(FileOutput::new(config::path(settings)?)))
}

/// Appends to one file.
#[derive(Debug)]
struct FileOutput {
    path: PathBuf,
    appender: Appender,
}

impl FileOutput {
    /// Nothing is touched before the first delivery.
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            appender: Appender::default(),
        }
    }
}

#[async_trait]
impl Output for FileOutput {
    async fn send(&self, publication: &Publication, key: &str, _: Instant) -> Result<Receipt, SendError> {
        let line = request::line(publication, key);
        self.appender.append(self.path.clone(), key, line).await?;
        Ok(Receipt::default())
    }
}
