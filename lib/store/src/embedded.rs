//! The store in one file: a B-tree (redb) with one writer, group commit and fsync.

mod alerts;
mod backend;
mod database;
mod failure;
mod handle;
mod leases;
mod letters;
mod tables;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use redb::ReadTransaction;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::database::OpenError;
use self::database::Slot;
use self::failure::Failure;
use self::tables::Tables;
use self::writer::{Counters, Envelope, Job, Urgent, Writer, panic_text};
use crate::{DEAD_LETTER_BYTES_MAX, StoreError};

/// How an [`EmbeddedStore`] is set up.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Where the file is; created with its parents when missing.
    pub dir: PathBuf,
    /// What dead letters may hold, bodies and 512 bytes each; beyond it putting more is refused.
    pub dead_letter_bytes_max: u64,
    /// Page cache. The working set is the outbox and its alerts, which is small unless an output is down.
    pub cache_bytes: usize,
    /// Writes that may wait for the next commit. Callers beyond it wait to enter: bounded memory.
    pub requests_max: usize,
    /// Bytes of rows that may wait for the next commit. A larger single request goes alone.
    pub request_bytes_max: u32,
    /// Writes in one commit at most, so that none waits long for its answer.
    pub batch_requests_max: usize,
    /// Bytes of rows in one commit at most: a commit then takes well under a second on a slow disk.
    pub batch_bytes_max: usize,
    /// Reads at a time: they block threads, and each may hold a page of alerts.
    pub reads_max: usize,
    /// Files up to this size are verified, page by page, whenever they are opened; a larger one only after a
    /// crash, because reading all of it would delay every start.
    pub verify_bytes_max: u64,
}

impl EmbeddedOptions {
    /// The defaults, for a store in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            dead_letter_bytes_max: DEAD_LETTER_BYTES_MAX,
            cache_bytes: 32 << 20,
            requests_max: 1_024,
            request_bytes_max: 64 << 20,
            batch_requests_max: 1_024,
            batch_bytes_max: 16 << 20,
            reads_max: 16,
            verify_bytes_max: 256 << 20,
        }
    }
}

/// What an [`EmbeddedStore`] has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteCounts {
    /// Transactions committed, each with its own fsync.
    pub commits: u64,
    /// Requests that these carried out.
    pub requests: u64,
}

/// All four stores in one file. Clones are handles on the same file, which is closed with the last of them.
#[derive(Clone)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
}

struct Inner {
    /// Taken when the store is dropped, which ends the writer.
    requests: Option<mpsc::Sender<Envelope>>,
    urgent: Arc<Urgent>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
    reads: Semaphore,
    slot: Arc<Slot>,
    counters: Arc<Counters>,
    dead_letter_bytes_max: u64,
    writer: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    /// Waits for the writer to finish the commit that it may be in, so that the file is free afterwards.
    fn drop(&mut self) {
        drop(self.requests.take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // Its panics are caught and answered inside.
            let _ = writer.join();
        }
    }
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("writes", &self.write_counts())
            .finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store, or creates it where there is none. Blocks for as long as the file takes to verify:
    /// about a second per gigabyte after a crash.
    ///
    /// # Errors
    /// See [`OpenError`]. A file that is there is never replaced.
    pub fn open(options: EmbeddedOptions) -> Result<Self, OpenError> {
        let thread_options = options.clone();
        // On a thread of its own because the engine may panic on a damaged file.
        let opened = std::thread::spawn(move || Slot::open(&thread_options)).join();
        let slot = match opened {
            Ok(slot) => slot?,
            Err(panic) => {
                let reason = panic_text(panic.as_ref());
                return Err(OpenError::Corrupt {
                    path: options.dir,
                    reason,
                });
            }
        };
        Self::start(slot, &options)
    }

    fn start(slot: Slot, options: &EmbeddedOptions) -> Result<Self, OpenError> {
        let (slot, counters) = (Arc::new(slot), Arc::<Counters>::default());
        let (sender, receiver) = mpsc::channel(options.requests_max);
        let urgent = Arc::<Urgent>::default();
        let writer = Writer::new(slot.clone(), counters.clone(), urgent.clone(), options);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(|cause| OpenError::Io {
                path: options.dir.clone(),
                cause,
            })?;
        let inner = Inner {
            requests: Some(sender),
            urgent,
            bytes: Arc::new(Semaphore::new(options.request_bytes_max as usize)),
            bytes_max: options.request_bytes_max,
            reads: Semaphore::new(options.reads_max),
            slot,
            counters,
            dead_letter_bytes_max: options.dead_letter_bytes_max,
            writer: std::sync::Mutex::new(Some(writer)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// How many writes shared how many commits.
    #[must_use]
    pub fn write_counts(&self) -> WriteCounts {
        WriteCounts {
            commits: self.inner.counters.commits.load(Ordering::Relaxed),
            requests: self.inner.counters.requests.load(Ordering::Relaxed),
        }
    }

    /// Hands a small write to the writer for its next commit, ahead of all that waits, and waits until it is durable. For
    /// leases: behind a flood of alerts a renewal might come too late.
    async fn write_next<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Tables<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable {
            reason: "the store is shutting down".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        self.inner.urgent.push(Box::new(Job::new(run, reply)));
        let requests = self.inner.requests.as_ref().ok_or_else(closed)?;
        // Without room there the writer is at work and looks by itself.
        if let Err(mpsc::error::TrySendError::Closed(_)) = requests.try_send(Envelope::nudge()) {
            return Err(closed());
        }
        answer.await.map_err(|_| closed())?
    }

    /// Hands a write to the writer and waits until it is durable.
    async fn write<T: Send + 'static>(
        &self,
        weight_bytes: usize,
        run: impl FnMut(&mut Tables<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable {
            reason: "the store is shutting down".to_owned(),
        };
        let permits = u32::try_from(weight_bytes)
            .unwrap_or(u32::MAX)
            .min(self.inner.bytes_max);
        let permit = self
            .inner
            .bytes
            .clone()
            .acquire_many_owned(permits)
            .await
            .map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let envelope = Envelope {
            request: Box::new(Job::new(run, reply)),
            weight_bytes,
            permit: Some(permit),
        };
        let requests = self.inner.requests.as_ref().ok_or_else(closed)?;
        requests.send(envelope).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Runs a read off the async threads, on everything that is committed by now.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let unavailable = |reason: String| StoreError::Unavailable { reason };
        let _permit = self
            .inner
            .reads
            .acquire()
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        let slot = self.inner.slot.clone();
        match tokio::task::spawn_blocking(move || slot.read(read)).await {
            Ok(read) => read.map_err(Failure::into_store_error),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(StoreError::Corrupt {
                    reason: panic_text(panic.as_ref()),
                }),
                Err(error) => Err(unavailable(error.to_string())),
            },
        }
    }
}

#[cfg(test)]
mod tests;
