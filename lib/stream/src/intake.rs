//! What every source shares: the books of what is open, the limit on it, and the writing of checkpoints.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamalert_store::{Checkpoint, StoreError};
use streamalert_types::{Sequence, Source, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::{
    AckTarget, AckToken, Acked, Generation, PartitionName, PositionTracker, SourceContext, SourceError, Ticket,
};

/// The books of one source reader. Tokens hold it, too: they may outlive the reader.
pub(crate) struct Intake {
    context: SourceContext,
    state: Mutex<State>,
    acked: Notify,
}

#[derive(Default)]
struct State {
    tracker: PositionTracker,
    payloads_read: u64,
}

impl AckTarget for Intake {
    fn ack(&self, ticket: Ticket) {
        if self.state().tracker.ack(ticket) != Acked::Stale {
            self.acked.notify_waiters();
        }
    }
}

impl Intake {
    pub(crate) fn new(context: SourceContext) -> Arc<Self> {
        Arc::new(Self { context, state: Mutex::default(), acked: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the reading of a partition goes on, and whether it had been read to its end.
    pub(crate) async fn resume(&self, source: &Source, partition: &str) -> Result<(u64, bool), SourceError> {
        let name = source.to_string();
        let checkpoint = self.context.checkpoints.get(&name, partition).await;
        let checkpoint = checkpoint.map_err(|cause| SourceError::Checkpoint { source_name: name, cause })?;
        Ok(checkpoint.map_or((0, false), |checkpoint| {
            (checkpoint.sequence.parse().unwrap_or(0), checkpoint.finished)
        }))
    }

    pub(crate) fn open(&self, source: &Source, partition: &Arc<str>, from: u64) -> Generation {
        let name = PartitionName { source: source.to_string().into(), partition: partition.clone() };
        self.state().tracker.open(name, Sequence::Offset(from))
    }

    /// Waits until another payload of `weight_bytes` may be open, and registers it.
    pub(crate) async fn register(self: &Arc<Self>, generation: Generation, after: u64, weight_bytes: usize) -> AckToken {
        loop {
            let acked = self.acked.notified();
            tokio::pin!(acked);
            // Enabled before looking, so that an acknowledgement between looking and waiting wakes us.
            acked.as_mut().enable();
            if let Some(ticket) = self.try_register(generation, after, weight_bytes) {
                return AckToken::new(self.clone(), ticket);
            }
            acked.await;
        }
    }

    fn try_register(&self, generation: Generation, after: u64, weight_bytes: usize) -> Option<Ticket> {
        let limits = &self.context.limits;
        let mut state = self.state();
        let open = state.tracker.payloads_open();
        let fits = open < limits.payloads_open_max
            && state.tracker.bytes_open().saturating_add(weight_bytes) <= limits.bytes_open_max;
        if !fits && open > 0 {
            return None;
        }
        let ticket = state.tracker.register(generation, Sequence::Offset(after), weight_bytes)?;
        state.payloads_read += 1;
        Some(ticket)
    }

    /// The partition has no more payloads, for now or for good.
    pub(crate) fn end(&self, generation: Generation, after: u64) {
        self.state().tracker.end(generation, Sequence::Offset(after));
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

    /// Writes every watermark that is ahead of what was written.
    pub(crate) async fn write_checkpoints(&self) -> Result<(), SourceError> {
        let due = self.state().tracker.due();
        for (generation, name, watermark) in due {
            let checkpoint = Checkpoint {
                sequence: watermark.sequence.to_string(),
                finished: watermark.finished,
                updated: self.context.clock.now(),
            };
            let written = self.context.checkpoints.put(&name.source, vec![(name.partition.to_string(), checkpoint)]);
            written.await.map_err(|cause| SourceError::Checkpoint { source_name: name.source.to_string(), cause })?;
            self.state().tracker.written(generation, &watermark);
        }
        Ok(())
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

fn report(error: &SourceError) {
    if let SourceError::Checkpoint { cause: StoreError::Full { .. }, .. } = error {
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
