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
mod jitter;
mod kinesis;
mod known;
mod lines;
mod medium;
mod packing;
mod payload;
mod pump;
mod reader;
mod s3;
mod sns;
mod splitter;
mod sqs;
mod tracker;

pub use file_source::FileSource;
pub use http_source::{HttpOptions, HttpSource};
pub use kinesis::{KinesisOptions, KinesisSource, KinesisStart, KinesisStatus};
pub use payload::{AckTarget, AckToken, Payload, PayloadForm};
pub use reader::{
    ProgressWatch, SourceContext, SourceError, SourceLimits, SourceProgress, SourceReader, SourceStatus,
    StatusWatch,
};
pub use s3::{AwsS3, GetRequest, ObjectBody, ObjectChunks, S3Api, S3Options, S3Source};
pub use sns::{Fetch, HttpsFetch, SnsCounts, SnsOptions, SnsSource};
pub use sqs::{
    AwsSqs, EntryFault, QueueCounts, QueueMessage, QueueOptions, ReceiveRequest, SqsApi, SqsContent,
    SqsOptions, SqsSource,
};
pub use tracker::{Acked, Generation, PartitionName, PositionTracker, Ticket, Watermark};
