//! Runs the books of a queue: receives, extends and deletes, and backs off where SQS fails.

use std::sync::Arc;
use std::time::Duration;

use streamalert_aws::Fault;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::counts::QueueTally;
use super::desk::{Batch, Desk, DeskLimits, Fate};
use super::{EntryFault, QueueMessage, ReceiveRequest, SqsApi};
use crate::jitter::Jitter;

/// Calls at a time that delete and extend.
const CALLS_MAX: usize = 32;
/// How long a queue that ends waits for SQS: what is not deleted by then is received again.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How a queue is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// How long a message is hidden from others after we have died: how late its alerts then are. While it is worked
    /// on, it is extended every third of this. Whole seconds, at least 3 (60).
    pub visibility: Duration,
    /// How long a request waits for messages, up to 20 s (20). Shorter costs more requests.
    pub wait: Duration,
    /// Requests that receive at a time while the queue is full (4). One while it is empty.
    pub receives_max: usize,
    /// A message that was received more often than this, and so never finished, is handed out as unreadable, which
    /// makes it a dead letter (5). Below the `maxReceiveCount` of the queue's own redrive policy, if it has one, or
    /// that one acts first.
    pub poison_receives: u32,
    /// How long a deletion waits for others, with which it is one request (200 ms).
    pub delete_linger: Duration,
    /// First pause after a failure (200 ms); doubles each time.
    pub retry_initial: Duration,
    /// Longest pause (20 s).
    pub retry_max: Duration,
    /// Begins the sequence that the lengths of pauses are drawn from, each between half and all of what it would be.
    /// Different in every process.
    pub seed: u64,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            visibility: Duration::from_secs(60),
            wait: Duration::from_secs(20),
            receives_max: 4,
            poison_receives: 5,
            delete_linger: Duration::from_millis(200),
            retry_initial: Duration::from_millis(200),
            retry_max: Duration::from_secs(20),
            seed: 0,
        }
    }
}

/// How much may be received and not deleted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueRoom {
    pub(crate) messages_max: usize,
    pub(crate) bytes_max: usize,
}

/// A message that came.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// To be named when it is done.
    pub(crate) key: u64,
    pub(crate) message: QueueMessage,
}

/// What is to become of a message.
#[derive(Debug)]
enum Verdict {
    /// It is to be deleted.
    Done(u64),
    /// It is to come again after a while.
    Later(u64, Duration),
}

/// Told how each message ended that was done. Must not block.
pub(crate) type OnFate = Box<dyn Fn(u64, Fate) + Send + Sync>;

/// A queue that is being read. Ends when dropped: what is done by then is deleted, the rest is given back.
#[derive(Debug)]
pub(crate) struct Queue {
    arrivals: mpsc::Receiver<Result<Arrival, Fault>>,
    handle: QueueHandle,
    tally: Arc<QueueTally>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

/// Says what is to become of messages.
#[derive(Debug, Clone)]
pub(crate) struct QueueHandle(mpsc::UnboundedSender<Verdict>);

impl QueueHandle {
    /// Everything that came of a message is durable.
    pub(crate) fn done(&self, key: u64) {
        let _ = self.0.send(Verdict::Done(key));
    }

    /// A message is to come again after `delay`.
    pub(crate) fn later(&self, key: u64, delay: Duration) {
        let _ = self.0.send(Verdict::Later(key, delay));
    }
}

impl Queue {
    pub(crate) fn start(
        api: Arc<dyn SqsApi>,
        options: QueueOptions,
        room: QueueRoom,
        on_fate: Option<OnFate>,
    ) -> Self {
        // One: what has been received waits in the task, which counts it.
        let (arrivals_in, arrivals) = mpsc::channel(1);
        // Bounded by the messages that are open.
        let (verdicts_in, verdicts) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let limits = DeskLimits {
            messages_max: room.messages_max.max(1),
            bytes_max: room.bytes_max,
            visibility: options.visibility,
            linger: options.delete_linger,
        };
        let tally = Arc::<QueueTally>::default();
        let keeper = Keeper {
            desk: Desk::new(limits),
            calls: JoinSet::new(),
            receiving: 0,
            receiving_wanted: 1,
            receive_at: Instant::now(),
            pauses: Pauses::default(),
            worked: false,
            waiting: std::collections::VecDeque::new(),
            api,
            jitter: Jitter::new(options.seed),
            options,
            on_fate,
            tally: tally.clone(),
        };
        let task = tokio::spawn(keeper.run(arrivals_in, verdicts, stop.clone()));
        Self {
            arrivals,
            handle: QueueHandle(verdicts_in),
            tally,
            stop,
            task,
        }
    }

    /// The next message. May be dropped while it waits.
    ///
    /// # Errors
    /// Why nothing can be received, and will not until somebody changes something: before anything was received.
    pub(crate) async fn next(&mut self) -> Option<Result<Arrival, Fault>> {
        self.arrivals.recv().await
    }

    pub(crate) fn handle(&self) -> QueueHandle {
        self.handle.clone()
    }

    /// What was done so far, counted for whoever asks.
    pub(crate) fn tally(&self) -> Arc<QueueTally> {
        self.tally.clone()
    }

    /// Deletes what is done and gives back the rest.
    pub(crate) async fn finish(&mut self) {
        self.stop.cancel();
        self.arrivals.close();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What a call to SQS came to.
enum Came {
    Received(usize, Result<Vec<QueueMessage>, Fault>),
    Deleted(Batch, Result<Vec<EntryFault>, Fault>),
    Extended(Batch, Result<Vec<EntryFault>, Fault>),
    GivenBack,
}

/// What happens next.
enum Event {
    Verdict(Option<Verdict>),
    Came(Came),
    Taken,
    Timer,
    Stop,
}

/// How long each kind of call waits after failing.
#[derive(Debug, Default)]
struct Pauses {
    receive: Option<Duration>,
    delete: Option<Duration>,
    extend: Option<Duration>,
}

struct Keeper {
    desk: Desk,
    calls: JoinSet<Came>,
    receiving: usize,
    /// Requests that should receive at a time.
    receiving_wanted: usize,
    /// Not before this.
    receive_at: Instant,
    pauses: Pauses,
    /// Something was received once, so that the queue is there and may be read.
    worked: bool,
    /// Messages that nobody has taken yet.
    waiting: std::collections::VecDeque<Arrival>,
    api: Arc<dyn SqsApi>,
    jitter: Jitter,
    options: QueueOptions,
    on_fate: Option<OnFate>,
    tally: Arc<QueueTally>,
}

impl Keeper {
    async fn run(
        mut self,
        arrivals: mpsc::Sender<Result<Arrival, Fault>>,
        mut verdicts: mpsc::UnboundedReceiver<Verdict>,
        stop: CancellationToken,
    ) {
        loop {
            self.call(Instant::now());
            let wake_at = self.wake_at();
            let timer = async {
                match wake_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let has_waiting = !self.waiting.is_empty();
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => Event::Stop,
                verdict = verdicts.recv() => Event::Verdict(verdict),
                Some(Ok(came)) = self.calls.join_next() => Event::Came(came),
                permit = arrivals.reserve(), if has_waiting => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(arrival)) => { permit.send(Ok(arrival)); Event::Taken }
                    _ => Event::Stop,
                },
                () = timer => Event::Timer,
            };
            match event {
                Event::Stop | Event::Verdict(None) => break,
                Event::Verdict(Some(verdict)) => self.decided(verdict),
                Event::Came(came) => {
                    if let Some(fault) = self.came(came) {
                        let _ = arrivals.send(Err(fault)).await;
                        break;
                    }
                }
                Event::Taken | Event::Timer => {}
            }
        }
        let ended = tokio::time::timeout(END_TIMEOUT, self.end(verdicts)).await;
        if ended.is_err() {
            tracing::warn!("queue did not answer in time, some messages will be received again");
        }
    }

    /// Starts every call that is due.
    fn call(&mut self, now: Instant) {
        // First, so that nothing comes to light while much is to be deleted.
        while !self.is_busy()
            && let Some(batch) = self.desk.next_extend(now)
        {
            let (api, visibility) = (self.api.clone(), self.options.visibility);
            self.calls.spawn(async move {
                let done = api.extend(batch.receipts.clone(), visibility).await;
                Came::Extended(batch, done)
            });
        }
        while !self.is_busy()
            && let Some(batch) = self.desk.next_delete(now, false)
        {
            self.delete(batch);
        }
        // What nobody has taken yet is enough.
        while self.receiving < self.receiving_wanted && self.receive_at <= now && self.waiting.is_empty() {
            let messages_max = self.desk.ask();
            if messages_max == 0 {
                break;
            }
            self.receiving += 1;
            let request = ReceiveRequest {
                messages_max,
                wait: self.options.wait,
                visibility: self.options.visibility,
            };
            let api = self.api.clone();
            self.calls
                .spawn(async move { Came::Received(messages_max, api.receive(request).await) });
        }
    }

    fn delete(&mut self, batch: Batch) {
        let api = self.api.clone();
        self.calls.spawn(async move {
            let done = api.delete(batch.receipts.clone()).await;
            Came::Deleted(batch, done)
        });
    }

    fn is_busy(&self) -> bool {
        self.calls.len() >= self.receiving + CALLS_MAX
    }

    fn wake_at(&self) -> Option<Instant> {
        let waits = self.receiving < self.receiving_wanted && self.receive_at > Instant::now();
        let receive = waits.then_some(self.receive_at);
        // A busy one goes on when a call has ended.
        let desk = self.desk.wake_at().filter(|_| !self.is_busy());
        desk.into_iter().chain(receive).min()
    }

    fn decided(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Done(key) => self.desk.finished(key, Instant::now()),
            Verdict::Later(key, delay) => {
                if let Some(receipt) = self.desk.give_up(key) {
                    self.tally.count(|counts| counts.given_back += 1);
                    self.give_back(vec![receipt], delay);
                }
            }
        }
    }

    /// Others may have these after `delay`. Where that fails, they may have them a little later.
    fn give_back(&mut self, receipts: Vec<String>, delay: Duration) {
        let api = self.api.clone();
        self.calls.spawn(async move {
            if let Err(fault) = api.extend(receipts, delay).await {
                tracing::debug!(%fault, "message is not given back early");
            }
            Came::GivenBack
        });
    }

    /// Takes note of an answer; the fault that ends the source.
    fn came(&mut self, came: Came) -> Option<Fault> {
        let now = Instant::now();
        match came {
            Came::GivenBack => {}
            Came::Received(asked, Ok(messages)) => {
                self.tally.count(|counts| {
                    counts.receives += 1;
                    counts.received += messages.len() as u64;
                });
                self.receiving -= 1;
                self.desk.answered(asked);
                self.worked = true;
                if self.pauses.receive.take().is_some() {
                    tracing::info!("queue is received from again");
                }
                self.receiving_wanted = match messages.len() {
                    0 => 1,
                    count if count == asked => {
                        (self.receiving_wanted * 2).min(self.options.receives_max.max(1))
                    }
                    _ => self.receiving_wanted,
                };
                for message in messages {
                    if let Some(key) = self.desk.received(&message, now) {
                        self.waiting.push_back(Arrival { key, message });
                    }
                }
            }
            Came::Received(asked, Err(fault)) => {
                self.tally.failed(&fault);
                self.receiving -= 1;
                self.desk.answered(asked);
                self.receiving_wanted = 1;
                if !self.worked && !fault.is_retryable() {
                    return Some(fault);
                }
                self.receive_at = now
                    + self
                        .jitter
                        .shorten(pause(&mut self.pauses.receive, &self.options, &fault));
            }
            Came::Deleted(batch, Ok(faults)) => {
                self.pauses.delete = None;
                report(&faults, "message is not deleted");
                let again = now + self.options.retry_initial;
                for (key, fate) in self.desk.deleted(&batch, Some(&faults), again) {
                    self.tally
                        .count(|counts| counts.deleted += u64::from(fate == Fate::Deleted));
                    if let Some(on_fate) = &self.on_fate {
                        on_fate(key, fate);
                    }
                }
            }
            Came::Deleted(batch, Err(fault)) => {
                self.tally.failed(&fault);
                let again = now
                    + self
                        .jitter
                        .shorten(pause(&mut self.pauses.delete, &self.options, &fault));
                self.desk.deleted(&batch, None, again);
            }
            Came::Extended(batch, Ok(faults)) => {
                self.pauses.extend = None;
                report(&faults, "message is not held any longer");
                let held = batch.keys.len().saturating_sub(faults.len()) as u64;
                self.tally.count(|counts| {
                    counts.extended += held;
                    counts.extensions_refused += faults.len() as u64;
                });
                let again = now + self.options.retry_initial;
                self.desk.extended(&batch, Some(&faults), now, again);
            }
            Came::Extended(batch, Err(fault)) => {
                self.tally.failed(&fault);
                // Sooner than the message comes to light, however long the failure has lasted.
                let wait = self
                    .jitter
                    .shorten(pause(&mut self.pauses.extend, &self.options, &fault));
                let again = now + wait.min(self.options.visibility / 6);
                self.desk.extended(&batch, None, now, again);
            }
        }
        None
    }

    /// Deletes what is done, and gives back what is not.
    async fn end(mut self, mut verdicts: mpsc::UnboundedReceiver<Verdict>) {
        // Requests that wait for messages are left; what they would have got comes to light again.
        while let Ok(verdict) = verdicts.try_recv() {
            self.decided(verdict);
        }
        let receipts: Vec<_> = self.desk.open().into_iter().collect();
        let receipts: Vec<_> = receipts
            .into_iter()
            .filter_map(|key| self.desk.give_up(key))
            .collect();
        for some in receipts.chunks(super::api::BATCH_MAX) {
            self.give_back(some.to_vec(), Duration::ZERO);
        }
        loop {
            while let Some(batch) = self.desk.next_delete(Instant::now(), true) {
                self.delete(batch);
            }
            let has_more = self.calls.len() > self.receiving || !self.desk.is_settled();
            if !has_more {
                return;
            }
            match self.calls.join_next().await {
                Some(Ok(Came::Received(_, Ok(messages)))) => {
                    self.receiving -= 1;
                    let receipts: Vec<_> = messages.into_iter().map(|message| message.receipt).collect();
                    if !receipts.is_empty() {
                        self.give_back(receipts, Duration::ZERO);
                    }
                }
                Some(Ok(Came::Received(_, Err(_)))) => self.receiving -= 1,
                Some(Ok(came)) => {
                    let was_failed = matches!(&came, Came::Deleted(_, Err(_)));
                    self.came(came);
                    if was_failed {
                        tokio::time::sleep(self.options.retry_initial).await;
                    }
                }
                Some(Err(_)) => {}
                None => return,
            }
        }
    }
}

/// How long to wait at most after a failure; says so the first time.
fn pause(last: &mut Option<Duration>, options: &QueueOptions, fault: &Fault) -> Duration {
    let next = match *last {
        Some(last) => (last * 2).min(options.retry_max),
        None if fault.is_retryable() => {
            tracing::warn!(%fault, "queue fails, trying again");
            options.retry_initial
        }
        None => {
            tracing::error!(%fault, "queue fails until somebody changes something, trying again");
            options.retry_initial
        }
    };
    *last = Some(next);
    next
}

fn report(faults: &[EntryFault], what: &'static str) {
    if let Some(fault) = faults.first() {
        tracing::warn!(reason = %fault.reason, messages = faults.len(), "{what}");
    }
}
