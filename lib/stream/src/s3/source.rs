use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use streamalert_aws::Fault;
use streamalert_types::{Position, Sequence, Source};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::books::{Books, ObjectId, ObjectPlace, Released};
use super::download::Backoff;
use super::event::{self, ObjectName, Told};
use super::task::{News, ObjectTask};
use super::{GetRequest, S3Api};
use crate::intake::{Intake, Writing};
use crate::jitter::Jitter;
use crate::payload::weight_of;
use crate::pump::{Pumped, Raw};
use crate::sqs::{Arrival, Fate, OnFate, Queue, QueueHandle, QueueOptions, QueueRoom, SqsApi, poisoned};
use crate::{
    Generation, PartitionName, Payload, PayloadForm, ProgressWatch, SourceContext, SourceError,
    SourceProgress, SourceReader, SourceStatus, StatusWatch,
};

/// How an [`S3Source`] is set up.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The name of the queue that tells of objects.
    pub queue: String,
    /// Buckets, each as a source: what is told of others becomes a dead letter, unread.
    pub buckets: Vec<Arc<Source>>,
    /// How the queue is read.
    pub reading: QueueOptions,
    /// Objects that are read at a time (8): each takes a connection and a thread, and up to 8 MiB and the longest
    /// record allowed; one at a time takes as much as the largest object that is read whole.
    pub objects_max: usize,
    /// Messages received whose objects are not all acknowledged (1,000).
    pub messages_max: usize,
    /// A message that was received so often (3) while its object is gone, denied or archived becomes a dead letter.
    pub missing_receives: u32,
    /// How long it takes until such a message is tried again (30 s).
    pub missing_retry: Duration,
}

impl S3Options {
    /// The defaults.
    #[must_use]
    pub fn new(queue: impl Into<String>, buckets: Vec<Arc<Source>>) -> Self {
        Self {
            queue: queue.into(),
            buckets,
            reading: QueueOptions::default(),
            objects_max: 8,
            messages_max: 1_000,
            missing_receives: 3,
            missing_retry: Duration::from_secs(30),
        }
    }
}

/// Reads objects of S3 that a queue tells of. An object up to the limit for one is one payload; a larger one comes in
/// parts, whose acknowledged prefix is checkpointed, so that another reader goes on where this one died. The message
/// is deleted when everything that it tells of is acknowledged.
///
/// An object is known by its key and its version or tag, on which alert ids hang: told of twice, it gives the same.
pub struct S3Source {
    options: S3Options,
    context: SourceContext,
    api: Arc<dyn S3Api>,
    queue: Queue,
    handle: QueueHandle,
    intake: Arc<Intake>,
    books: Arc<Mutex<Books>>,
    /// Objects that wait for their turn.
    pending: VecDeque<Pending>,
    reading: HashMap<ObjectId, Reading>,
    news: mpsc::Receiver<(ObjectId, News)>,
    news_in: mpsc::Sender<(ObjectId, News)>,
    tasks: JoinSet<()>,
    ready: VecDeque<(Open, Raw)>,
    large: Arc<Mutex<()>>,
    bytes_read: Arc<AtomicU64>,
    jitter: Arc<Jitter>,
    _writing: Writing,
}

/// An object that is to be read.
struct Pending {
    id: ObjectId,
    source: Arc<Source>,
    name: ObjectName,
    key: u64,
    receives: u32,
}

/// An object that is being read.
struct Reading {
    pending: Pending,
    open: Option<Open>,
    task: AbortHandle,
}

/// What its payloads are registered under.
#[derive(Clone)]
struct Open {
    source: Arc<Source>,
    partition: Arc<str>,
    generation: Generation,
}

impl S3Source {
    /// Starts to receive.
    #[must_use]
    pub fn start(
        queue: Arc<dyn SqsApi>,
        api: Arc<dyn S3Api>,
        options: S3Options,
        context: SourceContext,
    ) -> Self {
        let room = QueueRoom {
            messages_max: options.messages_max,
            bytes_max: context.limits.bytes_open_max,
        };
        let books = Arc::new(Mutex::new(Books::default()));
        // The queue is told of what is finished, and tells what became of the message.
        let forgetting = Arc::new(OnceLock::<Weak<Intake>>::new());
        let on_fate = on_fate(books.clone(), forgetting.clone());
        let queue = Queue::start(queue, options.reading.clone(), room, Some(on_fate));
        let handle = queue.handle();
        let on_finish = {
            let (books, handle) = (books.clone(), handle.clone());
            move |generation| {
                let done = lock(&books).finished(generation);
                done.into_iter().for_each(|key| handle.done(key));
            }
        };
        let names = options.buckets.iter().map(|source| source.to_string());
        let intake = Intake::of_once(context.clone(), names.collect(), Box::new(on_finish));
        // Set once, here.
        let _ = forgetting.set(Arc::downgrade(&intake));
        let writing = intake.keep_writing();
        // One: what has been read waits with its object.
        let (news_in, news) = mpsc::channel(1);
        Self {
            // Another sequence than the queue's.
            jitter: Arc::new(Jitter::new(!options.reading.seed)),
            options,
            context,
            api,
            queue,
            handle,
            intake,
            books,
            pending: VecDeque::new(),
            reading: HashMap::new(),
            news,
            news_in,
            tasks: JoinSet::new(),
            ready: VecDeque::new(),
            large: Arc::default(),
            bytes_read: Arc::default(),
            _writing: writing,
        }
    }

    /// Takes note of a message.
    fn arrived(&mut self, arrival: Arrival) {
        let Arrival { key, message } = arrival;
        let told = match poisoned(&message, self.options.reading.poison_receives) {
            Some(reason) => {
                self.queue.tally().count(|counts| counts.poisoned += 1);
                Told::Nothing(reason)
            }
            None => event::read(&message.body),
        };
        let objects = match told {
            Told::Objects(objects) => objects,
            Told::Nothing(reason) => {
                let id = self.expect_one(key);
                return self.letter(id, format!("message/{}", message.id), message.body, reason);
            }
        };
        if objects.is_empty() {
            return self.handle.done(key);
        }
        let ids = lock(&self.books).message(key, objects.len());
        for (id, name) in ids.into_iter().zip(objects) {
            let source = self
                .options
                .buckets
                .iter()
                .find(|source| *source.resource == *name.bucket);
            let Some(source) = source.cloned() else {
                let reason = format!("an object of the bucket {}, which is no source here", name.bucket);
                let partition = format!("message/{}/{}/{}", message.id, name.bucket, name.key);
                self.letter(id, partition, message.body.clone(), reason);
                continue;
            };
            self.pending.push_back(Pending {
                id,
                source,
                name,
                key,
                receives: message.receives,
            });
        }
    }

    fn expect_one(&self, key: u64) -> ObjectId {
        let ids = lock(&self.books).message(key, 1);
        ids.first().copied().expect("one was asked for")
    }

    /// Hands out a message instead of its object.
    fn letter(&mut self, id: ObjectId, partition: String, body: String, reason: String) {
        let source = Arc::new(Source {
            service: "sqs".into(),
            resource: self.options.queue.as_str().into(),
            cluster: None,
        });
        self.letter_of(id, source, partition, body, reason);
    }

    fn letter_of(
        &mut self,
        id: ObjectId,
        source: Arc<Source>,
        partition: String,
        body: String,
        reason: String,
    ) {
        let open = self.open(id, source, partition.into(), 0);
        let raw = Raw {
            start: 0,
            after: 1,
            body: body.into(),
            form: PayloadForm::Unreadable { reason },
        };
        self.ready.push_back((open, raw));
    }

    fn open(&self, id: ObjectId, source: Arc<Source>, partition: Arc<str>, from: u64) -> Open {
        let generation = self.intake.open(&source, &partition, from);
        let place = (source.to_string().into(), partition.clone());
        lock(&self.books).open(id, place, generation);
        Open {
            source,
            partition,
            generation,
        }
    }

    /// Starts to read objects while there is room for more.
    fn begin(&mut self) {
        while self.reading.len() < self.options.objects_max.max(1)
            && let Some(pending) = self.pending.pop_front()
        {
            let task = ObjectTask {
                id: pending.id,
                request: GetRequest {
                    bucket: pending.name.bucket.clone(),
                    key: pending.name.key.clone(),
                    version: pending.name.version.clone(),
                    from: 0,
                    tag: None,
                },
                source: pending.source.clone(),
                api: self.api.clone(),
                intake: self.intake.clone(),
                context: self.context.clone(),
                backoff: Backoff {
                    initial: self.options.reading.retry_initial,
                    max: self.options.reading.retry_max,
                    jitter: self.jitter.clone(),
                },
                large: self.large.clone(),
                bytes_read: self.bytes_read.clone(),
                news: self.news_in.clone(),
            };
            let task = self.tasks.spawn(async move { task.run().await });
            let reading = Reading {
                pending,
                open: None,
                task,
            };
            self.reading.insert(reading.pending.id, reading);
        }
    }

    /// Takes note of what the task of an object tells.
    fn told(&mut self, id: ObjectId, news: News) -> Result<(), SourceError> {
        match news {
            News::Opened { partition, from } => self.opened(id, partition, from),
            News::Known(partition) => self.known(id, partition),
            News::Missing(fault) => self.missing(id, &fault),
            News::Failed(error) => {
                self.later(id);
                return Err(error);
            }
            News::Pumped(Pumped::Payloads(raws)) => {
                if let Some(open) = self.reading.get(&id).and_then(|reading| reading.open.clone()) {
                    self.ready.extend(raws.into_iter().map(|raw| (open.clone(), raw)));
                }
            }
            News::Pumped(Pumped::End { after, .. }) => {
                if let Some(open) = self.reading.remove(&id).and_then(|reading| reading.open) {
                    self.intake.end(open.generation, after);
                }
            }
            News::Pumped(Pumped::Failed(cause)) => {
                // It cannot even be begun to be unpacked.
                if let Some(open) = self.reading.remove(&id).and_then(|reading| reading.open) {
                    let form = PayloadForm::Unreadable {
                        reason: cause.to_string(),
                    };
                    let raw = Raw {
                        start: 0,
                        after: 1,
                        body: bytes::Bytes::new(),
                        form,
                    };
                    self.ready.push_back((open, raw));
                }
            }
        }
        Ok(())
    }

    /// An earlier run finished an object and its message came all the same.
    fn known(&mut self, id: ObjectId, partition: Arc<str>) {
        let Some(reading) = self.reading.remove(&id) else {
            return;
        };
        let place: ObjectPlace = (reading.pending.source.to_string().into(), partition);
        self.intake.note_written(name_of(place.clone()));
        if let Some(key) = lock(&self.books).skip(id, place) {
            self.handle.done(key);
        }
    }

    fn opened(&mut self, id: ObjectId, partition: Arc<str>, from: u64) {
        let Some(source) = self
            .reading
            .get(&id)
            .map(|reading| reading.pending.source.clone())
        else {
            return;
        };
        let place = (source.to_string().into(), partition.clone());
        if lock(&self.books).join(id, &place) {
            // Told of twice: both messages wait for the reading that is under way.
            if let Some(reading) = self.reading.remove(&id) {
                reading.task.abort();
            }
            return;
        }
        let open = self.open(id, source, partition, from);
        if let Some(reading) = self.reading.get_mut(&id) {
            reading.open = Some(open);
        }
    }

    /// S3 does not give an object: it is tried again some times, and then told.
    fn missing(&mut self, id: ObjectId, fault: &Fault) {
        let Some(reading) = self.reading.get(&id) else {
            return;
        };
        let Pending {
            source,
            name,
            receives,
            ..
        } = &reading.pending;
        let (receives, source) = (*receives, source.clone());
        if receives < self.options.missing_receives {
            tracing::warn!(bucket = %name.bucket, key = %name.key, %fault, receives, "object is not there, trying again later");
            return self.later(id);
        }
        let version = name.version.as_deref().unwrap_or("latest");
        let body = format!("s3://{}/{} version {version}", name.bucket, name.key);
        let partition = format!("{}#{version}#missing", name.key);
        let reason = format!("object not read, tried {receives} times: {fault}");
        self.reading.remove(&id);
        self.letter_of(id, source, partition, body, reason);
    }

    /// The message that tells of an object is to come again.
    fn later(&mut self, id: ObjectId) {
        self.reading.remove(&id);
        let failed = lock(&self.books).fail(id);
        if let Some(key) = failed {
            self.pending.retain(|pending| pending.key != key);
            release(&self.books, &self.intake, key, Fate::ComesAgain);
            self.handle.later(key, self.options.missing_retry);
        }
    }

    /// Hands out what is ready; `None` when nothing is.
    async fn hand_out(&mut self) -> Option<Payload> {
        // It stays where it is until it is registered, so that dropping this future loses nothing.
        while let Some((open, raw)) = self.ready.front() {
            let weight = weight_of(&raw.body);
            let token = self.intake.register(open.generation, raw.after, weight).await;
            let is_letter =
                matches!(raw.form, PayloadForm::Unreadable { .. }) && !self.is_reading(open.generation);
            // Nothing comes after it, which need not wait to be told.
            let is_last = is_letter || raw.form == PayloadForm::Object;
            let (open, raw) = self.ready.pop_front()?;
            if is_last {
                self.intake.end(open.generation, raw.after);
            }
            if let Some(token) = token {
                return Some(Payload {
                    source: open.source,
                    position: Position {
                        partition: open.partition,
                        sequence: Sequence::Offset(raw.start),
                    },
                    body: raw.body,
                    form: raw.form,
                    token,
                });
            }
        }
        None
    }

    fn is_reading(&self, generation: Generation) -> bool {
        let mut open = self.reading.values().filter_map(|reading| reading.open.as_ref());
        open.any(|open| open.generation == generation)
    }
}

/// What is done when the queue tells how a message ended.
fn on_fate(books: Arc<Mutex<Books>>, intake: Arc<OnceLock<Weak<Intake>>>) -> OnFate {
    Box::new(move |key, fate| {
        if let Some(intake) = intake.get().and_then(Weak::upgrade) {
            release(&books, &intake, key, fate);
        }
    })
}

/// A message ended: checkpoints that only it needed are forgotten.
fn release(books: &Mutex<Books>, intake: &Intake, key: u64, fate: Fate) {
    let released = lock(books).release(key, fate == Fate::ComesAgain);
    for released in released {
        match released {
            Released::Forget(place) => intake.forget(name_of(place)),
            Released::Keep(place) => intake.leave(&name_of(place)),
        }
    }
}

fn name_of((source, partition): ObjectPlace) -> PartitionName {
    PartitionName { source, partition }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl SourceReader for S3Source {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        loop {
            if let Some(payload) = self.hand_out().await {
                return Ok(Some(payload));
            }
            self.begin();
            let has_room = self.pending.is_empty() && self.reading.len() < self.options.objects_max.max(1);
            tokio::select! {
                biased;
                Some((id, news)) = self.news.recv() => self.told(id, news)?,
                arrival = self.queue.next(), if has_room => match arrival {
                    Some(Ok(arrival)) => self.arrived(arrival),
                    Some(Err(fault)) => return Err(SourceError::Aws { source_name: self.name(), fault }),
                    None => return Ok(None),
                },
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    fn name(&self) -> String {
        format!("s3:{}", self.options.queue)
    }

    fn progress(&self) -> SourceProgress {
        (self.watch())()
    }

    fn watch(&self) -> ProgressWatch {
        let (intake, bytes_read) = (self.intake.clone(), self.bytes_read.clone());
        Arc::new(move || SourceProgress {
            payloads_read: intake.payloads_read(),
            payloads_open: intake.payloads_open(),
            bytes_read: bytes_read.load(Ordering::Relaxed),
            bytes_total: None,
        })
    }

    fn watch_status(&self) -> StatusWatch {
        let tally = self.queue.tally();
        Arc::new(move || SourceStatus::Queue(tally.counts()))
    }

    async fn finish(mut self: Box<Self>) -> Result<SourceProgress, SourceError> {
        // What was read to its end and is acknowledged needs no second reading.
        while self.ready.is_empty()
            && let Ok((id, news)) = self.news.try_recv()
        {
            let _ = self.told(id, news);
        }
        self.tasks.abort_all();
        // Checkpoints first: whoever gets a message that is given back goes on from them.
        let written = self.intake.write_checkpoints().await;
        self.queue.finish().await;
        // Again, without those of messages that are deleted now. Where that fails they expire.
        let _ = self.intake.write_checkpoints().await;
        written.map(|()| self.progress())
    }
}

#[cfg(test)]
mod tests;
