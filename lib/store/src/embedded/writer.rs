//! The thread that owns writing. It takes whatever waits, carries all of it out in one transaction, commits
//! with one fsync, and answers: while one commit is under way the next one gathers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Database, Durability, StorageError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::database::Slot;
use super::failure::is_full;
use super::tables::Tables;
use super::{EmbeddedOptions, Failure};
use crate::StoreError;

/// Something to write. Applied again from the start when the transaction that it shared had to be given up.
pub(super) trait Request: Send {
    /// Writes, and keeps what is to be answered.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Failure>;
    /// Answers what `apply` kept, or that the commit failed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
    /// Whether there is nothing to write.
    fn is_nudge(&self) -> bool {
        false
    }
}

/// A request on its way, with the bytes that it counts for.
pub(super) struct Envelope {
    pub(super) request: Box<dyn Request>,
    pub(super) weight_bytes: usize,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

impl Envelope {
    /// Wakes the writer, and asks for nothing.
    pub(super) fn nudge() -> Self {
        Self::small(Box::new(Nudge))
    }

    fn small(request: Box<dyn Request>) -> Self {
        Self {
            request,
            weight_bytes: 0,
            permit: None,
        }
    }
}

struct Nudge;

impl Request for Nudge {
    fn apply(&mut self, _: &mut Tables<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn answer(self: Box<Self>, _: Result<(), StoreError>) {}

    fn is_nudge(&self) -> bool {
        true
    }
}

/// Small writes that go with the next commit. Whoever adds one waits for it, so there are no more than leases.
#[derive(Default)]
pub(super) struct Urgent(Mutex<Vec<Box<dyn Request>>>);

impl Urgent {
    /// Adds one. The writer is to be woken after that.
    pub(super) fn push(&self, request: Box<dyn Request>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
    }

    fn take(&self) -> Vec<Envelope> {
        let requests = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        requests.into_iter().map(Envelope::small).collect()
    }
}

/// A request made of a closure.
pub(super) struct Job<T, F> {
    run: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job<T, F> {
    pub(super) const fn new(run: F, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self {
            run,
            outcome: None,
            reply,
        }
    }
}

impl<T, F> Request for Job<T, F>
where
    T: Send,
    F: FnMut(&mut Tables<'_>) -> Result<T, Failure> + Send,
{
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Failure> {
        self.outcome = Some(match (self.run)(tables) {
            Ok(value) => Ok(value),
            Err(Failure::Refused(error)) => Err(error),
            Err(failure) => return Err(failure),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let lost = || {
            Err(StoreError::Unavailable {
                reason: "the request was not carried out".to_owned(),
            })
        };
        let answer = match committed {
            Ok(()) => self.outcome.unwrap_or_else(lost),
            Err(error) => Err(error),
        };
        // Nobody listens when the caller gave up waiting; what was written stays written.
        let _ = self.reply.send(answer);
    }
}

/// How often the writer did what.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) requests: AtomicU64,
}

pub(super) struct Writer {
    pub(super) slot: Arc<Slot>,
    pub(super) counters: Arc<Counters>,
    urgent: Arc<Urgent>,
    pub(super) batch_requests_max: usize,
    pub(super) batch_bytes_max: usize,
    /// The last write found no room.
    pub(super) full: bool,
}

/// Where a transaction stopped.
enum Stopped {
    /// Before its commit: it has no effect.
    Before(Failure),
    /// In the commit with this number: it may have taken effect.
    InCommit(u64, Failure),
}

impl Writer {
    pub(super) fn new(
        slot: Arc<Slot>,
        counters: Arc<Counters>,
        urgent: Arc<Urgent>,
        options: &EmbeddedOptions,
    ) -> Self {
        Self {
            slot,
            counters,
            urgent,
            batch_requests_max: options.batch_requests_max,
            batch_bytes_max: options.batch_bytes_max,
            full: false,
        }
    }

    /// Works until every handle of the store is gone.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Envelope>) {
        while let Some(first) = requests.blocking_recv() {
            let mut bytes = first.weight_bytes;
            let mut batch = self.urgent.take();
            batch.push(first);
            while batch.len() < self.batch_requests_max && bytes < self.batch_bytes_max {
                let Ok(next) = requests.try_recv() else { break };
                bytes += next.weight_bytes;
                batch.push(next);
            }
            // a nudge whose request went with the commit before this one
            batch.retain(|envelope| !envelope.request.is_nudge());
            if !batch.is_empty() {
                self.write(batch);
            }
        }
    }

    fn write(&mut self, mut batch: Vec<Envelope>) {
        let committed = self.commit(&mut batch);
        self.counters
            .requests
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        if matches!(committed, Err(StoreError::Corrupt { .. })) && batch.len() > 1 {
            // One of them met something unreadable. Alone, only that one fails.
            batch.into_iter().for_each(|envelope| self.write(vec![envelope]));
            return;
        }
        for envelope in batch {
            envelope.request.answer(committed.clone());
            drop(envelope.permit);
        }
    }

    fn commit(&mut self, batch: &mut [Envelope]) -> Result<(), StoreError> {
        self.make_ready().map_err(Failure::into_store_error)?;
        let slot = self.slot.clone();
        let stopped = match catch_unwind(AssertUnwindSafe(|| slot.with(|db| Ok(transact(db, batch))))) {
            Ok(Ok(Ok(()))) => {
                self.counters.commits.fetch_add(1, Ordering::Relaxed);
                self.full = false;
                return Ok(());
            }
            Ok(Ok(Err(stopped))) => stopped,
            Ok(Err(failure)) => Stopped::Before(failure),
            Err(panic) => Stopped::Before(Failure::Corrupt(panic_text(panic.as_ref()))),
        };
        self.recover(stopped)
    }

    fn make_ready(&self) -> Result<(), Failure> {
        if self.full {
            self.slot.probe_room()?;
        }
        if self.slot.is_open() {
            Ok(())
        } else {
            self.slot.reopen()
        }
    }

    /// After an error the database is opened again; then it is known whether the commit took place.
    fn recover(&mut self, stopped: Stopped) -> Result<(), StoreError> {
        let (commit, failure) = match stopped {
            Stopped::Before(failure) => (None, failure),
            Stopped::InCommit(number, failure) => (Some(number), failure),
        };
        let failure = match (failure, self.slot.take_trouble()) {
            (Failure::Storage(_), Some(cause)) => Failure::Storage(StorageError::Io(cause)),
            (failure, _) => failure,
        };
        self.full = matches!(&failure, Failure::Storage(error) if is_full(error));
        let reopened = self.slot.reopen();
        let commits = reopened.and_then(|()| self.slot.commits());
        match (commit, commits) {
            (Some(number), Ok(commits)) if commits == number => {
                tracing::warn!(?failure, "a commit reported a failure but is complete");
                Ok(())
            }
            (Some(_), Err(error)) => {
                tracing::error!(
                    ?failure,
                    ?error,
                    "the store cannot be opened again after a failed commit"
                );
                Err(StoreError::Unavailable {
                    reason: error.into_store_error().to_string(),
                })
            }
            (None, Err(error)) => {
                tracing::error!(
                    ?failure,
                    ?error,
                    "the store cannot be opened again after a failed write"
                );
                Err(failure.into_store_error())
            }
            (_, Ok(_)) => {
                tracing::warn!(?failure, "a commit failed and was undone");
                Err(failure.into_store_error())
            }
        }
    }
}

fn transact(database: &Database, batch: &mut [Envelope]) -> Result<(), Stopped> {
    let before = |failure| Stopped::Before(failure);
    let mut transaction = database.begin_write().map_err(|error| before(error.into()))?;
    transaction
        .set_durability(Durability::Immediate)
        .expect("the durability is not lowered, and there are no savepoints");
    let number = {
        let mut tables = Tables::open(&transaction).map_err(|error| before(error.into()))?;
        for envelope in batch.iter_mut() {
            envelope.request.apply(&mut tables).map_err(before)?;
        }
        tables.count_commit().map_err(|error| before(error.into()))?
    };
    transaction
        .commit()
        .map_err(|error| Stopped::InCommit(number, error.into()))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
        .to_owned()
}
