//! The async shell of a [`Machine`]: waits for events, executes effects, decides nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use streamalert_proto::{Deliveries, NeighbourError};
use streamalert_store::{AlertStore, Fence, ShardId, StoreError, StoredAlert};
use streamalert_types::{AlertId, Clock, Timestamp, Tracer};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::groups::Closing;
use crate::machine::{CloseOutcome, Effect, Event, Machine, Notice, merged_alert, pending_outputs};
use crate::stats::MergerStats;
use crate::traces::GroupTraces;
use streamalert_detect::merge::Routed;

/// Messages waiting for a lane. Each holds its share of `accept_bytes_max`, so this bounds their number only.
pub(crate) const MESSAGES_MAX: usize = 64;

/// The longest wait before looking at the clock: a wall clock that leaps is noticed within it, so a group
/// outlives its window by no more than this and the time that closing takes.
const TICK_MAX: Duration = Duration::from_secs(1);

/// Events taken before outcomes are written and windows filled: what ends together is written together.
const EVENTS_PER_FLUSH: usize = 256;

/// Grouped alerts read at a time while loading a shard; each comes with its record.
const LOAD_ITEMS: usize = 256;

/// Answers a batch.
pub(crate) type Reply = oneshot::Sender<Result<(), NeighbourError>>;

/// What a lane is told.
pub(crate) enum Message {
    /// Make alerts durable.
    Accept {
        alerts: Vec<Routed>,
        permit: Arc<OwnedSemaphorePermit>,
        reply: Reply,
    },
    /// A lease was taken.
    Own(Fence),
    /// A lease was lost.
    Lost(ShardId),
    /// A lease may be lost.
    Suspend(ShardId),
    /// Another node is to go on with a shard; reported when that may begin.
    HandOver(ShardId),
    /// Close all open groups; answered when they are closed.
    CloseAll(oneshot::Sender<()>),
    /// Answered when the condition is met.
    When(Condition, oneshot::Sender<()>),
    /// Answered at once.
    Idle(oneshot::Sender<bool>),
    /// Answered at once.
    Stats(oneshot::Sender<MergerStats>),
    /// Stop within the patience given; answered when the lane has ended.
    Drain(Duration, oneshot::Sender<()>),
}

/// What the keeper of the leases is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Report {
    /// The store refused a write for its epoch.
    Fenced(Fence),
    /// No work is done on a shard any more.
    HandedOver(ShardId),
}

/// What one can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// All shards are loaded.
    Serving,
    /// Nothing to close.
    Closed,
    /// Nothing to deliver.
    Idle,
}

pub(crate) struct Lane {
    pub(crate) machine: Machine,
    pub(crate) store: Arc<dyn AlertStore>,
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tracer: Tracer,
    pub(crate) messages: mpsc::Receiver<Message>,
    /// Tells the keeper of the leases. At most two messages per shard and epoch, so it needs no bound of its own.
    pub(crate) reports: mpsc::UnboundedSender<Report>,
    /// Calls that did not answer at once.
    pub(crate) calls: FuturesUnordered<BoxFuture<'static, Event>>,
    /// Answers of those that did.
    pub(crate) answered: VecDeque<Event>,
    pub(crate) replies: HashMap<u64, (Reply, Arc<OwnedSemaphorePermit>)>,
    pub(crate) waiting: Vec<(Condition, oneshot::Sender<()>)>,
    pub(crate) drain: Option<Drain>,
    pub(crate) batches: u64,
}

/// A drain in progress.
pub(crate) struct Drain {
    patience_ends: Instant,
    gives_up: Instant,
    done: Vec<oneshot::Sender<()>>,
}

enum Woken {
    Event(Event),
    Message(Message),
    Time,
    /// Nobody can reach the lane any more.
    Abandoned,
}

impl Lane {
    pub(crate) async fn run(mut self) {
        loop {
            match self.wait().await {
                Woken::Event(event) => self.apply(event),
                Woken::Message(message) => self.take(message),
                Woken::Time => self.apply(Event::Tick),
                Woken::Abandoned => return,
            }
            self.take_ready();
            self.apply(Event::Tick);
            self.apply(Event::Flush);
            self.answer_waiting();
            if self.has_drained() {
                break;
            }
            tokio::task::consume_budget().await;
        }
        for done in self.drain.take().into_iter().flat_map(|drain| drain.done) {
            let _ = done.send(());
        }
    }

    async fn wait(&mut self) -> Woken {
        if let Some(event) = self.answered.pop_front() {
            return Woken::Event(event);
        }
        let pause = self.machine.next_tick().unwrap_or(TICK_MAX).min(TICK_MAX);
        tokio::select! {
            biased;
            Some(event) = self.calls.next() => Woken::Event(event),
            message = self.messages.recv() => message.map_or(Woken::Abandoned, Woken::Message),
            () = tokio::time::sleep(pause) => Woken::Time,
        }
    }

    fn take_ready(&mut self) {
        for _ in 0..EVENTS_PER_FLUSH {
            let mut found = false;
            if let Some(event) = self.next_answer() {
                self.apply(event);
                found = true;
            }
            if let Ok(message) = self.messages.try_recv() {
                self.take(message);
                found = true;
            }
            if !found {
                return;
            }
        }
    }

    fn next_answer(&mut self) -> Option<Event> {
        let answered = self.answered.pop_front();
        answered.or_else(|| self.calls.next().now_or_never().flatten())
    }

    /// Begins a call. What answers at once, such as a store in memory, is not queued as a task of its own.
    fn begin(&mut self, mut call: BoxFuture<'static, Event>) {
        // Nobody is woken by this look: one that has no answer yet is asked again as soon as it is queued.
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => self.answered.push_back(event),
            Poll::Pending => self.calls.push(call),
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Accept {
                alerts,
                permit,
                reply,
            } => {
                self.batches += 1;
                self.replies.insert(self.batches, (reply, permit));
                self.apply(Event::Arrived {
                    batch: self.batches,
                    alerts,
                });
            }
            Message::Own(fence) => self.apply(Event::Own(fence)),
            Message::Lost(shard) => self.apply(Event::Lost(shard)),
            Message::Suspend(shard) => self.apply(Event::Suspend(shard)),
            Message::HandOver(shard) => self.apply(Event::HandOver(shard)),
            Message::CloseAll(done) => {
                self.apply(Event::CloseAll);
                self.waiting.push((Condition::Closed, done));
            }
            Message::When(condition, done) => self.waiting.push((condition, done)),
            Message::Idle(reply) => {
                let _ = reply.send(self.machine.is_idle());
            }
            Message::Stats(reply) => {
                let _ = reply.send(self.machine.stats());
            }
            Message::Drain(patience, done) => self.begin_drain(patience, done),
        }
    }

    fn begin_drain(&mut self, patience: Duration, done: oneshot::Sender<()>) {
        let now = Instant::now();
        let drain = self.drain.get_or_insert_with(|| Drain {
            patience_ends: now + patience,
            gives_up: now + patience * 2,
            done: Vec::new(),
        });
        drain.done.push(done);
        self.apply(Event::Drain);
    }

    /// Every known outcome is written, and none is to be expected soon. A store that does not answer ends it too.
    fn has_drained(&self) -> bool {
        let Some(drain) = &self.drain else { return false };
        let now = Instant::now();
        let quiet = self.machine.outstanding() == 0 || now >= drain.patience_ends;
        (quiet && self.machine.is_settled()) || now >= drain.gives_up
    }

    fn answer_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let machine = &self.machine;
        let met = |condition| match condition {
            Condition::Serving => machine.is_serving(),
            Condition::Closed => !machine.is_closing(),
            Condition::Idle => machine.is_idle(),
        };
        for (condition, done) in std::mem::take(&mut self.waiting) {
            if met(condition) {
                let _ = done.send(());
            } else if !done.is_closed() {
                self.waiting.push((condition, done));
            }
        }
    }

    fn apply(&mut self, event: Event) {
        for effect in self.machine.apply(self.clock.now(), event) {
            self.execute(effect);
        }
    }

    fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { batch, result } => {
                if let Some((reply, _permit)) = self.replies.remove(&batch) {
                    let _ = reply.send(result);
                }
            }
            Effect::Deliver(delivery) => {
                let deliveries = Arc::clone(&self.deliveries);
                self.begin(Box::pin(async move {
                    let (alert, output) = (delivery.alert.id, delivery.output.clone());
                    let result = deliveries.deliver(delivery).await;
                    Event::Delivered {
                        alert,
                        output,
                        result,
                    }
                }));
            }
            // The keeper of the leases ends before the lanes only when everything does.
            Effect::LeaseLost(fence) => drop(self.reports.send(Report::Fenced(fence))),
            Effect::HandedOver(shard) => drop(self.reports.send(Report::HandedOver(shard))),
            Effect::Notice(notice) => log(&notice),
            write @ (Effect::Accept { .. }
            | Effect::Close { .. }
            | Effect::Settle { .. }
            | Effect::Expire { .. }) => {
                let (store, now) = (Arc::clone(&self.store), self.clock.now());
                let traces = GroupTraces::new(&self.tracer, &self.clock);
                self.begin(Box::pin(write_call(store, traces, write, now)));
            }
            read => self.begin(Box::pin(read_call(Arc::clone(&self.store), read))),
        }
    }
}

/// Calls of the store that write. Anything else is passed over.
async fn write_call(
    store: Arc<dyn AlertStore>,
    traces: GroupTraces,
    effect: Effect,
    now: Timestamp,
) -> Event {
    match effect {
        Effect::Accept { call, fence, alerts } => {
            let result = store.accept(fence, alerts).await;
            Event::Accepted { call, result }
        }
        Effect::Close {
            call,
            fence,
            group,
            tombstone_until,
        } => {
            let outcome = close(&*store, &traces, fence, &group, now, tombstone_until).await;
            Event::Closed { call, outcome }
        }
        Effect::Settle {
            fence,
            settled,
            tombstone_until,
        } => {
            let result = store.settle(fence, settled, tombstone_until).await;
            Event::Settled { fence, result }
        }
        Effect::Expire { fence, items_max } => {
            let result = store.expire(fence, now, items_max).await;
            Event::Expired {
                shard: fence.shard,
                result,
            }
        }
        _ => Event::Tick,
    }
}

/// Calls of the store that read. Anything else is passed over.
async fn read_call(store: Arc<dyn AlertStore>, effect: Effect) -> Event {
    match effect {
        Effect::LoadGrouped { load, shard, after } => {
            let page = store.grouped(shard, after, LOAD_ITEMS).await;
            Event::Grouped { load, shard, page }
        }
        Effect::LoadBacklog { load, shard } => {
            let counts = store.backlog(shard).await;
            Event::Backlog { load, shard, counts }
        }
        Effect::Look {
            shard,
            first,
            alert,
            output,
        } => {
            let state = store.delivery(shard, first, &output).await;
            Event::Looked {
                first,
                alert,
                output,
                state,
            }
        }
        Effect::Page {
            load,
            shard,
            output,
            after,
            items_max,
            bytes_max,
        } => {
            let page = store.pending(shard, &output, after, items_max, bytes_max).await;
            Event::Paged {
                load,
                shard,
                output,
                page,
            }
        }
        _ => Event::Tick,
    }
}

/// Fetches the members of a group, merges them and closes the group.
async fn close(
    store: &dyn AlertStore,
    traces: &GroupTraces,
    fence: Fence,
    group: &Closing,
    now: Timestamp,
    tombstone_until: Timestamp,
) -> CloseOutcome {
    let ids: Vec<AlertId> = group.members.iter().map(|member| member.id).collect();
    let rest: Vec<AlertId> = group.rest().map(|member| member.id).collect();
    if rest.is_empty() {
        let closed = store.close_group(fence, group.noted_as, ids, None, tombstone_until);
        return match closed.await {
            Ok(_) => CloseOutcome::Silent,
            Err(problem) => CloseOutcome::Failed(problem),
        };
    }
    let members = match store.fetch(fence.shard, &rest).await {
        Ok(members) => members,
        Err(problem) => return CloseOutcome::Unread(problem),
    };
    if members.len() < rest.len() {
        error!(group = %group.id, expected = rest.len(), found = members.len(), "members of a merge group are gone");
    }
    let Some(merged) = merged_alert(group, now, &members) else {
        return CloseOutcome::Gone;
    };
    let merged = Arc::new(merged);
    let stored = StoredAlert {
        alert: Arc::clone(&merged),
        pending: pending_outputs(&merged, false).cloned().collect(),
        group: None,
    };
    match store
        .close_group(fence, group.noted_as, ids, Some(stored), tombstone_until)
        .await
    {
        Ok(accepted) => {
            traces.merged(&merged, &members);
            CloseOutcome::Closed { merged, accepted }
        }
        Err(problem) => CloseOutcome::Failed(problem),
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::StoreFailing(StoreError::Corrupt { reason }) => {
            error!(%reason, "alert store is unreadable, an operator is needed");
        }
        Notice::StoreFailing(problem) => {
            error!(%problem, "alert store fails, alerts are not acknowledged until it recovers");
        }
        Notice::StoreRecovered => info!("alert store works again"),
        Notice::DispatcherFailing(problem) => warn!(%problem, "dispatcher unavailable, deliveries wait"),
        Notice::DispatcherRecovered => info!("dispatcher works again"),
        Notice::Refused {
            alert,
            output,
            reason,
        } => {
            error!(%alert, %output, %reason, "dispatcher refuses a delivery for good, it is kept");
        }
        Notice::Serving(shard) => tracing::debug!(shard = shard.0, "shard loaded"),
        Notice::Suspended(shard) => warn!(
            shard = shard.0,
            "lease cannot be renewed, shard waits until it is clear who has it"
        ),
        Notice::ShardLost(shard) => warn!(shard = shard.0, "shard is served by another node now"),
        Notice::Reloading(shard) => {
            warn!(
                shard = shard.0,
                "a write may or may not have happened, shard is loaded again"
            );
        }
        Notice::ClosingEarly => {
            warn!("open merge groups take more memory than allowed, those nearest to their end close early");
        }
    }
}
