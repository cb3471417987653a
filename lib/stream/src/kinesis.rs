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
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_aws::{Fault, FaultKind, SdkConfig};
use streamalert_store::{Keeper, KeeperHandle, KeeperOptions, LeaseStore, StoreError};
use streamalert_types::{Position, Sequence, Source};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use self::api::{KinesisApi, KinesisClient};
use self::batch::{Batch, Item};
use self::books::Books;
use self::lineage::Beginning;
use self::options::StreamId;
use self::shard::Desk;
use self::supervisor::{ListError, Lister, Supervisor};
use crate::payload::weight_of;
use crate::{Payload, PayloadForm, ProgressWatch, SourceContext, SourceError, SourceProgress, SourceReader};

pub use self::books::KinesisStatus;
pub use self::options::{KinesisOptions, KinesisStart};

/// Reads of all shards that wait to be handed out. Their bytes are bounded by the limits of the source, this is for
/// reads that bring nothing.
const BATCHES_MAX: usize = 64;
/// How far our clock may be ahead of that of AWS, when a stream is begun with what arrives from now on.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);
/// How long a new consumer may take to become usable.
const CONSUMER_TIMEOUT: Duration = Duration::from_secs(60);
const CONSUMER_LOOK: Duration = Duration::from_secs(1);
/// The pauses between attempts to start, doubled each time: half a minute in all.
const START_PAUSE_FIRST: Duration = Duration::from_millis(500);
const START_PAUSE_LAST: Duration = Duration::from_secs(16);
/// How long a call about a lease may take.
const LEASE_CALL_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// [`SourceError::Settings`] for a stream that is none or is in another region; [`SourceError::Aws`] when the
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
        let source = Arc::new(Source {
            service: "kinesis".into(),
            resource: name.as_str().into(),
            cluster: options.cluster.clone(),
        });
        let source_name = source.to_string();
        let aws = |fault| SourceError::Aws {
            source_name: source_name.clone(),
            fault,
        };
        let facts = patiently(Fault::is_retryable, || api.describe())
            .await
            .map_err(aws)?;
        let consumer = match &options.consumer {
            Some(name) => Some(consumer(&*api, &facts.arn, name).await.map_err(aws)?),
            None => None,
        };
        let prefix = format!("kinesis/{}/", options.lease_name.as_ref().unwrap_or(&name));
        let books = Books::new(source_name.as_str().into(), context.limits.clone());
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        let desk = Arc::new(Desk {
            api,
            books: books.clone(),
            clock: context.clock.clone(),
            batches: sender,
            shard_ended: Arc::new(Notify::new()),
            stream: name,
            consumer,
            retention: facts.retention,
            poll_interval: options.poll_interval,
            idle_interval: options.idle_interval,
            page_bytes_max: options.page_bytes_max,
        });
        let since = i64::try_from(CLOCK_TOLERANCE.as_millis()).expect("five minutes are few milliseconds");
        let lister = Lister {
            desk: desk.clone(),
            leases: leases.clone(),
            prefix: prefix.clone(),
            beginning: match options.start {
                KinesisStart::TrimHorizon => Beginning::Horizon,
                KinesisStart::Latest => Beginning::Moment(context.clock.now().as_micros() / 1000 - since),
            },
            interval: options.list_interval,
        };
        let listed = patiently(ListError::is_retryable, || lister.list()).await;
        listed.map_err(|error| match error {
            ListError::Stream(fault) => aws(fault),
            ListError::Leases(cause) => SourceError::Checkpoint {
                source_name: source_name.clone(),
                cause,
            },
        })?;
        let finish_timeout = options.hand_over_timeout + options.leases.term / 2;
        let keeping = KeeperOptions {
            coordinator: options.leases,
            prefix: prefix.clone(),
            address: None,
            call_timeout: LEASE_CALL_TIMEOUT,
        };
        let (keeper, handle, news) = Keeper::new(keeping, leases, context.clock);
        let supervisor = Supervisor {
            desk,
            keeper: handle.clone(),
            news,
            prefix,
            checkpoint_interval: context.limits.checkpoint_interval,
            hand_over_timeout: options.hand_over_timeout,
            work: std::collections::BTreeMap::new(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.run());
        tasks.spawn(supervisor.run());
        tasks.spawn(lister.run());
        Ok(Self {
            source,
            books,
            batches,
            current: None,
            keeper: handle,
            finish_timeout,
            tasks,
        })
    }

    /// How the reading goes.
    #[must_use]
    pub fn status(&self) -> KinesisStatus {
        self.books.status()
    }

    /// [`KinesisSource::status`] for somebody else, at any time.
    #[must_use]
    pub fn watch_status(&self) -> Arc<dyn Fn() -> KinesisStatus + Send + Sync> {
        let books = self.books.clone();
        Arc::new(move || books.status())
    }

    /// Hands out the next payload of what was read last; `None` when there is nothing left of it.
    async fn hand_out(&mut self) -> Option<Payload> {
        let current = self.current.as_mut()?;
        let batch = &mut current.batch;
        // Kept there while it waits: the waiting may be dropped.
        if current.item.is_none() {
            current.item = batch.records.next();
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
        let (body, form) = if item.body.len() > limits.record_bytes_max {
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

/// The consumer to subscribe as, registered if it is not.
async fn consumer(api: &dyn KinesisApi, stream_arn: &str, name: &str) -> Result<String, Fault> {
    let mut waited = Duration::ZERO;
    while waited < CONSUMER_TIMEOUT {
        let found = patiently(Fault::is_retryable, || api.find_consumer(stream_arn, name)).await?;
        let found = match found {
            Some(found) => Some(found),
            None => match patiently(Fault::is_retryable, || api.register_consumer(stream_arn, name)).await {
                Ok(found) => Some(found),
                // Another node has just done it.
                Err(fault) if fault.code == "ResourceInUseException" => None,
                Err(fault) => return Err(fault),
            },
        };
        if let Some(found) = found.filter(|found| found.active) {
            return Ok(found.arn);
        }
        tokio::time::sleep(CONSUMER_LOOK).await;
        waited += CONSUMER_LOOK;
    }
    Err(Fault {
        action: "kinesis:DescribeStreamConsumer",
        kind: FaultKind::Unknown,
        code: String::new(),
        reason: format!("consumer {name} is not active after {CONSUMER_TIMEOUT:?}"),
    })
}

/// Makes a call again that may succeed then: many nodes that start together are throttled.
async fn patiently<T, E, F>(is_retryable: fn(&E) -> bool, mut call: impl FnMut() -> F) -> Result<T, E>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut pause = START_PAUSE_FIRST;
    loop {
        match call().await {
            Err(error) if is_retryable(&error) && pause <= START_PAUSE_LAST => {
                tracing::warn!(%error, "kinesis source cannot start yet, trying again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            result => return result,
        }
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
