//! Between the keeper of the leases and the lanes that work on the shards.

use std::time::Duration;

use streamalert_store::coordinator::{CoordinatorOptions, Loss};
use streamalert_store::{Fence, KeeperHandle, KeeperOptions, LeaseStore, News, ShardId, create_leases};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::lane::{Message, Report};
use crate::options::MergerOptions;
use crate::service::StartError;

/// How long changes of owners are gathered before they are told: leases come one by one.
const GATHER: Duration = Duration::from_secs(1);

/// What the keys of the shards begin with.
const PREFIX: &str = "merger/";

/// The pause between two attempts to read or create the leases.
const PAUSE: Duration = Duration::from_secs(1);

/// Calls about leases are small; one that takes this long is better made again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The key of a shard's lease.
pub(crate) fn key(shard: ShardId) -> String {
    format!("{PREFIX}{}", shard.0)
}

fn shard_of(key: &str) -> Option<ShardId> {
    key.strip_prefix(PREFIX)?.parse().ok().map(ShardId)
}

/// Makes sure that every shard has a lease.
pub(crate) async fn create(
    store: &dyn LeaseStore,
    shards: u16,
    patience: Duration,
) -> Result<(), StartError> {
    let deadline = Instant::now() + patience;
    loop {
        match create_leases(store, PREFIX, shards.max(1)).await {
            Ok(()) => return Ok(()),
            Err(problem) if !problem.is_retryable() || Instant::now() >= deadline => {
                return Err(StartError::Store(problem));
            }
            Err(problem) => warn!(%problem, "leases not available yet, waiting"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(crate) fn keeper_options(options: &MergerOptions) -> KeeperOptions {
    KeeperOptions {
        coordinator: CoordinatorOptions {
            term: options.lease,
            alone: options.alone,
            ..CoordinatorOptions::new(&*options.node)
        },
        prefix: PREFIX.to_owned(),
        address: options.address.clone(),
        call_timeout: CALL_TIMEOUT,
    }
}

/// Carries news of the keeper to the lanes, and reports of the lanes to the keeper.
pub(crate) struct Courier {
    pub(crate) keeper: KeeperHandle,
    pub(crate) news: mpsc::UnboundedReceiver<News>,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
    pub(crate) lanes: Vec<mpsc::Sender<Message>>,
    /// Told when the lanes know of everything that could be taken from the start.
    pub(crate) started: Option<oneshot::Sender<()>>,
    /// What has changed since it was last told.
    pub(crate) changes: Changes,
}

/// Shards that came and went, told together: a node that dies leaves dozens at once.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    taken: u32,
    asked_for: u32,
    lost: u32,
    /// When they are told at the latest; `None` while there are none.
    due: Option<Instant>,
}

impl Changes {
    fn note(&mut self, count: fn(&mut Self) -> &mut u32) {
        *count(self) += 1;
        self.due.get_or_insert_with(|| Instant::now() + GATHER);
    }

    fn tell(&mut self) {
        let Self {
            taken,
            asked_for,
            lost,
            due: _,
        } = std::mem::take(self);
        if taken + asked_for + lost > 0 {
            info!(taken, asked_for, lost, "shards change hands");
        }
    }
}

impl Courier {
    /// Until the keeper has ended.
    pub(crate) async fn run(mut self) {
        loop {
            let due = self.changes.due;
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.changes.tell(),
                Some(report) = self.reports.recv() => match report {
                    Report::Fenced(fence) => self.keeper.fenced(key(fence.shard), fence.epoch),
                    Report::HandedOver(shard) => self.keeper.handed_over(key(shard)),
                },
                news = self.news.recv() => match news {
                    Some(news) => self.pass(news).await,
                    None => {
                        self.changes.tell();
                        return;
                    }
                },
            }
        }
    }

    async fn pass(&mut self, news: News) {
        let (key, message): (_, fn(ShardId) -> Message) = match news {
            News::Own(lease) => {
                if let Some(shard) = shard_of(&lease.key) {
                    let epoch = lease.epoch;
                    self.changes.note(|changes| &mut changes.taken);
                    self.tell(shard, Message::Own(Fence { shard, epoch })).await;
                }
                return;
            }
            News::Started => {
                self.changes.tell();
                // An error says that nobody waits any more.
                let _ = self.started.take().map(|started| started.send(()));
                return;
            }
            // The merger notes nothing with its leases.
            News::Checkpointed { .. } => return,
            News::HandOver { key, .. } => {
                self.changes.note(|changes| &mut changes.asked_for);
                (key, Message::HandOver)
            }
            News::Lost { key, loss } => {
                self.changes.note(|changes| &mut changes.lost);
                match loss {
                    Loss::Taken => (key, Message::Lost),
                    Loss::Expired => (key, Message::Suspend),
                }
            }
        };
        match shard_of(&key) {
            Some(shard) => self.tell(shard, message(shard)).await,
            // Not a shard: there is no work to end.
            None => self.keeper.handed_over(key),
        }
    }

    async fn tell(&self, shard: ShardId, message: Message) {
        // A lane that has ended needs to know nothing.
        let _ = self.lanes[usize::from(shard.0) % self.lanes.len()]
            .send(message)
            .await;
    }
}

#[cfg(test)]
mod tests;
