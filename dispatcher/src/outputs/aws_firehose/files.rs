use std::path::PathBuf;

use async_trait::async_trait;
use tokio::time::Instant;

use super::request;
use crate::Publication;
use crate::outputs::jsonl::Appender;
use crate::outputs::{Output, Receipt, SendError};

/// Appends to hourly files below one directory.
#[derive(Debug)]
pub(super) struct LocalHistory {
    directory: PathBuf,
    stream: String,
    appender: Appender,
}

impl LocalHistory {
    /// The history of `stream` (for `aws-firehose:alerts`: `alerts`) below `directory`.
    pub(super) fn new(directory: PathBuf, stream: &str) -> Self {
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
