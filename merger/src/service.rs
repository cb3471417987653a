use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::stream::FuturesUnordered;
use streamalert_proto::Deliveries;
use streamalert_store::{AlertStore, LeaseStore, ShardId, StoreError};
use streamalert_types::Clock;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::handle::MergerHandle;
use crate::lane::{Lane, MESSAGES_MAX};
use crate::leases::Keeper;
use crate::machine::Machine;
use crate::options::MergerOptions;

/// The merger service.
#[derive(Debug)]
pub struct Merger;

/// Why a merger did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Another node works on shards of this one.
    #[error("{shards} shards are served by another node, the first is {shard}")]
    LeaseHeld {
        /// The first of them.
        shard: u16,
        /// How many.
        shards: usize,
    },
    /// The store does not give the leases.
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
    /// Takes the leases of all shards, loads what the store has of them, and serves. What was undelivered is
    /// being delivered when this returns, and groups whose window is over are being closed.
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
        let (lost, lost_shards) = mpsc::unbounded_channel();
        let (release, releases) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        let mut lanes = Vec::new();
        for _ in 0..options.lanes.max(1) {
            let (sender, messages) = mpsc::channel(MESSAGES_MAX);
            let lane = Lane {
                machine: Machine::new(options.per_lane()),
                store: Arc::clone(&store),
                deliveries: Arc::clone(&deliveries),
                clock: Arc::clone(&clock),
                messages,
                lost: lost.clone(),
                calls: FuturesUnordered::new(),
                replies: HashMap::new(),
                waiting: Vec::new(),
                drain: None,
                batches: 0,
            };
            tasks.spawn(lane.run());
            lanes.push(sender);
        }
        let handle = MergerHandle::new(lanes.clone(), release, &options);
        let mut keeper = Keeper {
            store: leases,
            clock,
            node: options.node,
            duration: options.lease,
            lanes,
            held: BTreeMap::new(),
            wanted: (0..options.shards.max(1)).map(ShardId).collect(),
            seen: BTreeMap::new(),
            lost: lost_shards,
            release: releases,
        };
        keeper.take_all().await?;
        tasks.spawn(keeper.run());
        handle.wait_serving().await;
        Ok((handle, MergerTask { tasks }))
    }
}
