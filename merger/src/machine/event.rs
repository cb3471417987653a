use std::collections::BTreeMap;
use std::sync::Arc;

use streamalert_proto::NeighbourError;
use streamalert_store::{
    Accepted, DeliveryState, Fence, OutboxCursor, Pending, SettledDelivery, ShardId, StoreError, StoredAlert,
};
use streamalert_types::{Alert, AlertId, Delivery, DeliveryOutcome, OutputName, Timestamp};

use crate::groups::Closing;
use streamalert_detect::merge::Routed;

/// What happens to a lane.
#[derive(Debug)]
pub enum Event {
    /// A lease is held: load the shard and serve it.
    Own(Fence),
    /// A lease is lost: another node serves the shard now.
    Lost(ShardId),
    /// A lease could not be renewed for so long that another node may have it: nothing is begun until
    /// [`Event::Own`] or [`Event::Lost`] tells which.
    Suspend(ShardId),
    /// Another node is to go on with the shard: begin nothing, end what is open within the patience, forget it.
    /// Answered with [`Effect::HandedOver`].
    HandOver(ShardId),
    /// A page of the shard's grouped alerts.
    Grouped {
        /// Of which loading.
        load: u64,
        /// The shard.
        shard: ShardId,
        /// The page; an empty one is the last.
        page: Result<Vec<StoredAlert>, StoreError>,
    },
    /// What the shard has undelivered.
    Backlog {
        /// Of which loading.
        load: u64,
        /// The shard.
        shard: ShardId,
        /// How much, by output.
        counts: Result<BTreeMap<OutputName, u64>, StoreError>,
    },
    /// Alerts to be made durable; answered with [`Effect::Reply`].
    Arrived {
        /// Names the batch.
        batch: u64,
        /// The alerts, all of shards of this lane.
        alerts: Vec<Routed>,
    },
    /// What the store did with an [`Effect::Accept`].
    Accepted {
        /// Which.
        call: u64,
        /// Per alert.
        result: Result<Vec<Accepted>, StoreError>,
    },
    /// Time has passed.
    Tick,
    /// Close every open group now.
    CloseAll,
    /// What became of an [`Effect::Close`].
    Closed {
        /// Which.
        call: u64,
        /// What.
        outcome: CloseOutcome,
    },
    /// What the dispatcher did with an [`Effect::Deliver`].
    Delivered {
        /// The alert.
        alert: AlertId,
        /// The output.
        output: OutputName,
        /// How it ended.
        result: Result<DeliveryOutcome, NeighbourError>,
    },
    /// What an [`Effect::Look`] found.
    Looked {
        /// The alert that was to open the incident.
        first: AlertId,
        /// The alert that follows it.
        alert: AlertId,
        /// The output.
        output: OutputName,
        /// Where the delivery of the first stands.
        state: Result<DeliveryState, StoreError>,
    },
    /// What the store did with an [`Effect::Settle`].
    Settled {
        /// Under which right.
        fence: Fence,
        /// Whether it is durable.
        result: Result<(), StoreError>,
    },
    /// What an [`Effect::Page`] read.
    Paged {
        /// Of which loading of the shard.
        load: u64,
        /// The shard.
        shard: ShardId,
        /// The output.
        output: OutputName,
        /// The page; an empty one is the last.
        page: Result<Vec<Pending>, StoreError>,
    },
    /// What an [`Effect::Expire`] forgot.
    Expired {
        /// The shard.
        shard: ShardId,
        /// How many tombstones.
        result: Result<u64, StoreError>,
    },
    /// Stop: accept, deliver and close nothing new.
    Drain,
    /// No further event is ready: write what has gathered, fill the windows.
    Flush,
}

/// What a lane is to do.
#[derive(Debug)]
pub enum Effect {
    /// Answer a batch.
    Reply {
        /// Which.
        batch: u64,
        /// `Ok`: all of it is durable.
        result: Result<(), NeighbourError>,
    },
    /// Write alerts.
    Accept {
        /// Names the call.
        call: u64,
        /// The right to.
        fence: Fence,
        /// The alerts.
        alerts: Vec<StoredAlert>,
    },
    /// Read a page of grouped alerts.
    LoadGrouped {
        /// Of which loading.
        load: u64,
        /// The shard.
        shard: ShardId,
        /// After which alert.
        after: Option<(Timestamp, AlertId)>,
    },
    /// Read what is undelivered.
    LoadBacklog {
        /// Of which loading.
        load: u64,
        /// The shard.
        shard: ShardId,
    },
    /// Fetch the members of a group, merge them, close the group.
    Close {
        /// Names the call.
        call: u64,
        /// The right to.
        fence: Fence,
        /// The group.
        group: Arc<Closing>,
        /// Until when the members' tombstones are kept.
        tombstone_until: Timestamp,
    },
    /// Find out whether the output has the incident that an alert goes on with.
    Look {
        /// The shard of both alerts.
        shard: ShardId,
        /// The alert that was to open the incident.
        first: AlertId,
        /// The alert that follows it.
        alert: AlertId,
        /// The output.
        output: OutputName,
    },
    /// Hand an alert to the dispatcher.
    Deliver(Delivery),
    /// Write outcomes.
    Settle {
        /// The right to.
        fence: Fence,
        /// The outcomes.
        settled: Vec<SettledDelivery>,
        /// Until when the tombstones are kept.
        tombstone_until: Timestamp,
    },
    /// Read a page of an output's backlog.
    Page {
        /// Of which loading of the shard.
        load: u64,
        /// The shard.
        shard: ShardId,
        /// The output.
        output: OutputName,
        /// After which place.
        after: Option<OutboxCursor>,
        /// At most so many alerts.
        items_max: usize,
        /// At most so many bytes, beyond the first alert.
        bytes_max: usize,
    },
    /// Forget expired tombstones.
    Expire {
        /// The right to.
        fence: Fence,
        /// At most so many.
        items_max: usize,
    },
    /// The store says that the shard is not ours under this epoch.
    LeaseLost(Fence),
    /// No work is done on the shard any more, after [`Event::HandOver`].
    HandedOver(ShardId),
    /// Something an operator may want to know.
    Notice(Notice),
}

/// How closing a group went.
#[derive(Debug)]
pub enum CloseOutcome {
    /// It is closed.
    Closed {
        /// What it became.
        merged: Arc<Alert>,
        /// Whether that is new.
        accepted: Accepted,
    },
    /// It is closed, and nothing is to be sent: its only member went out at once.
    Silent,
    /// The store knows none of its members as open.
    Gone,
    /// Its members could not be read; nothing was written.
    Unread(StoreError),
    /// The store did not do it.
    Failed(StoreError),
}

/// Something an operator may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The store began to fail.
    StoreFailing(StoreError),
    /// The store works again.
    StoreRecovered,
    /// The dispatcher began to be unavailable.
    DispatcherFailing(NeighbourError),
    /// The dispatcher works again.
    DispatcherRecovered,
    /// The dispatcher will never take this delivery.
    Refused {
        /// The alert.
        alert: AlertId,
        /// The output.
        output: OutputName,
        /// Why.
        reason: String,
    },
    /// A shard is loaded and served.
    Serving(ShardId),
    /// A shard is another node's now.
    ShardLost(ShardId),
    /// The lease of a shard could not be renewed.
    Suspended(ShardId),
    /// A write may or may not have happened: the shard is loaded again to find out.
    Reloading(ShardId),
    /// Groups close before their window ends, for want of memory.
    ClosingEarly,
}
