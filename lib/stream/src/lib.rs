//! Sources: where payloads come from, and how far each source is processed.
//!
//! A [`SourceReader`] hands out [`Payload`]s. Each carries an [`AckToken`], to be used when everything that came
//! of the payload is durable; the acknowledged prefix of each partition is written as a checkpoint, and reading
//! resumes there after a crash.

mod documents;
mod file_source;
mod folder;
mod http_source;
mod intake;
mod kinesis;
mod known;
mod lines;
mod medium;
mod packing;
mod payload;
mod pump;
mod reader;
mod splitter;
mod tracker;

pub use file_source::FileSource;
pub use http_source::{HttpOptions, HttpSource};
pub use kinesis::{KinesisOptions, KinesisSource, KinesisStart, KinesisStatus};
pub use payload::{AckTarget, AckToken, Payload, PayloadForm};
pub use reader::{ProgressWatch, SourceContext, SourceError, SourceLimits, SourceProgress, SourceReader};
pub use tracker::{Acked, Generation, PartitionName, PositionTracker, Ticket, Watermark};
