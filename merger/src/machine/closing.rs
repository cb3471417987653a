use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::merge::{GroupNotes, merge_group};
use streamalert_store::{Accepted, StoreError};
use streamalert_types::{Alert, AlertId, Timestamp};

use crate::groups::Closing;

use super::accept::pending_outputs;
use super::{CloseOutcome, Effect, Machine, Retry};

/// The pause before a group that could not be closed is tried again.
const CLOSE_PAUSE: Duration = Duration::from_secs(1);

/// A group that is being closed in the store.
#[derive(Debug)]
pub(super) struct CloseCall {
    pub(super) group: Arc<Closing>,
    pub(super) epoch: u64,
}

impl CloseCall {
    /// The alert that the group becomes.
    pub(super) fn merged(&self) -> AlertId {
        AlertId::merged(self.group.id)
    }
}

/// What a group becomes of which these members have not gone out yet, at `now`; `None` without members.
///
/// An update is never older than what it follows, whatever the clocks say: outboxes are read in order of creation.
pub(crate) fn merged_alert(group: &Closing, now: Timestamp, rest: &[Arc<Alert>]) -> Option<Alert> {
    let first = group.first();
    let now = first.map_or(now, |first| now.max(first.created.plus(Duration::from_micros(1))));
    let notes = GroupNotes {
        follows: first.map(|first| first.id),
        closed_early: group.early.map(|early| early.to_string()),
    };
    merge_group(AlertId::merged(group.id), now, &notes, rest)
}

impl Machine {
    /// A group is complete. It is closed when its turn comes.
    pub(super) fn complete(&mut self, closing: Closing) {
        self.ready.push_back(closing);
    }

    /// Complete groups that the store does not know as closed.
    pub(super) fn groups_to_close(&self) -> usize {
        let waiting = self
            .retries
            .values()
            .filter(|retry| matches!(retry, Retry::Close(_)))
            .count();
        self.ready.len() + self.closes.len() + waiting
    }

    /// Whether one more group may be closed now.
    pub(super) fn may_close(&self) -> bool {
        !self.draining
            && self.closes.len() < self.options.closing_groups_max
            && self.closing_bytes < self.options.closing_bytes_max
    }

    /// Closes as many groups as may be closed at the same time. Groups whose window has ended stay where they are
    /// until their turn comes: a hundred thousand that end together hold up nothing.
    pub(super) fn close_ready(&mut self) {
        let mut held = Vec::new();
        while self.may_close() {
            let Some(closing) = self.next_complete() else {
                break;
            };
            if self.is_served(closing.shard) {
                self.close(closing);
            } else {
                held.push(closing);
            }
        }
        self.ready.extend(held);
        // What is being loaded or written is asked for as well.
        let settled = self.groups.is_empty() && self.accepts.is_empty() && self.is_serving();
        self.closing_all &= !settled;
    }

    fn next_complete(&mut self) -> Option<Closing> {
        if let Some(closing) = self.ready.pop_front() {
            Some(closing)
        } else if self.closing_all {
            self.groups.pop_any()
        } else {
            self.groups.pop_due(self.clock.now())
        }
    }

    fn close(&mut self, closing: Closing) {
        let shard = closing.shard;
        let (Some(fence), Some(owned)) = (self.fence(shard), self.shards.get_mut(&shard)) else {
            return;
        };
        owned.writes += 1;
        let call = self.next_call();
        let group = Arc::new(closing);
        let tombstone_until = self.tombstone_until();
        self.closing_bytes += group.weight_bytes();
        self.closes.insert(
            call,
            CloseCall {
                group: Arc::clone(&group),
                epoch: fence.epoch,
            },
        );
        self.effects.push(Effect::Close {
            call,
            fence,
            group,
            tombstone_until,
        });
    }

    pub(super) fn closed(&mut self, call: u64, outcome: CloseOutcome) {
        let Some(CloseCall { group, epoch }) = self.closes.remove(&call) else {
            return;
        };
        self.closing_bytes -= group.weight_bytes();
        let shard = group.shard;
        self.note_store(match &outcome {
            CloseOutcome::Failed(error) | CloseOutcome::Unread(error) => Some(error),
            CloseOutcome::Closed { .. } | CloseOutcome::Silent | CloseOutcome::Gone => None,
        });
        match self.shards.get_mut(&shard) {
            Some(owned) if owned.epoch == epoch => owned.writes = owned.writes.saturating_sub(1),
            _ => return,
        }
        match outcome {
            CloseOutcome::Silent => {}
            CloseOutcome::Closed {
                merged,
                accepted: Accepted::New,
            } => {
                self.stats.merged += 1;
                for output in pending_outputs(&merged, false) {
                    self.send(shard, &merged, output);
                }
            }
            // Closed before, or nobody left to close: memory was behind the store.
            CloseOutcome::Closed {
                accepted: Accepted::Duplicate | Accepted::Adopted { .. },
                ..
            }
            | CloseOutcome::Gone => self.reload(shard),
            CloseOutcome::Failed(StoreError::Fenced { .. }) => self.fenced(shard),
            CloseOutcome::Failed(error) if error.may_have_happened() => self.reload(shard),
            CloseOutcome::Failed(_) | CloseOutcome::Unread(_) => {
                self.retry_after(CLOSE_PAUSE, Retry::Close(Arc::unwrap_or_clone(group)));
            }
        }
        self.load_if_quiet(shard);
    }
}
