//! Every decision of a lane, without a runtime: `apply(event) -> effects`.

mod accept;
mod closing;
mod delivery;
mod event;
mod handover;
mod ownership;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use streamalert_proto::NeighbourError;
use streamalert_store::{Fence, ShardId, StoreError};
use streamalert_types::{AlertId, GroupId, IdSet, OutputName, Timestamp};

pub(crate) use accept::pending_outputs;
pub(crate) use closing::merged_alert;
pub use event::{CloseOutcome, Effect, Event, Notice};

use crate::groups::{Closing, Groups, Limits};
use crate::options::MergerOptions;
use crate::outbox::{Outbox, WindowLimits};
use crate::stats::MergerStats;
use crate::steady::SteadyClock;

use accept::{AcceptCall, Batch};
use closing::CloseCall;
use ownership::{Phase, Shard};

/// One lane: the shards it owns, their open groups and their outbox.
#[derive(Debug)]
pub struct Machine {
    options: MergerOptions,
    clock: SteadyClock,
    wall: Timestamp,
    shards: BTreeMap<ShardId, Shard>,
    groups: Groups,
    outbox: Outbox,
    /// Batches whose alerts are not all durable yet.
    batches: HashMap<u64, Batch>,
    accepts: BTreeMap<u64, AcceptCall>,
    /// Keys whose first alert is being made durable, to go out at once.
    opening: IdSet<GroupId>,
    /// Updates that wait for the outcome of an alert at an output: by those, the alert that waits.
    held: BTreeMap<(AlertId, OutputName), AlertId>,
    /// Complete groups that wait for their turn to be closed.
    ready: VecDeque<Closing>,
    closes: BTreeMap<u64, CloseCall>,
    closing_bytes: usize,
    /// Close all open groups, and those still being loaded.
    closing_all: bool,
    retries: BTreeMap<(Timestamp, u64), Retry>,
    /// Shards with outcomes to write.
    unsettled: BTreeSet<ShardId>,
    expire_due: Timestamp,
    expire_next: VecDeque<ShardId>,
    expiring: bool,
    draining: bool,
    /// Shards that another node is to go on with.
    handing_over: BTreeSet<ShardId>,
    store_failing: bool,
    dispatcher_failing: bool,
    early: bool,
    sequence: u64,
    stats: MergerStats,
    effects: Vec<Effect>,
}

/// What is tried again after a pause.
#[derive(Debug)]
enum Retry {
    Load(ShardId),
    Close(Closing),
    Deliver(AlertId, OutputName),
    /// Whoever waits for this outcome.
    Held(AlertId, OutputName),
    Settle(ShardId),
    Page(OutputName),
}

impl Machine {
    /// A lane without shards. `options` are the lane's share, not the node's.
    #[must_use]
    pub fn new(options: MergerOptions) -> Self {
        let groups = Limits {
            group_alerts_max: options.group_alerts_max.max(1),
            group_bytes_max: options.group_bytes_max.max(1),
            groups_max: options.groups_max,
            bytes_max: options.groups_bytes_max,
        };
        let window = WindowLimits {
            deliveries_max: options.output_deliveries_max,
            bytes_max: options.output_bytes_max,
        };
        Self {
            options,
            clock: SteadyClock::default(),
            wall: Timestamp::EPOCH,
            shards: BTreeMap::new(),
            groups: Groups::new(groups),
            outbox: Outbox::new(window),
            batches: HashMap::new(),
            accepts: BTreeMap::new(),
            opening: IdSet::default(),
            held: BTreeMap::new(),
            ready: VecDeque::new(),
            closes: BTreeMap::new(),
            closing_bytes: 0,
            closing_all: false,
            retries: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            expire_due: Timestamp::EPOCH,
            expire_next: VecDeque::new(),
            expiring: false,
            draining: false,
            handing_over: BTreeSet::new(),
            store_failing: false,
            dispatcher_failing: false,
            early: false,
            sequence: 0,
            stats: MergerStats::default(),
            effects: Vec::new(),
        }
    }

    /// Takes note of what happened at the wall-clock time `now` and answers what is to be done, in order.
    /// Outcomes and windows are dealt with at [`Event::Flush`].
    pub fn apply(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        self.wall = now;
        self.clock.observe(now);
        match event {
            Event::Own(fence) => self.own(fence),
            Event::Lost(shard) => self.lose(shard),
            Event::Suspend(shard) => self.suspend(shard),
            Event::HandOver(shard) => self.hand_over(shard),
            Event::Grouped { load, shard, page } => self.grouped(load, shard, page),
            Event::Backlog { load, shard, counts } => self.backlog(load, shard, counts),
            Event::Arrived { batch, alerts } => self.arrived(batch, alerts),
            Event::Accepted { call, result } => self.accepted(call, result),
            Event::Tick => self.tick(),
            Event::CloseAll => self.closing_all = true,
            Event::Closed { call, outcome } => self.closed(call, outcome),
            Event::Delivered {
                alert,
                output,
                result,
            } => self.delivered(alert, output, result),
            Event::Looked {
                first,
                alert,
                output,
                state,
            } => self.looked(first, alert, output, state),
            Event::Settled { fence, result } => self.settled(fence, result),
            Event::Paged {
                load,
                shard,
                output,
                page,
            } => self.paged(load, shard, output, page),
            Event::Expired { shard, result } => self.expired(shard, result),
            Event::Drain => self.drain(),
            Event::Flush => self.flush(),
        }
        std::mem::take(&mut self.effects)
    }

    /// How long to wait at most before the next [`Event::Tick`]; `None` when no timer runs.
    #[must_use]
    pub fn next_tick(&self) -> Option<Duration> {
        let timers = [
            self.groups.next_due(),
            self.retries.keys().next().map(|(due, _)| *due),
        ];
        timers
            .into_iter()
            .flatten()
            .min()
            .map(|due| due.since(self.clock.now()))
    }

    /// Nothing is being written, closed or delivered, and nothing waits for it. Groups may be open.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.batches.is_empty()
            && !self.is_closing()
            && self.outbox.is_empty()
            && self.shards.values().all(|shard| shard.phase == Phase::Serving)
    }

    /// Whether complete groups, or those asked for by [`Event::CloseAll`], are not closed yet.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        let due = self.groups.next_due().is_some_and(|due| due <= self.clock.now());
        self.closing_all || due || self.groups_to_close() > 0
    }

    /// Whether every shard given to it is loaded and served.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.shards.values().all(|shard| shard.phase == Phase::Serving)
    }

    /// Draining: no call to the store is open and every known outcome is written.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.accepts.is_empty()
            && self.closes.is_empty()
            && self
                .shards
                .values()
                .all(|shard| !shard.settling && shard.outcomes.is_empty())
    }

    /// Deliveries whose outcome is not known.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outbox.outstanding()
    }

    /// Figures.
    #[must_use]
    pub fn stats(&self) -> MergerStats {
        let mut stats = self.stats.clone();
        stats.open_groups = self.groups.len() as u64;
        stats.grouped_alerts = self.groups.members() as u64;
        stats.groups_bytes = self.groups.bytes() as u64;
        stats.closing_groups = self.groups_to_close() as u64;
        stats.accepting = self.accepts.len() as u64;
        stats.shards = self
            .shards
            .values()
            .filter(|shard| shard.phase == Phase::Serving)
            .count() as u64;
        for (output, outstanding, backlog) in self.outbox.sizes() {
            let figures = stats.outputs.entry(output.clone()).or_default();
            figures.outstanding = outstanding;
            figures.backlog = backlog;
        }
        stats
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        while let Some(entry) = self.retries.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Retry::Load(shard) => self.load(shard),
                Retry::Close(closing) => self.complete(closing),
                Retry::Deliver(alert, output) => self.deliver_again(alert, &output),
                Retry::Held(first, output) => self.let_go(first, &output),
                Retry::Settle(shard) => {
                    self.unsettled.insert(shard);
                }
                Retry::Page(output) => self.outbox.resume(&output),
            }
        }
        self.expire_by_timer(now);
    }

    fn flush(&mut self) {
        self.close_ready();
        self.settle_outcomes();
        self.read_pages();
        self.finish_hand_overs();
    }

    fn fence(&self, shard: ShardId) -> Option<Fence> {
        self.shards.get(&shard).map(|owned| Fence {
            shard,
            epoch: owned.epoch,
        })
    }

    fn is_served(&self, shard: ShardId) -> bool {
        self.shards
            .get(&shard)
            .is_some_and(|owned| owned.phase == Phase::Serving)
    }

    fn tombstone_until(&self) -> Timestamp {
        self.wall.plus(self.options.alerts_kept)
    }

    fn next_call(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn retry(&mut self, failures: u32, retry: Retry) {
        self.retry_after(crate::backoff::pause(failures), retry);
    }

    fn retry_after(&mut self, pause: Duration, retry: Retry) {
        let due = self.clock.now().plus(pause);
        let sequence = self.next_call();
        self.retries.insert((due, sequence), retry);
    }

    fn notice(&mut self, notice: Notice) {
        self.effects.push(Effect::Notice(notice));
    }

    /// Once per episode: ERROR when the store begins to fail, INFO when it works again.
    fn note_store(&mut self, error: Option<&StoreError>) {
        match error {
            // Not a failure of the store: it keeps the promise that only the owner writes.
            Some(StoreError::Fenced { .. }) => {}
            Some(error) if !self.store_failing => {
                self.store_failing = true;
                self.notice(Notice::StoreFailing(error.clone()));
            }
            None if self.store_failing => {
                self.store_failing = false;
                self.notice(Notice::StoreRecovered);
            }
            _ => {}
        }
    }

    fn note_dispatcher(&mut self, error: Option<&NeighbourError>) {
        match error {
            Some(error) if !self.dispatcher_failing => {
                self.dispatcher_failing = true;
                self.notice(Notice::DispatcherFailing(error.clone()));
            }
            None if self.dispatcher_failing => {
                self.dispatcher_failing = false;
                self.notice(Notice::DispatcherRecovered);
            }
            _ => {}
        }
    }

    fn unavailable(reason: impl Into<String>) -> NeighbourError {
        NeighbourError::Unavailable {
            service: "merger",
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod first;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
