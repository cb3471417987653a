use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_aws::Fault;
use streamalert_store::{CheckpointStore, StoreError};
use streamalert_types::Clock;

use crate::{KinesisStatus, Payload, QueueCounts};

/// A source that is being read.
#[async_trait]
pub trait SourceReader: Send + 'static {
    /// The next payload; `None` when the source has ended. Waits while there is none, and while too much of
    /// what was read is not acknowledged. May be dropped while it waits: nothing gets lost.
    ///
    /// # Errors
    /// See [`SourceError`]. The source goes on with what else it has when it is asked again.
    async fn next(&mut self) -> Result<Option<Payload>, SourceError>;

    /// What people know it by.
    fn name(&self) -> String;

    /// How far the reading is.
    fn progress(&self) -> SourceProgress;

    /// [`SourceReader::progress`] for somebody else, at any time.
    fn watch(&self) -> ProgressWatch;

    /// What else there is to tell, at any time; nothing for most.
    fn watch_status(&self) -> StatusWatch {
        Arc::new(|| SourceStatus::Plain)
    }

    /// Stops reading and writes the last checkpoints. What is not acknowledged by now is read again next time.
    ///
    /// # Errors
    /// [`SourceError::Checkpoint`] when the store does not take them; then more is read again next time.
    async fn finish(self: Box<Self>) -> Result<SourceProgress, SourceError>;
}

/// Tells how far the reading of a source is whenever it is called.
pub type ProgressWatch = Arc<dyn Fn() -> SourceProgress + Send + Sync>;

/// What kind of source it is, and what only such sources know.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum SourceStatus {
    /// Nothing beyond its progress.
    #[default]
    Plain,
    /// A Kinesis stream.
    Kinesis(KinesisStatus),
    /// A queue of SQS: of logs, or of what tells of S3 objects.
    Queue(QueueCounts),
}

/// Tells the status of a source whenever it is called.
pub type StatusWatch = Arc<dyn Fn() -> SourceStatus + Send + Sync>;

/// How far the reading of a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceProgress {
    /// Payloads handed out.
    pub payloads_read: u64,
    /// Of these, not acknowledged.
    pub payloads_open: u64,
    /// Bytes taken from the medium, before decompression; bytes that an earlier run had finished included.
    pub bytes_read: u64,
    /// Bytes there are in all, where that is known.
    pub bytes_total: Option<u64>,
}

/// Why a source did not give a payload.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be opened or read.
    #[error("cannot read {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The checkpoints cannot be read or written.
    #[error("checkpoints of {source_name}: {cause}")]
    Checkpoint {
        /// Of which source.
        source_name: String,
        /// What the store said.
        cause: StoreError,
    },
    /// The server of an http source cannot listen, or has stopped.
    #[error("http source on {address}: {reason}")]
    Http {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// AWS refused a call or did not answer it.
    #[error("{source_name}: {fault}")]
    Aws {
        /// Of which source.
        source_name: String,
        /// What AWS said.
        fault: Fault,
    },
    /// The settings of the source make no sense.
    #[error("source settings: {reason}")]
    Settings {
        /// Why, in one line.
        reason: String,
    },
}

impl SourceError {
    /// Whether asking again may give something else. A source of several files goes on with the next one.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Checkpoint { cause, .. } => cause.is_retryable(),
            Self::Aws { fault, .. } => fault.is_retryable(),
            Self::Http { .. } | Self::Settings { .. } => false,
        }
    }

    /// Whether it may have taken effect although it failed: a checkpoint whose answer was lost.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        match self {
            Self::Checkpoint { cause, .. } => cause.may_have_happened(),
            Self::Aws { fault, .. } => fault.may_have_happened(),
            Self::File { .. } | Self::Http { .. } | Self::Settings { .. } => false,
        }
    }
}

/// Limits of a source. All of them bound memory, except the interval, which bounds repeated work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLimits {
    /// The longest line that is one payload: above the largest message of the services that lines stand for
    /// (10 MiB, Kinesis). A longer one is handed out as [`crate::PayloadForm::Oversize`].
    pub record_bytes_max: usize,
    /// The largest S3 object, decompressed, that is one payload; a larger one is read in parts. StreamAlert
    /// refused objects over 128 MB, so whatever it could read whole is still read whole.
    pub object_bytes_max: usize,
    /// How much of an oversize line is kept, to recognise it by.
    pub oversize_head_bytes: usize,
    /// Payloads that may be unacknowledged: several batches for every stage behind, so that none waits.
    pub payloads_open_max: usize,
    /// Their bytes; one payload beyond it is let through when nothing else is open.
    pub bytes_open_max: usize,
    /// Checkpoints are written at most this often; after a kill, about this much is read again.
    pub checkpoint_interval: Duration,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            record_bytes_max: 16 << 20,
            object_bytes_max: 128 << 20,
            oversize_head_bytes: 64 << 10,
            payloads_open_max: 16_384,
            bytes_open_max: 64 << 20,
            checkpoint_interval: Duration::from_millis(500),
        }
    }
}

/// What every source is given.
#[derive(Clone)]
pub struct SourceContext {
    /// Where checkpoints are kept.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// The time to write on them.
    pub clock: Arc<dyn Clock>,
    /// Limits.
    pub limits: SourceLimits,
}

impl std::fmt::Debug for SourceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceContext")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
