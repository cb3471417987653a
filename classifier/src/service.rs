//! The shell around the ledger: readers, classification threads, and one task that waits for what happens next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use streamalert_proto::{Evaluated, NeighbourError, Records};
use streamalert_store::{DeadLetterStore, StoreError};
use streamalert_stream::{AckToken, Payload, SourceError, SourceProgress, SourceReader};
use streamalert_types::{BatchId, Clock, DeadLetter, RecordBatch, Timestamp, Tracer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ledger::{BatchLimits, Effect, Event, Ledger, PayloadKey};
use crate::stats::StatsHandle;
use crate::taker::{Taken, Taker, TakerFactory};
use crate::traces::{Sending, Traces, Trip};

/// Payloads that wait for a thread, and results that wait for the ledger. Small: the sources bound the bytes that
/// are read and not acknowledged, this only keeps the threads busy.
const QUEUE_PAYLOADS_MAX: usize = 64;
/// How often a source that has ended looks whether all of it is acknowledged.
const END_POLL: Duration = Duration::from_millis(10);

/// Limits of a classifier.
#[derive(Debug, Clone)]
pub struct ClassifierOptions {
    /// Threads that classify. 0: a task of the runtime does, for a simulation that must not depend on how the
    /// machine schedules threads.
    pub threads: usize,
    /// Limits of a batch.
    pub batch: BatchLimits,
    /// How long a batch may wait for more records: what an idle source adds to the latency of an alert.
    pub linger: Duration,
    /// First pause before something is tried again; doubles each time.
    pub retry_initial: Duration,
    /// Longest pause.
    pub retry_max: Duration,
    /// Tells of payloads whose records raised something.
    pub tracer: Tracer,
}

impl Default for ClassifierOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            batch: BatchLimits::default(),
            linger: Duration::from_millis(5),
            retry_initial: Duration::from_millis(50),
            retry_max: Duration::from_secs(5),
            tracer: Tracer::default(),
        }
    }
}

/// What a classifier works with.
pub struct ClassifierParts {
    /// Where payloads come from.
    pub sources: Vec<Box<dyn SourceReader>>,
    /// Makes one classification engine per thread.
    pub takers: TakerFactory,
    /// The rules-node.
    pub records: Arc<dyn Records>,
    /// Keeps what no schema takes.
    pub dead_letters: Arc<dyn DeadLetterStore>,
    /// The time on dead letters.
    pub clock: Arc<dyn Clock>,
}

/// A running classifier. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Classifier {
    stop: Arc<watch::Sender<bool>>,
    stats: StatsHandle,
}

/// Waits for a classifier to end.
#[derive(Debug)]
pub struct ClassifierTask {
    readers: JoinSet<SourceEnd>,
    ledger: tokio::task::JoinHandle<()>,
}

/// How the reading of one source ended.
#[derive(Debug)]
pub struct SourceEnd {
    /// How far it was read.
    pub progress: SourceProgress,
    /// What could not be read, in order.
    pub errors: Vec<SourceError>,
}

impl Classifier {
    /// Starts reading.
    #[must_use]
    pub fn start(options: ClassifierOptions, parts: ClassifierParts) -> (Self, ClassifierTask) {
        let (stop, stopped) = watch::channel(false);
        let stats = StatsHandle::default();
        let (work_in, work_out) = mpsc::channel(QUEUE_PAYLOADS_MAX);
        let (done_in, done_out) = mpsc::channel(QUEUE_PAYLOADS_MAX);
        let times = Times(options.tracer.is_on().then(|| parts.clock.clone()));
        let mut readers = JoinSet::new();
        if options.threads == 0 {
            tokio::spawn(classify((parts.takers)(), times.clone(), work_out, done_in));
        } else {
            spawn_threads(options.threads, &parts.takers, &times, work_out, &done_in);
            drop(done_in);
        }
        for source in parts.sources {
            stats.watch(&*source);
            readers.spawn(read(source, work_in.clone(), times.clone(), stopped.clone()));
        }
        drop(work_in);
        let shell = Shell {
            ledger: Ledger::new(options.batch),
            open: BTreeMap::new(),
            traces: Traces::new(options.tracer.clone()),
            times,
            next_key: 0,
            linger_at: None,
            work: JoinSet::new(),
            stats: stats.clone(),
            client: Client {
                records: parts.records,
                dead_letters: parts.dead_letters,
                clock: parts.clock,
                tracer: options.tracer,
                retry_initial: options.retry_initial,
                retry_max: options.retry_max,
            },
            linger: options.linger,
        };
        let ledger = tokio::spawn(shell.run(done_out));
        (
            Self {
                stop: Arc::new(stop),
                stats,
            },
            ClassifierTask { readers, ledger },
        )
    }

    /// Stops reading. What was read is finished; [`ClassifierTask::ended`] answers then.
    pub fn drain(&self) {
        self.stop.send_replace(true);
    }

    /// What was classified since the start.
    #[must_use]
    pub fn stats(&self) -> &StatsHandle {
        &self.stats
    }
}

impl ClassifierTask {
    /// Waits until every source has ended or was drained and all of it is acknowledged.
    pub async fn ended(mut self) -> Vec<SourceEnd> {
        let mut ends = Vec::new();
        while let Some(end) = self.readers.join_next().await {
            ends.push(end.expect("a reader does not panic and is not aborted while it is waited for"));
        }
        self.ledger.await.expect("the ledger task does not panic");
        ends
    }
}

/// The times of payloads, for traces; not asked for without them.
#[derive(Clone)]
struct Times(Option<Arc<dyn Clock>>);

impl Times {
    fn now(&self) -> Timestamp {
        self.0.as_ref().map_or(Timestamp::EPOCH, |clock| clock.now())
    }
}

/// One payload, and when it was read.
struct Work {
    payload: Payload,
    received: Timestamp,
}

/// One payload that a thread has taken apart.
struct Done {
    token: AckToken,
    trip: Trip,
    taken: Taken,
}

/// Classification is pure computation, so it has threads of its own: on the runtime's it would hold up timers and
/// sockets.
fn spawn_threads(
    threads: usize,
    takers: &TakerFactory,
    times: &Times,
    work: mpsc::Receiver<Work>,
    done: &mpsc::Sender<Done>,
) {
    let work = Arc::new(std::sync::Mutex::new(work));
    for number in 0..threads {
        let (work, done, mut taker) = (work.clone(), done.clone(), takers());
        let times = times.clone();
        let run = move || {
            loop {
                // Held only while waiting: whoever waits next gets the next payload.
                let next = work
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .blocking_recv();
                let Some(work) = next else { return };
                if done.blocking_send(taken_apart(&mut taker, &times, work)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name(format!("classify-{number}"))
            .spawn(run)
            .expect("a process that cannot start a thread cannot work");
    }
}

/// What [`spawn_threads`] does, as a task.
async fn classify(mut taker: Taker, times: Times, mut work: mpsc::Receiver<Work>, done: mpsc::Sender<Done>) {
    while let Some(work) = work.recv().await {
        if done.send(taken_apart(&mut taker, &times, work)).await.is_err() {
            return;
        }
    }
}

fn taken_apart(taker: &mut Taker, times: &Times, work: Work) -> Done {
    let Work { payload, received } = work;
    let Payload {
        source,
        position,
        body,
        form,
        token,
    } = payload;
    let bytes = body.len();
    let begun = times.now();
    let taken = taker.take(&source, &position, body, &form);
    let trip = Trip {
        bytes,
        received,
        begun,
        classified: times.now(),
    };
    Done { token, trip, taken }
}

async fn read(
    mut source: Box<dyn SourceReader>,
    work: mpsc::Sender<Work>,
    times: Times,
    mut stopped: watch::Receiver<bool>,
) -> SourceEnd {
    let mut errors = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => Ok(None),
            next = source.next() => next,
        };
        match next {
            Ok(Some(payload)) => {
                let received = times.now();
                if work.send(Work { payload, received }).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "source cannot be read");
                let last = !error.is_retryable();
                errors.push(error);
                if last {
                    break;
                }
                tokio::time::sleep(END_POLL).await;
            }
        }
    }
    drop(work);
    while source.progress().payloads_open > 0 {
        tokio::time::sleep(END_POLL).await;
    }
    let mut progress = source.progress();
    match source.finish().await {
        Ok(last) => progress = last,
        Err(error) => {
            tracing::warn!(%error, "last checkpoint not written, some of the source will be read again");
            errors.push(error);
        }
    }
    SourceEnd { progress, errors }
}

struct Shell {
    ledger: Ledger,
    open: BTreeMap<PayloadKey, (AckToken, Trip)>,
    traces: Traces,
    times: Times,
    next_key: u64,
    linger_at: Option<Instant>,
    work: JoinSet<Finished>,
    stats: StatsHandle,
    client: Client,
    linger: Duration,
}

/// How an offer ended, and what is to be known before.
struct Finished {
    before: Option<Event>,
    event: Event,
}

impl From<Event> for Finished {
    fn from(event: Event) -> Self {
        Self { before: None, event }
    }
}

enum Woken {
    Done(Option<Done>),
    Finished(Finished),
    Linger,
}

impl Shell {
    async fn run(mut self, mut done: mpsc::Receiver<Done>) {
        let mut open = true;
        let mut effects = Vec::new();
        while open || self.ledger.payloads_open() > 0 {
            match self.wait(&mut done, open).await {
                Woken::Done(Some(done)) => self.account(done, &mut effects),
                Woken::Done(None) => {
                    open = false;
                    self.ledger.apply(Event::Linger, &mut effects);
                }
                Woken::Finished(Finished { before, event }) => {
                    for event in before.into_iter().chain([event]) {
                        self.ledger.apply(event, &mut effects);
                    }
                }
                Woken::Linger => {
                    self.linger_at = None;
                    self.ledger.apply(Event::Linger, &mut effects);
                }
            }
            self.perform(&mut effects);
        }
    }

    async fn wait(&mut self, done: &mut mpsc::Receiver<Done>, open: bool) -> Woken {
        let linger_at = self.linger_at;
        tokio::select! {
            biased;
            Some(event) = self.work.join_next() => {
                Woken::Finished(event.expect("a send does not panic and is never aborted"))
            }
            () = async { tokio::time::sleep_until(linger_at.expect("guarded")).await }, if linger_at.is_some() => {
                Woken::Linger
            }
            next = done.recv(), if open => Woken::Done(next),
        }
    }

    fn account(&mut self, done: Done, effects: &mut Vec<Effect>) {
        self.stats.taken(done.trip.bytes, &done.taken);
        let payload = PayloadKey(self.next_key);
        self.next_key += 1;
        self.traces.classified(payload, &done.taken.letters);
        self.open.insert(payload, (done.token, done.trip));
        let Taken { records, letters } = done.taken;
        self.ledger.apply(
            Event::Classified {
                payload,
                records,
                letters,
            },
            effects,
        );
    }

    fn perform(&mut self, effects: &mut Vec<Effect>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Send(id, batch) => drop(self.work.spawn(self.client.clone().send(id, batch))),
                Effect::Store(id, letters) => drop(self.work.spawn(self.client.clone().store(id, letters))),
                Effect::Keep(payload, source, position) => self.traces.keep(payload, source, position),
                Effect::Ack(payload) => {
                    if let Some((token, trip)) = self.open.remove(&payload) {
                        self.traces.acknowledged(payload, trip, || self.times.now());
                        token.ack();
                        self.stats.acknowledged();
                    }
                }
            }
        }
        if !self.ledger.is_filling() {
            self.linger_at = None;
        } else if self.linger_at.is_none() {
            self.linger_at = Some(Instant::now() + self.linger);
        }
    }
}

/// Offers things until they are taken.
#[derive(Clone)]
struct Client {
    records: Arc<dyn Records>,
    dead_letters: Arc<dyn DeadLetterStore>,
    clock: Arc<dyn Clock>,
    tracer: Tracer,
    retry_initial: Duration,
    retry_max: Duration,
}

impl Client {
    async fn send(self, id: BatchId, mut batch: RecordBatch) -> Finished {
        let sending = Sending::begin(&self.tracer, &*self.clock, &mut batch);
        let mut pause = self.retry_initial;
        loop {
            match self.records.evaluate(batch.clone()).await {
                Ok(Evaluated { kept }) => {
                    let event = Event::Accepted(id);
                    if kept.is_empty() || !self.tracer.is_on() {
                        return event.into();
                    }
                    sending.end(&self.tracer, &*self.clock, &batch, &kept, None);
                    let (batch, records) = (id, kept);
                    let before = Some(Event::Kept { batch, records });
                    return Finished { before, event };
                }
                Err(NeighbourError::Refused { reason, .. }) => {
                    tracing::error!(%reason, records = batch.records.len(), "records refused, kept as dead letters");
                    let records: Vec<u32> = (0..).take(batch.records.len()).collect();
                    sending.end(&self.tracer, &*self.clock, &batch, &records, Some(&reason));
                    let now = self.clock.now();
                    let (batch, before) = (id, Some(Event::Kept { batch: id, records }));
                    let event = Event::Refused { batch, reason, now };
                    return Finished { before, event };
                }
                Err(error @ (NeighbourError::Unavailable { .. } | NeighbourError::NotOwner { .. })) => {
                    tracing::debug!(%error, ?pause, "records not taken, trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.retry_max);
        }
    }

    async fn store(self, id: BatchId, letters: Vec<DeadLetter>) -> Finished {
        let mut pause = self.retry_initial;
        let mut told = false;
        loop {
            match self.dead_letters.put(letters.clone()).await {
                Ok(()) => {
                    if told {
                        tracing::info!("dead letters are stored again");
                    }
                    return Event::Stored(id).into();
                }
                Err(error) if !told => {
                    told = true;
                    report(&error);
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.retry_max);
        }
    }
}

fn report(error: &StoreError) {
    tracing::error!(%error, "dead letters cannot be stored, their source is not acknowledged until they are");
}
