//! A source that follows the script, and sees whether it is acknowledged too early.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use streamalert_store::{AlertStore, Checkpoint, CheckpointStore};
use streamalert_stream::{
    AckTarget, AckToken, Generation, PartitionName, Payload, PayloadForm, PositionTracker, ProgressWatch,
    SourceError, SourceProgress, SourceReader, Ticket,
};
use streamalert_types::{Clock, Sequence};
use tokio::time::sleep;

use crate::clock::NodeClock;
use crate::invariants::Invariant;
use crate::script::Script;
use crate::store::NodeStore;
use crate::world::World;

/// Payloads that may be open: few enough that a slow pipeline is felt here.
const OPEN_MAX: usize = 200;

/// How often room is looked for while there is none.
const ROOM_POLL: Duration = Duration::from_millis(50);

/// How often checkpoints are written.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);

/// What the source knows of its payloads.
struct Books {
    world: World,
    script: usize,
    /// The first payload of this reading.
    first: usize,
    state: Mutex<State>,
}

struct State {
    tracker: PositionTracker,
    read: u64,
}

impl Books {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> &Script {
        &self.world.scripts[self.script]
    }
}

impl AckTarget for Books {
    fn ack(&self, ticket: Ticket) {
        let at = self.first + usize::try_from(ticket.index()).unwrap_or(usize::MAX);
        for (id, rule) in self.script().alerts(at) {
            let view = self.world.memory.view(id).now_or_never();
            if view.and_then(Result::ok).flatten().is_none() {
                let partition = &self.script().partition;
                let seen = format!(
                    "{partition}@{at} was acknowledged, its alert {id} of {} is nowhere",
                    rule.name()
                );
                self.world.violated(Invariant::C1, seen);
            }
        }
        self.state().tracker.ack(ticket);
    }
}

/// Reads one partition from its checkpoint on.
pub(crate) struct ScriptedSource {
    books: Arc<Books>,
    generation: Generation,
    next: usize,
    pace: Duration,
    checkpoints: NodeStore,
    clock: NodeClock,
}

impl ScriptedSource {
    /// The partition `script` of the world, a payload every `pace`. Waits until the checkpoint can be read.
    pub(crate) async fn open(store: NodeStore, script: usize, pace: Duration) -> Self {
        let world = store.world.clone();
        let (source, partition) = {
            let script = &world.scripts[script];
            (script.source.to_string(), script.partition.clone())
        };
        let checkpoint = loop {
            match CheckpointStore::get(&store, &source, &partition).await {
                Ok(checkpoint) => break checkpoint,
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        };
        let from = checkpoint
            .and_then(|checkpoint| checkpoint.sequence.parse().ok())
            .unwrap_or(0);
        let mut tracker = PositionTracker::new();
        let name = PartitionName {
            source: source.into(),
            partition,
        };
        let generation = tracker.open(name, Sequence::Offset(from as u64));
        let clock = world.clock(&store.node);
        world.note(&format!("{} reads from {from}", store.node));
        let state = Mutex::new(State { tracker, read: 0 });
        Self {
            books: Arc::new(Books {
                world,
                script,
                first: from,
                state,
            }),
            generation,
            next: from,
            pace,
            checkpoints: store,
            clock,
        }
    }

    /// Writes checkpoints as they come due, for as long as the node lives.
    pub(crate) fn write_checkpoints(&self) -> impl Future<Output = ()> + Send + 'static {
        let (books, store, clock) = (self.books.clone(), self.checkpoints.clone(), self.clock.clone());
        async move {
            loop {
                sleep(CHECKPOINT_EVERY).await;
                write(&books, &store, &clock).await;
            }
        }
    }
}

async fn write(books: &Books, store: &NodeStore, clock: &NodeClock) {
    let due = books.state().tracker.due();
    for (generation, name, watermark) in due {
        let checkpoint = Checkpoint {
            sequence: watermark.sequence.to_string(),
            finished: watermark.finished,
            updated: clock.now(),
            expires: None,
        };
        let places = vec![(name.partition.to_string(), checkpoint)];
        if CheckpointStore::put(store, &name.source, places).await.is_ok() {
            books.state().tracker.written(generation, &watermark);
        }
    }
}

#[async_trait]
impl SourceReader for ScriptedSource {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        sleep(self.pace).await;
        let script = self.books.script();
        let Some(payload) = script.payloads.get(self.next) else {
            let after = Sequence::Offset(self.next as u64);
            self.books.state().tracker.end(self.generation, after);
            // A stream has no end.
            return std::future::pending().await;
        };
        while self.books.state().tracker.payloads_open() >= OPEN_MAX {
            sleep(ROOM_POLL).await;
        }
        let position = script.position(self.next);
        let (source, body) = (script.source.clone(), payload.body.clone());
        let ticket = {
            let mut state = self.books.state();
            state.read += 1;
            let after = Sequence::Offset(self.next as u64 + 1);
            state.tracker.register(self.generation, after, body.len())
        };
        self.next += 1;
        Ok(ticket.map(|ticket| Payload {
            source,
            position,
            body,
            form: PayloadForm::Message,
            token: AckToken::new(self.books.clone(), ticket),
        }))
    }

    fn name(&self) -> String {
        self.books.script().partition.to_string()
    }

    fn progress(&self) -> SourceProgress {
        progress(&self.books)
    }

    fn watch(&self) -> ProgressWatch {
        let books = self.books.clone();
        Arc::new(move || progress(&books))
    }

    async fn finish(self: Box<Self>) -> Result<SourceProgress, SourceError> {
        write(&self.books, &self.checkpoints, &self.clock).await;
        Ok(self.progress())
    }
}

fn progress(books: &Books) -> SourceProgress {
    let state = books.state();
    SourceProgress {
        payloads_read: state.read,
        payloads_open: state.tracker.payloads_open() as u64,
        ..SourceProgress::default()
    }
}
