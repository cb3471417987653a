//! How the reading of a stream begins.

use std::sync::Arc;
use std::time::Duration;

use streamalert_aws::{Fault, FaultKind};
use streamalert_store::{Keeper, KeeperOptions, Lease, LeaseStore, StoreError};
use streamalert_types::Source;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::api::{KinesisApi, StreamFacts};
use super::books::Books;
use super::lineage::Beginning;
use super::shard::Desk;
use super::supervisor::{ListError, Lister, Supervisor};
use super::{KinesisOptions, KinesisSource, KinesisStart};
use crate::jitter::Jitter;
use crate::{SourceContext, SourceError};

/// Reads of all shards that wait to be handed out. Their bytes are bounded by the limits of the source, this is for
/// reads that bring nothing.
const BATCHES_MAX: usize = 64;
/// How far our clock may be ahead of that of AWS, when a stream is begun with what arrives from now on.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);
/// How long a new consumer may take to become usable.
const CONSUMER_TIMEOUT: Duration = Duration::from_secs(60);
const CONSUMER_LOOK: Duration = Duration::from_secs(1);
/// The pauses between attempts to start, doubled each time: up to half a minute in all.
const START_PAUSE_FIRST: Duration = Duration::from_millis(500);
const START_PAUSE_LAST: Duration = Duration::from_secs(16);
/// Which stream the leases of a name belong to: `stream/<lease name>`, with its ARN as the checkpoint.
const STREAM_PREFIX: &str = "stream/";
/// How long a call about a lease may take.
const LEASE_CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What the reading of a stream begins with.
pub(super) struct Start {
    api: Arc<dyn KinesisApi>,
    name: String,
    options: KinesisOptions,
    leases: Arc<dyn LeaseStore>,
    context: SourceContext,
    source: Arc<Source>,
    jitter: Arc<Jitter>,
}

impl Start {
    pub(super) fn new(
        api: Arc<dyn KinesisApi>,
        name: String,
        options: KinesisOptions,
        leases: Arc<dyn LeaseStore>,
        context: SourceContext,
    ) -> Self {
        let source = Arc::new(Source {
            service: "kinesis".into(),
            resource: name.as_str().into(),
            cluster: options.cluster.clone(),
        });
        let jitter = Arc::new(Jitter::new(options.seed));
        Self {
            api,
            name,
            options,
            leases,
            context,
            source,
            jitter,
        }
    }

    /// See [`KinesisSource::start`].
    pub(super) async fn run(self) -> Result<KinesisSource, SourceError> {
        let facts = patiently(&self.jitter, Fault::is_retryable, || self.api.describe()).await;
        let facts = facts.map_err(|fault| self.aws(fault))?;
        let claimed = patiently(&self.jitter, StoreError::is_retryable, || self.claim(&facts.arn)).await;
        if let Some(other) = claimed.map_err(|cause| self.checkpoint(cause))? {
            return Err(self.of_another(&facts.arn, &other));
        }
        let consumer = match &self.options.consumer {
            Some(name) => {
                let found = consumer(&self.jitter, &*self.api, &facts.arn, name).await;
                Some(found.map_err(|fault| self.aws(fault))?)
            }
            None => None,
        };
        let books = Books::new(self.source.to_string().into(), self.context.limits.clone());
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        let desk = Arc::new(self.desk(&facts, consumer, books.clone(), sender));
        let lister = self.lister(desk.clone());
        let listed = patiently(&self.jitter, ListError::is_retryable, || lister.list()).await;
        listed.map_err(|error| match error {
            ListError::Stream(fault) => self.aws(fault),
            ListError::Leases(cause) => self.checkpoint(cause),
        })?;
        Ok(self.begin(desk, lister, batches))
    }

    fn lease_name(&self) -> &str {
        self.options.lease_name.as_ref().unwrap_or(&self.name)
    }

    /// What the keys of the shards' leases begin with.
    fn prefix(&self) -> String {
        format!("kinesis/{}/", self.lease_name())
    }

    fn aws(&self, fault: Fault) -> SourceError {
        SourceError::Aws {
            source_name: self.source.to_string(),
            fault,
        }
    }

    fn checkpoint(&self, cause: StoreError) -> SourceError {
        SourceError::Checkpoint {
            source_name: self.source.to_string(),
            cause,
        }
    }

    /// Notes that the leases of this name are those of this stream, for good. Answers with the stream that they
    /// belong to, if that is another: shards of two streams bear the same ids, so that each would be read from the
    /// other's places, or not at all.
    async fn claim(&self, arn: &str) -> Result<Option<String>, StoreError> {
        let key = format!("{STREAM_PREFIX}{}", self.lease_name());
        let claim = Lease {
            checkpoint: Some(arn.to_owned()),
            updated: self.context.clock.now(),
            ..Lease::free(&key)
        };
        self.leases.create(vec![claim]).await?;
        let claims = self.leases.list(&key).await?;
        let claim = claims.into_iter().find(|claim| claim.key == key);
        Ok(claim
            .and_then(|claim| claim.checkpoint)
            .filter(|owner| owner != arn))
    }

    fn of_another(&self, arn: &str, other: &str) -> SourceError {
        let name = self.lease_name();
        SourceError::Settings {
            reason: format!(
                "{}: the leases named {name:?} are those of {other}, not of {arn}; give this source a lease_name of its \
                 own, or, if the other stream is gone for good, remove the lease {STREAM_PREFIX}{name} and those under {}",
                self.source,
                self.prefix()
            ),
        }
    }

    fn desk(
        &self,
        facts: &StreamFacts,
        consumer: Option<String>,
        books: Arc<Books>,
        batches: mpsc::Sender<super::Batch>,
    ) -> Desk {
        Desk {
            api: self.api.clone(),
            books,
            clock: self.context.clock.clone(),
            batches,
            shard_ended: Arc::new(Notify::new()),
            stream: self.name.clone(),
            consumer,
            retention: facts.retention,
            poll_interval: self.options.poll_interval,
            idle_interval: self.options.idle_interval,
            page_bytes_max: self.options.page_bytes_max,
            jitter: self.jitter.clone(),
        }
    }

    fn lister(&self, desk: Arc<Desk>) -> Lister {
        let since = i64::try_from(CLOCK_TOLERANCE.as_millis()).expect("five minutes are few milliseconds");
        Lister {
            desk,
            leases: self.leases.clone(),
            prefix: self.prefix(),
            beginning: match self.options.start {
                KinesisStart::TrimHorizon => Beginning::Horizon,
                KinesisStart::Latest => {
                    Beginning::Moment(self.context.clock.now().as_micros() / 1000 - since)
                }
            },
            interval: self.options.list_interval,
        }
    }

    /// Sets everything to work.
    fn begin(self, desk: Arc<Desk>, lister: Lister, batches: mpsc::Receiver<super::Batch>) -> KinesisSource {
        let (prefix, books) = (self.prefix(), desk.books.clone());
        let finish_timeout = self.options.hand_over_timeout + self.options.leases.term / 2;
        let keeping = KeeperOptions {
            coordinator: self.options.leases,
            prefix: prefix.clone(),
            address: None,
            call_timeout: LEASE_CALL_TIMEOUT,
        };
        let (keeper, handle, news) = Keeper::new(keeping, self.leases, self.context.clock);
        let supervisor = Supervisor {
            desk,
            keeper: handle.clone(),
            news,
            prefix,
            checkpoint_interval: self.context.limits.checkpoint_interval,
            hand_over_timeout: self.options.hand_over_timeout,
            work: std::collections::BTreeMap::new(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.run());
        tasks.spawn(supervisor.run());
        tasks.spawn(lister.run());
        KinesisSource {
            source: self.source,
            books,
            batches,
            current: None,
            keeper: handle,
            finish_timeout,
            tasks,
        }
    }
}

/// The consumer to subscribe as, registered if it is not.
async fn consumer(
    jitter: &Jitter,
    api: &dyn KinesisApi,
    stream_arn: &str,
    name: &str,
) -> Result<String, Fault> {
    let mut waited = Duration::ZERO;
    while waited < CONSUMER_TIMEOUT {
        let found = patiently(jitter, Fault::is_retryable, || {
            api.find_consumer(stream_arn, name)
        })
        .await?;
        let found = match found {
            Some(found) => Some(found),
            None => match patiently(jitter, Fault::is_retryable, || {
                api.register_consumer(stream_arn, name)
            })
            .await
            {
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
async fn patiently<T, E, F>(
    jitter: &Jitter,
    is_retryable: fn(&E) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, E>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut pause = START_PAUSE_FIRST;
    loop {
        match call().await {
            Err(error) if is_retryable(&error) && pause <= START_PAUSE_LAST => {
                tracing::warn!(%error, "kinesis source cannot start yet, trying again");
                tokio::time::sleep(jitter.shorten(pause)).await;
                pause *= 2;
            }
            result => return result,
        }
    }
}
