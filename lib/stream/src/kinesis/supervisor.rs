//! The shards that this node owns: begun, noted, handed over and let go as the leases say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use streamalert_aws::Fault;
use streamalert_store::{KeeperHandle, Lease, LeaseStore, News, SHARD_END, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::lineage::{Beginning, plan};
use super::place::Place;
use super::shard::{Desk, ShardReader};
use crate::{Generation, Watermark};

/// How often it is looked whether a shard that is handed over is acknowledged.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// Follows the leases of one stream.
pub(super) struct Supervisor {
    pub(super) desk: Arc<Desk>,
    pub(super) keeper: KeeperHandle,
    pub(super) news: mpsc::UnboundedReceiver<News>,
    pub(super) prefix: String,
    pub(super) checkpoint_interval: Duration,
    pub(super) hand_over_timeout: Duration,
    pub(super) work: BTreeMap<String, Work>,
}

/// A shard that this node reads.
pub(super) struct Work {
    generation: Generation,
    reading: Option<Reading>,
    /// What is on its way into the lease.
    sent: Option<(String, Watermark)>,
    /// Until when its hand-over waits.
    hand_over: Option<Instant>,
}

/// A task that ends with this.
struct Reading(JoinHandle<()>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

enum Woken {
    News(Option<News>),
    Look,
}

impl Supervisor {
    /// Works until the keeper of the leases has ended.
    pub(super) async fn run(mut self) {
        let mut look = Instant::now() + self.checkpoint_interval;
        loop {
            let draining = self.work.values().any(|work| work.hand_over.is_some());
            if draining {
                look = look.min(Instant::now() + DRAIN_LOOK);
            }
            let woken = tokio::select! {
                biased;
                news = self.news.recv() => Woken::News(news),
                () = tokio::time::sleep_until(look) => Woken::Look,
            };
            match woken {
                Woken::News(Some(news)) => self.heard(news),
                Woken::News(None) => break,
                Woken::Look => {
                    self.note();
                    self.hand_over();
                    look = Instant::now() + self.checkpoint_interval;
                }
            }
        }
        for work in std::mem::take(&mut self.work).into_values() {
            self.desk.books.close(work.generation);
        }
    }

    fn heard(&mut self, news: News) {
        match news {
            News::Own(lease) => self.begin(&lease),
            News::HandOver { key, to } => {
                let Some(work) = self.work.get_mut(&key) else {
                    self.keeper.handed_over(key);
                    return;
                };
                info!(%key, to = to.as_deref(), "shard is handed over");
                work.reading = None;
                work.hand_over = Some(Instant::now() + self.hand_over_timeout);
                self.desk.books.drain(work.generation);
            }
            News::Lost { key, loss } => {
                if let Some(work) = self.work.remove(&key) {
                    warn!(%key, ?loss, "shard is lost, whoever has it goes on from its checkpoint");
                    self.desk.books.close(work.generation);
                }
            }
            News::Checkpointed { key, checkpoint } => self.noted(&key, &checkpoint),
            News::Started => {}
        }
    }

    fn begin(&mut self, lease: &Lease) {
        let Some(shard) = lease.key.strip_prefix(&self.prefix) else {
            return;
        };
        if lease.is_finished() {
            return;
        }
        let shard: Arc<str> = shard.into();
        let place = match lease.checkpoint.as_deref() {
            None => Place::Horizon,
            // Reading again is safe, skipping is not.
            Some(text) => Place::parse(text).unwrap_or_else(|| {
                warn!(%shard, checkpoint = text, "checkpoint is no place in a shard, reading from the oldest record");
                Place::Horizon
            }),
        };
        info!(%shard, from = %place, epoch = lease.epoch, "shard is read");
        let generation = self.desk.books.open(&shard, &place);
        let reader = ShardReader::new(self.desk.clone(), shard, generation, place);
        let work = Work {
            generation,
            reading: Some(Reading(tokio::spawn(reader.run()))),
            sent: None,
            hand_over: None,
        };
        if let Some(before) = self.work.insert(lease.key.clone(), work) {
            self.desk.books.close(before.generation);
        }
    }

    /// Sends on their way the watermarks that are ahead of their leases.
    fn note(&mut self) {
        let due: BTreeMap<Generation, Watermark> = self.desk.books.due().into_iter().collect();
        for (key, work) in &mut self.work {
            let Some(watermark) = due.get(&work.generation) else {
                continue;
            };
            let text = match watermark.finished {
                true => SHARD_END.to_owned(),
                false => watermark.sequence.to_string(),
            };
            if work.sent.as_ref().is_none_or(|(sent, _)| *sent != text) {
                self.keeper.checkpoint(key.clone(), text.clone());
                work.sent = Some((text, watermark.clone()));
            }
        }
    }

    fn noted(&mut self, key: &str, checkpoint: &str) {
        let Some(work) = self.work.get_mut(key) else {
            return;
        };
        if let Some((_, watermark)) = work.sent.take_if(|(sent, _)| sent == checkpoint) {
            self.desk.books.written(work.generation, &watermark);
        }
        if checkpoint == SHARD_END
            && let Some(work) = self.work.remove(key)
        {
            self.desk.books.close(work.generation);
            // Those that came of it may be begun now.
            self.desk.shard_ended.notify_one();
        }
    }

    /// Gives back what is acknowledged, or was not in time.
    fn hand_over(&mut self) {
        let now = Instant::now();
        let (books, keeper) = (&self.desk.books, &self.keeper);
        self.work.retain(|key, work| {
            let Some(deadline) = work.hand_over else {
                return true;
            };
            let drained = books.is_drained(work.generation);
            if !drained && now < deadline {
                return true;
            }
            if !drained {
                warn!(%key, "shard is handed over with payloads that are not acknowledged; they are read again");
            }
            // The checkpoint is on its way, and is written before the lease is released.
            books.close(work.generation);
            keeper.handed_over(key.clone());
            false
        });
    }
}

/// Asks the stream for its shards now and then, and makes leases of them.
pub(super) struct Lister {
    pub(super) desk: Arc<Desk>,
    pub(super) leases: Arc<dyn LeaseStore>,
    pub(super) prefix: String,
    pub(super) beginning: Beginning,
    pub(super) interval: Duration,
}

/// Why the shards of a stream are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    #[error(transparent)]
    Stream(#[from] Fault),
    #[error(transparent)]
    Leases(#[from] StoreError),
}

impl ListError {
    pub(super) const fn is_retryable(&self) -> bool {
        match self {
            Self::Stream(fault) => fault.is_retryable(),
            Self::Leases(cause) => cause.is_retryable(),
        }
    }
}

impl Lister {
    /// Works for ever.
    pub(super) async fn run(self) {
        let mut failing = false;
        loop {
            let pause = if failing {
                self.interval.min(Duration::from_secs(5))
            } else {
                self.interval
            };
            tokio::select! {
                biased;
                () = self.desk.shard_ended.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            let result = self.list().await;
            match &result {
                Err(error) if !failing => {
                    self.desk.books.count(|status| status.failed += 1);
                    warn!(stream = %self.desk.stream, %error, "shards are not listed, new ones are not read until they are");
                }
                Ok(()) if failing => info!(stream = %self.desk.stream, "shards are listed again"),
                _ => {}
            }
            failing = result.is_err();
        }
    }

    /// Asks once.
    pub(super) async fn list(&self) -> Result<(), ListError> {
        // The leases first: a shard whose lease was removed meanwhile is then not listed any more either.
        let leases = self.leases.list(&self.prefix).await?;
        let shards = self.desk.api.list_shards().await?;
        let leases = leases
            .into_iter()
            .map(|lease| (lease.key.clone(), lease))
            .collect();
        let plan = plan(&self.prefix, &shards, &leases, self.beginning);
        for step in plan.create {
            let (count, first) = (step.len(), step.first().map(|lease| lease.key.clone()));
            self.leases.create(step).await?;
            info!(stream = %self.desk.stream, count, first, "leases of new shards");
        }
        for lease in plan.remove {
            self.leases.remove(&lease).await?;
        }
        Ok(())
    }
}
