//! Kinesis data streams as a source.
//!
//! The shards of a stream are shared by all nodes that read it, by leases: a shard is read by the node that has its
//! lease, and how far it is acknowledged is written into the lease. A shard that was split or merged is read to its
//! end, and all of it acknowledged, before those that came of it are begun; so what one partition key says stays in
//! order.

mod aggregate;
mod api;
mod batch;
mod books;
#[cfg(test)]
mod fake;
mod lineage;
mod options;
mod place;
mod shard;
mod start;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_aws::SdkConfig;
use streamalert_store::{KeeperHandle, LeaseStore, StoreError};
use streamalert_types::{Position, Sequence, Source};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::api::{KinesisApi, KinesisClient};
use self::batch::{Batch, Item};
use self::books::Books;
use self::options::StreamId;
use self::start::Start;
use crate::payload::weight_of;
use crate::{
    Payload, PayloadForm, ProgressWatch, SourceContext, SourceError, SourceProgress, SourceReader,
    SourceStatus, StatusWatch,
};

pub use self::books::KinesisStatus;
pub use self::options::{KinesisOptions, KinesisStart};

/// Reads a stream, together with the other nodes that use the same leases.
///
/// Positions are the sequence numbers of Kinesis, and for records that the Kinesis Producer Library has aggregated
/// those and the index within the aggregate.
///
/// What is read and not acknowledged is bounded by the source's limits, over all shards together. A read is made when
/// there is room for what it may bring, judged by the records before it; when they suddenly grow, one read of each
/// shard may take up to 10 MB more.
///
/// Once it has started, no fault ends it: a call that fails is made again after a pause, and [`KinesisStatus`] and
/// the log tell of it.
pub struct KinesisSource {
    source: Arc<Source>,
    books: Arc<Books>,
    batches: mpsc::Receiver<Batch>,
    current: Option<Current>,
    keeper: KeeperHandle,
    finish_timeout: Duration,
    tasks: JoinSet<()>,
}

/// What is being handed out.
struct Current {
    batch: Batch,
    /// Taken out of the batch; waits until it may be open.
    item: Option<Item>,
}

impl KinesisSource {
    /// Begins to read.
    ///
    /// # Errors
    /// [`SourceError::Settings`] for a stream that is none or is in another region, or whose leases are those of
    /// another stream of its name; [`SourceError::Aws`] when the
    /// stream cannot be described or listed, or its consumer not be registered: it is missing, the region or the
    /// credentials are wrong, or an action is denied. What may pass by itself is tried for half a minute.
    /// [`SourceError::Checkpoint`] when the leases cannot be read.
    pub async fn start(
        options: KinesisOptions,
        leases: Arc<dyn LeaseStore>,
        context: SourceContext,
    ) -> Result<Self, SourceError> {
        let stream = StreamId::parse(&options.stream)?;
        let config = stream.access(&options.access)?.config().await;
        Self::start_with(&config, options, leases, context).await
    }

    /// The same with a client configuration that was made elsewhere, such as that of an emulator.
    ///
    /// # Errors
    /// See [`KinesisSource::start`].
    pub async fn start_with(
        config: &SdkConfig,
        options: KinesisOptions,
        leases: Arc<dyn LeaseStore>,
        context: SourceContext,
    ) -> Result<Self, SourceError> {
        let stream = StreamId::parse(&options.stream)?;
        let client = aws_sdk_kinesis::Client::new(config);
        let api = KinesisClient {
            client,
            stream: stream.clone(),
        };
        Self::start_on(Arc::new(api), stream.name, options, leases, context).await
    }

    async fn start_on(
        api: Arc<dyn KinesisApi>,
        name: String,
        options: KinesisOptions,
        leases: Arc<dyn LeaseStore>,
        context: SourceContext,
    ) -> Result<Self, SourceError> {
        let start = Start::new(api, name, options, leases, context);
        start.run().await
    }

    /// How the reading goes.
    #[must_use]
    pub fn status(&self) -> KinesisStatus {
        KinesisStatus {
            leases: self.keeper.churn(),
            ..self.books.status()
        }
    }

    /// Hands out the next payload of what was read last; `None` when there is nothing left of it.
    async fn hand_out(&mut self) -> Option<Payload> {
        let current = self.current.as_mut()?;
        let batch = &mut current.batch;
        // Kept there while it waits: the waiting may be dropped.
        if current.item.is_none() {
            current.item = match batch.loss.take() {
                Some(loss) => Some(loss.into_item(&batch.shard)),
                None => batch.records.next(),
            };
        }
        let Some(item) = &current.item else {
            self.books.advance(batch.generation, &batch.after, batch.ended);
            self.current = None;
            return None;
        };
        let weights = (weight_of(&item.body), item.body.len());
        let token = self.books.register(batch.generation, &item.after, weights).await;
        let (Some(token), Some(item)) = (token, current.item.take()) else {
            // Its lease is gone, or is being handed over.
            self.current = None;
            return None;
        };
        batch.room.spend(item.spent_bytes);
        let limits = self.books.limits();
        let (body, form) = if let Some(reason) = item.loss {
            (item.body, PayloadForm::Unreadable { reason })
        } else if item.body.len() > limits.record_bytes_max {
            let total_bytes = item.body.len() as u64;
            let head = item.body.slice(..limits.oversize_head_bytes.min(item.body.len()));
            (head, PayloadForm::Oversize { total_bytes })
        } else {
            (item.body, PayloadForm::Message)
        };
        Some(Payload {
            source: self.source.clone(),
            position: Position {
                partition: batch.shard.clone(),
                sequence: Sequence::Token(item.token),
            },
            body,
            form,
            token,
        })
    }
}

#[async_trait]
impl SourceReader for KinesisSource {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        loop {
            if let Some(payload) = self.hand_out().await {
                return Ok(Some(payload));
            }
            match self.batches.recv().await {
                Some(batch) => self.current = Some(Current { batch, item: None }),
                // A stream has no end, but those who read it may have died.
                None => {
                    return Err(SourceError::Checkpoint {
                        source_name: self.source.to_string(),
                        cause: StoreError::Refused {
                            reason: "nobody keeps the leases any more".to_owned(),
                        },
                    });
                }
            }
        }
    }

    fn name(&self) -> String {
        self.source.to_string()
    }

    fn progress(&self) -> SourceProgress {
        self.books.progress()
    }

    fn watch(&self) -> ProgressWatch {
        let books = self.books.clone();
        Arc::new(move || books.progress())
    }

    fn watch_status(&self) -> StatusWatch {
        let (books, keeper) = (self.books.clone(), self.keeper.clone());
        Arc::new(move || {
            SourceStatus::Kinesis(KinesisStatus {
                leases: keeper.churn(),
                ..books.status()
            })
        })
    }

    async fn finish(mut self: Box<Self>) -> Result<SourceProgress, SourceError> {
        // What is read and not handed out is read by whoever goes on.
        self.current = None;
        self.batches.close();
        while self.batches.try_recv().is_ok() {}
        let stopped = tokio::time::timeout(self.finish_timeout, self.keeper.stop()).await;
        if stopped.is_err() {
            tracing::warn!(source = %self.source, "leases are not handed over, they are left to expire");
        }
        self.tasks.shutdown().await;
        Ok(self.books.progress())
    }
}

#[cfg(test)]
mod tests;
