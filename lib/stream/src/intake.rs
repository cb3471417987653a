//! What every source shares: the books of what is open, the limit on it, and the writing of checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use streamalert_store::{Checkpoint, StoreError};
use streamalert_types::{Sequence, Source, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::{
    AckTarget, AckToken, Acked, Generation, PartitionName, PositionTracker, SourceContext, SourceError,
    Ticket, Watermark,
};

/// The books of one source reader. Tokens hold it, too: they may outlive the reader.
pub(crate) struct Intake {
    context: SourceContext,
    state: Mutex<State>,
    acked: Notify,
    once: Option<Once>,
    /// Held while checkpoints are written, so that an older watermark cannot overtake a newer one.
    writing: tokio::sync::Mutex<()>,
}

/// Told of each reading that has ended and is acknowledged. Must not block, nor ask the books anything.
pub(crate) type OnFinish = Box<dyn Fn(Generation) + Send + Sync>;

/// Of partitions that are read once, and whose checkpoints nobody needs after that.
struct Once {
    /// Sources that they are of.
    sources: Vec<String>,
    on_finish: OnFinish,
}

/// How long a checkpoint of a partition that is read once is kept after it was written last: a day longer than SQS
/// keeps the longest-lived message that may tell of it again.
const ONCE_KEPT: Duration = Duration::from_secs(15 * 24 * 3600);
/// How often those are looked for whose time has come.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// Checkpoints that wait to be removed. While the store is down there may be more; those are left to expire.
const FORGET_MAX: usize = 10_000;

#[derive(Default)]
struct State {
    tracker: PositionTracker,
    payloads_read: u64,
    /// Partitions that have a checkpoint, of those that are read once.
    written: BTreeSet<PartitionName>,
    /// Of these, the ones that nobody needs any more.
    forget: BTreeSet<PartitionName>,
}

/// What came of an attempt to register a payload.
enum Registered {
    Yes(Ticket),
    NoRoom,
    Over,
}

impl AckTarget for Intake {
    fn ack(&self, ticket: Ticket) {
        let generation = ticket.generation();
        let (acked, is_finished) = {
            let mut state = self.state();
            let acked = state.tracker.ack(ticket);
            (
                acked,
                acked == Acked::Moved && state.tracker.is_finished(generation),
            )
        };
        if acked != Acked::Stale {
            self.acked.notify_waiters();
        }
        if is_finished {
            self.finished(generation);
        }
    }
}

impl Intake {
    pub(crate) fn new(context: SourceContext) -> Arc<Self> {
        Arc::new(Self::with(context, None))
    }

    /// Books of partitions that are read once, of these sources. `on_finish` makes sure that they are not read again,
    /// so that one that is finished before anything of it was written leaves no checkpoint behind. Others leave one
    /// until [`Intake::forget`] or until it expires.
    pub(crate) fn of_once(context: SourceContext, sources: Vec<String>, on_finish: OnFinish) -> Arc<Self> {
        Arc::new(Self::with(context, Some(Once { sources, on_finish })))
    }

    fn with(context: SourceContext, once: Option<Once>) -> Self {
        let writing = tokio::sync::Mutex::new(());
        Self {
            context,
            state: Mutex::default(),
            acked: Notify::new(),
            once,
            writing,
        }
    }

    fn finished(&self, generation: Generation) {
        if let Some(once) = &self.once {
            (once.on_finish)(generation);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the reading of a partition goes on, and whether it had been read to its end.
    pub(crate) async fn resume(&self, source: &Source, partition: &str) -> Result<(u64, bool), SourceError> {
        let name = source.to_string();
        let checkpoint = self.context.checkpoints.get(&name, partition).await;
        let checkpoint = checkpoint.map_err(|cause| SourceError::Checkpoint {
            source_name: name,
            cause,
        })?;
        Ok(checkpoint.map_or((0, false), |checkpoint| place(&checkpoint)))
    }

    /// Every partition of a source that has a checkpoint, with its place and whether it is finished.
    pub(crate) async fn resume_all(&self, source: &Source) -> Result<Vec<(String, u64, bool)>, SourceError> {
        let name = source.to_string();
        let checkpoints = self.context.checkpoints.list(&name).await;
        let checkpoints = checkpoints.map_err(|cause| SourceError::Checkpoint {
            source_name: name,
            cause,
        })?;
        let placed = checkpoints.into_iter().map(|(partition, checkpoint)| {
            let (from, finished) = place(&checkpoint);
            (partition, from, finished)
        });
        Ok(placed.collect())
    }

    pub(crate) fn open(&self, source: &Source, partition: &Arc<str>, from: u64) -> Generation {
        let name = PartitionName {
            source: source.to_string().into(),
            partition: partition.clone(),
        };
        let mut state = self.state();
        if self.once.is_some() && from > 0 {
            state.written.insert(name.clone());
        }
        state.tracker.open(name, Sequence::Offset(from))
    }

    /// A partition that is read once was found to have a checkpoint.
    pub(crate) fn note_written(&self, name: PartitionName) {
        self.state().written.insert(name);
    }

    /// Nobody will ask again how far a partition was read: its checkpoint, if it has one, is removed with the next
    /// writing.
    pub(crate) fn forget(&self, name: PartitionName) {
        let mut state = self.state();
        if state.forget.len() < FORGET_MAX {
            state.forget.insert(name);
        } else {
            state.written.remove(&name);
        }
    }

    /// A partition's checkpoint is left to whoever reads it next.
    pub(crate) fn leave(&self, name: &PartitionName) {
        self.state().written.remove(name);
    }

    /// Waits until another payload of `weight_bytes` may be open, and registers it. `None` when the generation is
    /// over.
    pub(crate) async fn register(
        self: &Arc<Self>,
        generation: Generation,
        after: u64,
        weight_bytes: usize,
    ) -> Option<AckToken> {
        loop {
            let acked = self.acked.notified();
            tokio::pin!(acked);
            // Enabled before looking, so that an acknowledgement between looking and waiting wakes us.
            acked.as_mut().enable();
            match self.try_register(generation, after, weight_bytes) {
                Registered::Yes(ticket) => return Some(AckToken::new(self.clone(), ticket)),
                Registered::Over => return None,
                Registered::NoRoom => acked.await,
            }
        }
    }

    fn try_register(&self, generation: Generation, after: u64, weight_bytes: usize) -> Registered {
        let limits = &self.context.limits;
        let mut state = self.state();
        let open = state.tracker.payloads_open();
        let fits = open < limits.payloads_open_max
            && state.tracker.bytes_open().saturating_add(weight_bytes) <= limits.bytes_open_max;
        if !fits && open > 0 {
            return Registered::NoRoom;
        }
        match state
            .tracker
            .register(generation, Sequence::Offset(after), weight_bytes)
        {
            Some(ticket) => {
                state.payloads_read += 1;
                Registered::Yes(ticket)
            }
            None => Registered::Over,
        }
    }

    /// The partition has no more payloads, for now or for good.
    pub(crate) fn end(&self, generation: Generation, after: u64) {
        let is_finished = self.state().tracker.end(generation, Sequence::Offset(after));
        if is_finished {
            self.finished(generation);
        }
    }

    /// A partition that had ended goes on; see [`PositionTracker::resume`].
    pub(crate) fn go_on(&self, generation: Generation) -> bool {
        self.state().tracker.resume(generation)
    }

    /// The place of a partition is to be written although it has not moved.
    pub(crate) fn touch(&self, generation: Generation) {
        self.state().tracker.touch(generation);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    pub(crate) fn payloads_read(&self) -> u64 {
        self.state().payloads_read
    }

    pub(crate) fn payloads_open(&self) -> u64 {
        self.state().tracker.payloads_open() as u64
    }

    /// Writes every watermark that is ahead of what was written, those of one source in one commit, and removes the
    /// checkpoints that nobody needs.
    pub(crate) async fn write_checkpoints(&self) -> Result<(), SourceError> {
        let _writing = self.writing.lock().await;
        // Before: what is read anew meanwhile keeps the checkpoint that it gets.
        let removed = self.remove_forgotten().await;
        let due = self.state().tracker.due();
        let mut by_source: BTreeMap<_, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for (generation, name, watermark) in due {
            if self.leaves_nothing(generation, &name, &watermark) {
                continue;
            }
            let now = self.context.clock.now();
            let checkpoint = Checkpoint {
                sequence: watermark.sequence.to_string(),
                finished: watermark.finished,
                updated: now,
                expires: self.once.is_some().then(|| now.plus(ONCE_KEPT)),
            };
            let (checkpoints, watermarks) = by_source.entry(name.source.clone()).or_default();
            checkpoints.push((name.partition.to_string(), checkpoint));
            watermarks.push((generation, name, watermark));
        }
        for (source, (checkpoints, watermarks)) in by_source {
            let written = self.context.checkpoints.put(&source, checkpoints).await;
            written.map_err(|cause| failed(&source, cause))?;
            let mut state = self.state();
            for (generation, name, watermark) in watermarks {
                state.tracker.written(generation, &watermark);
                if self.once.is_some() {
                    state.written.insert(name);
                }
            }
        }
        removed
    }

    /// Removes the checkpoints that nobody needs any more.
    async fn remove_forgotten(&self) -> Result<(), SourceError> {
        let mut by_source: BTreeMap<Arc<str>, Vec<PartitionName>> = BTreeMap::new();
        {
            let mut state = self.state();
            let forget = std::mem::take(&mut state.forget);
            if forget.is_empty() {
                return Ok(());
            }
            // Finished, and not written yet: there is no need to.
            for (generation, name, watermark) in state.tracker.due() {
                if watermark.finished && forget.contains(&name) {
                    state.tracker.written(generation, &watermark);
                }
            }
            for name in forget {
                if state.written.contains(&name) {
                    by_source.entry(name.source.clone()).or_default().push(name);
                }
            }
        }
        let mut result = Ok(());
        for (source, names) in by_source {
            let partitions: Vec<_> = names.iter().map(|name| name.partition.to_string()).collect();
            let removed = self.context.checkpoints.remove(&source, &partitions).await;
            let mut state = self.state();
            match removed {
                Ok(()) => names.iter().for_each(|name| {
                    state.written.remove(name);
                }),
                Err(cause) => {
                    state.forget.extend(names);
                    result = Err(failed(&source, cause));
                }
            }
        }
        result
    }

    /// Forgets a partition that is read once and finished, if nothing of it is written. Answers whether it did.
    fn leaves_nothing(&self, generation: Generation, name: &PartitionName, watermark: &Watermark) -> bool {
        if self.once.is_none() || !watermark.finished {
            return false;
        }
        let mut state = self.state();
        if state.written.contains(name) {
            return false;
        }
        state.tracker.written(generation, watermark);
        true
    }

    /// Removes what earlier runs left, and nobody asked for again.
    async fn sweep(&self) {
        let now = self.context.clock.now();
        for source in self.once.iter().flat_map(|once| &once.sources) {
            match self.context.checkpoints.expire(source, now).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(source, count, "checkpoints have expired"),
                Err(error) => tracing::debug!(source, %error, "checkpoints are not looked through"),
            }
        }
    }

    /// Writes checkpoints every now and then, for as long as the handle is kept.
    pub(crate) fn keep_writing(self: &Arc<Self>) -> Writing {
        let intake = self.clone();
        Writing(tokio::spawn(async move {
            let mut failing = false;
            let mut sweep_at = tokio::time::Instant::now();
            loop {
                tokio::time::sleep(intake.context.limits.checkpoint_interval).await;
                if tokio::time::Instant::now() >= sweep_at {
                    sweep_at = tokio::time::Instant::now() + SWEEP_INTERVAL;
                    intake.sweep().await;
                }
                match intake.write_checkpoints().await {
                    Ok(()) if failing => {
                        failing = false;
                        tracing::info!("checkpoints are written again");
                    }
                    Ok(()) => {}
                    Err(error) if !failing => {
                        failing = true;
                        report(&error);
                    }
                    Err(_) => {}
                }
            }
        }))
    }
}

fn failed(source: &str, cause: StoreError) -> SourceError {
    SourceError::Checkpoint {
        source_name: source.to_owned(),
        cause,
    }
}

/// A checkpoint's place. One that cannot be read means the beginning: reading again is safe, skipping is not.
fn place(checkpoint: &Checkpoint) -> (u64, bool) {
    match checkpoint.sequence.parse() {
        Ok(offset) => (offset, checkpoint.finished),
        Err(_) => {
            tracing::warn!(sequence = %checkpoint.sequence, "checkpoint is not an offset, reading from the start");
            (0, false)
        }
    }
}

fn report(error: &SourceError) {
    if let SourceError::Checkpoint {
        cause: StoreError::Full { .. },
        ..
    } = error
    {
        tracing::error!(%error, "no room for checkpoints, more will be read again after a restart");
    } else {
        tracing::warn!(%error, "checkpoints are not written, more will be read again after a restart");
    }
}

/// The task that writes checkpoints; ends when this is dropped.
pub(crate) struct Writing(JoinHandle<()>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.abort();
    }
}
