//! Sources: where payloads come from, and how far each source is processed.
//!
//! A [`SourceReader`] hands out [`Payload`]s. Each carries an [`AckToken`], to be used when everything that came
//! of the payload is durable; the acknowledged prefix of each partition is written as a checkpoint, and reading
//! resumes there after a crash.

mod payload;
mod reader;
mod tracker;

pub use payload::{AckTarget, AckToken, Payload, PayloadForm};
pub use reader::{SourceContext, SourceError, SourceLimits, SourceProgress, SourceReader};
pub use tracker::{Acked, Generation, PartitionName, PositionTracker, Ticket, Watermark};
