//! What every source shares: the books of what is open, the limit on it, and the writing of checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    on_finish: Option<OnFinish>,
    /// Held while checkpoints are written, so that an older watermark cannot overtake a newer one.
    writing: tokio::sync::Mutex<()>,
}

/// Told of each reading that has ended and is acknowledged. Must not block, nor ask the books anything.
pub(crate) type OnFinish = Box<dyn Fn(Generation) + Send + Sync>;

#[derive(Default)]
struct State {
    tracker: PositionTracker,
    payloads_read: u64,
    /// Readings of which something is written, where that matters.
    written: BTreeSet<Generation>,
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

    /// Books of partitions that are read once. `on_finish` makes sure that they are not read again, so that one that
    /// is finished before anything of it was written leaves no checkpoint behind.
    pub(crate) fn of_once(context: SourceContext, on_finish: OnFinish) -> Arc<Self> {
        Arc::new(Self::with(context, Some(on_finish)))
    }

    fn with(context: SourceContext, on_finish: Option<OnFinish>) -> Self {
        let writing = tokio::sync::Mutex::new(());
        Self {
            context,
            state: Mutex::default(),
            acked: Notify::new(),
            on_finish,
            writing,
        }
    }

    fn finished(&self, generation: Generation) {
        if let Some(on_finish) = &self.on_finish {
            on_finish(generation);
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
        let generation = state.tracker.open(name, Sequence::Offset(from));
        if self.on_finish.is_some() && from > 0 {
            state.written.insert(generation);
        }
        generation
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

    /// Writes every watermark that is ahead of what was written, those of one source in one commit.
    pub(crate) async fn write_checkpoints(&self) -> Result<(), SourceError> {
        let _writing = self.writing.lock().await;
        let due = self.state().tracker.due();
        let mut by_source: BTreeMap<_, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for (generation, name, watermark) in due {
            if self.leaves_nothing(generation, &watermark) {
                continue;
            }
            let checkpoint = Checkpoint {
                sequence: watermark.sequence.to_string(),
                finished: watermark.finished,
                updated: self.context.clock.now(),
            };
            let (checkpoints, watermarks) = by_source.entry(name.source).or_default();
            checkpoints.push((name.partition.to_string(), checkpoint));
            watermarks.push((generation, watermark));
        }
        for (source, (checkpoints, watermarks)) in by_source {
            let written = self.context.checkpoints.put(&source, checkpoints).await;
            written.map_err(|cause| SourceError::Checkpoint {
                source_name: source.to_string(),
                cause,
            })?;
            let mut state = self.state();
            for (generation, watermark) in &watermarks {
                state.tracker.written(*generation, watermark);
                if watermark.finished {
                    state.written.remove(generation);
                } else if self.on_finish.is_some() {
                    state.written.insert(*generation);
                }
            }
        }
        Ok(())
    }

    /// Forgets a partition that is read once and finished, if nothing of it is written. Answers whether it did.
    fn leaves_nothing(&self, generation: Generation, watermark: &Watermark) -> bool {
        if self.on_finish.is_none() || !watermark.finished {
            return false;
        }
        let mut state = self.state();
        if state.written.contains(&generation) {
            return false;
        }
        state.tracker.written(generation, watermark);
        true
    }

    /// Writes checkpoints every now and then, for as long as the handle is kept.
    pub(crate) fn keep_writing(self: &Arc<Self>) -> Writing {
        let intake = self.clone();
        Writing(tokio::spawn(async move {
            let mut failing = false;
            loop {
                tokio::time::sleep(intake.context.limits.checkpoint_interval).await;
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
