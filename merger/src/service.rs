use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures::stream::FuturesUnordered;
use streamalert_proto::Deliveries;
use streamalert_store::{AlertStore, Keeper, LeaseStore, StoreError};
use streamalert_types::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use crate::handle::MergerHandle;
use crate::lane::{Lane, MESSAGES_MAX};
use crate::leases::{self as shards, Courier};
use crate::machine::Machine;
use crate::options::MergerOptions;

/// The merger service.
#[derive(Debug)]
pub struct Merger;

/// Why a merger did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The store does not show the leases or lets none be taken.
    #[error("leases cannot be taken: {0}")]
    Store(StoreError),
}

/// The tasks of a running merger. Dropping it kills them at once, as a crash would; see
/// [`MergerHandle::drain`] for a stop in good order.
#[derive(Debug)]
pub struct MergerTask {
    tasks: JoinSet<()>,
}

impl MergerTask {
    /// Waits until the merger has ended, after [`MergerHandle::drain`].
    ///
    /// # Errors
    /// When a task panicked: the others are stopped, and the process should end too.
    pub async fn join(mut self) -> Result<(), JoinError> {
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }
}

impl Merger {
    /// Takes the leases that are free, or was this node's before, loads what the store has of their shards, and
    /// serves. What was undelivered there is being delivered when this returns, and groups whose window is over are
    /// being closed. Further shards come when other nodes end, or have handed over this one's share.
    ///
    /// Shards are shared by [`MergerOptions::lanes`] actors, shard s by lane s mod lanes, rather than having one
    /// each: 256 mostly idle tasks with a timer each would cost more than they isolate, since the store commits
    /// all shards together and a delivery that hangs occupies no task. What a shard needs of its own (epoch,
    /// phase, open calls) is a value in the lane's machine.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        options: MergerOptions,
        store: Arc<dyn AlertStore>,
        leases: Arc<dyn LeaseStore>,
        deliveries: Arc<dyn Deliveries>,
        clock: Arc<dyn Clock>,
    ) -> Result<(MergerHandle, MergerTask), StartError> {
        let (reports, from_lanes) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut lanes = Vec::new();
        for _ in 0..options.lanes.max(1) {
            let (sender, messages) = mpsc::channel(MESSAGES_MAX);
            let lane = Lane {
                machine: Machine::new(options.per_lane()),
                store: Arc::clone(&store),
                deliveries: Arc::clone(&deliveries),
                clock: Arc::clone(&clock),
                tracer: options.tracer.clone(),
                messages,
                reports: reports.clone(),
                calls: FuturesUnordered::new(),
                answered: VecDeque::new(),
                replies: HashMap::new(),
                waiting: Vec::new(),
                drain: None,
                batches: 0,
            };
            tasks.spawn(lane.run());
            lanes.push(sender);
        }
        shards::create(&*leases, options.shards, options.lease * 2).await?;
        let (keeper, kept, news) = Keeper::new(shards::keeper_options(&options), leases, Arc::clone(&clock));
        let handle = MergerHandle::new(lanes.clone(), kept.clone(), &options, clock);
        let (started, wait_started) = oneshot::channel();
        let courier = Courier {
            keeper: kept,
            news,
            reports: from_lanes,
            lanes,
            started: Some(started),
            changes: crate::leases::Changes::default(),
        };
        tasks.spawn(keeper.run());
        tasks.spawn(courier.run());
        if !matches!(timeout(options.lease * 2, wait_started).await, Ok(Ok(()))) {
            return Err(StartError::Store(StoreError::Unavailable {
                reason: "no lease was given within two terms".to_owned(),
            }));
        }
        handle.wait_serving().await;
        Ok((handle, MergerTask { tasks }))
    }
}
