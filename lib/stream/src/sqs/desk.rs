//! The books of a queue: which messages are received and not deleted, what is to be asked of SQS next. Pure; told the
//! time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::api::BATCH_MAX;
use super::{EntryFault, QueueMessage};

/// The largest message of SQS. So much room is kept for each message that is asked for.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Limits of the books.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeskLimits {
    /// Messages that are received and not deleted.
    pub(super) messages_max: usize,
    /// Bytes of their bodies.
    pub(super) bytes_max: usize,
    /// How long a message stays hidden from others without being extended.
    pub(super) visibility: Duration,
    /// How long a deletion waits for others.
    pub(super) linger: Duration,
}

/// Messages by the number that they got when they came.
#[derive(Debug)]
pub(super) struct Desk {
    limits: DeskLimits,
    held: BTreeMap<u64, Held>,
    by_id: HashMap<String, u64>,
    /// When each open message is to be extended.
    renewals: BTreeSet<(Instant, u64)>,
    /// What is to be deleted, and from when on.
    done: VecDeque<(Instant, u64)>,
    /// Nothing is deleted before this: the last attempt failed.
    delete_from: Option<Instant>,
    next: u64,
    bytes: usize,
    /// Messages asked for.
    asked: usize,
}

#[derive(Debug)]
struct Held {
    id: String,
    receipt: String,
    bytes: usize,
    /// When it is to be extended; `None` while that is under way, when it cannot be any more, or it is done.
    renew_at: Option<Instant>,
    is_done: bool,
}

/// How a message ended that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is gone.
    Deleted,
    /// It could not be deleted, and will be received again.
    ComesAgain,
}

/// Messages that one call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) keys: Vec<u64>,
    pub(super) receipts: Vec<String>,
}

impl Desk {
    pub(super) fn new(limits: DeskLimits) -> Self {
        Self {
            limits,
            held: BTreeMap::new(),
            by_id: HashMap::new(),
            renewals: BTreeSet::new(),
            done: VecDeque::new(),
            delete_from: None,
            next: 0,
            bytes: 0,
            asked: 0,
        }
    }

    /// How many messages may be asked for, and takes note that they are. 0 when there is no room.
    pub(super) fn ask(&mut self) -> usize {
        let messages = self
            .limits
            .messages_max
            .saturating_sub(self.held.len() + self.asked);
        let taken = self.bytes + self.asked * MESSAGE_BYTES_MAX;
        let by_bytes = self.limits.bytes_max.saturating_sub(taken) / MESSAGE_BYTES_MAX;
        let mut count = messages.min(by_bytes).min(BATCH_MAX);
        if count == 0 && self.held.is_empty() && self.asked == 0 {
            count = 1;
        }
        self.asked += count;
        count
    }

    /// What was asked for has been answered.
    pub(super) fn answered(&mut self, count: usize) {
        self.asked = self.asked.saturating_sub(count);
    }

    /// A message came. `None` when it is here already: SQS may give it twice, and does when extending it failed. Then
    /// the later receipt counts.
    pub(super) fn received(&mut self, message: &QueueMessage, now: Instant) -> Option<u64> {
        let renew_at = now + self.limits.visibility / 3;
        if let Some(key) = self.by_id.get(&message.id).copied()
            && let Some(held) = self.held.get_mut(&key)
        {
            held.receipt.clone_from(&message.receipt);
            if !held.is_done {
                if let Some(old) = held.renew_at.replace(renew_at) {
                    self.renewals.remove(&(old, key));
                }
                self.renewals.insert((renew_at, key));
            }
            return None;
        }
        let key = self.next;
        self.next += 1;
        let held = Held {
            id: message.id.clone(),
            receipt: message.receipt.clone(),
            bytes: message.body.len(),
            renew_at: Some(renew_at),
            is_done: false,
        };
        self.bytes += held.bytes;
        self.by_id.insert(held.id.clone(), key);
        self.renewals.insert((renew_at, key));
        self.held.insert(key, held);
        Some(key)
    }

    /// Everything that came of a message is durable.
    pub(super) fn finished(&mut self, key: u64, now: Instant) {
        if let Some(held) = self.held.get_mut(&key)
            && !held.is_done
        {
            held.is_done = true;
            if let Some(at) = held.renew_at.take() {
                self.renewals.remove(&(at, key));
            }
            self.done.push_back((now + self.limits.linger, key));
        }
    }

    /// Forgets a message; its receipt.
    pub(super) fn give_up(&mut self, key: u64) -> Option<String> {
        let held = self.held.remove(&key)?;
        self.bytes -= held.bytes;
        self.by_id.remove(&held.id);
        if let Some(at) = held.renew_at {
            self.renewals.remove(&(at, key));
        }
        Some(held.receipt)
    }

    /// What is to be deleted now; `all` does not wait for more.
    pub(super) fn next_delete(&mut self, now: Instant, all: bool) -> Option<Batch> {
        if !all && self.delete_from.is_some_and(|from| now < from) {
            return None;
        }
        let is_full = self.done.get(BATCH_MAX - 1).is_some();
        let is_due = self.done.front().is_some_and(|(from, _)| *from <= now);
        if !(is_due || all || is_full) {
            return None;
        }
        let count = self.done.len().min(BATCH_MAX);
        let keys: Vec<_> = self.done.drain(..count).map(|(_, key)| key).collect();
        self.batch(keys)
    }

    /// What came of a deletion. What failed and may succeed is tried again at `again`. Answers what else became of
    /// the messages.
    pub(super) fn deleted(
        &mut self,
        batch: &Batch,
        faults: Option<&[EntryFault]>,
        again: Instant,
    ) -> Vec<(u64, Fate)> {
        let mut fates = Vec::new();
        self.delete_from = faults.is_none().then_some(again);
        for (index, key) in batch.keys.iter().enumerate() {
            let fault = faults.map(|faults| faults.iter().find(|fault| fault.index == index));
            let fate = match fault {
                Some(None) => Fate::Deleted,
                // A receipt that is not valid any more: it comes again, and is then read again.
                Some(Some(fault)) if fault.is_final => Fate::ComesAgain,
                None | Some(Some(_)) => {
                    self.done.push_back((again, *key));
                    continue;
                }
            };
            self.give_up(*key);
            fates.push((*key, fate));
        }
        fates
    }

    /// What is to be extended now.
    pub(super) fn next_extend(&mut self, now: Instant) -> Option<Batch> {
        let mut keys = Vec::new();
        while keys.len() < BATCH_MAX
            && let Some((at, key)) = self.renewals.first().copied()
            && at <= now
        {
            self.renewals.pop_first();
            if let Some(held) = self.held.get_mut(&key) {
                held.renew_at = None;
                keys.push(key);
            }
        }
        self.batch(keys)
    }

    /// What came of an extension. A call that failed is repeated at `again`.
    pub(super) fn extended(
        &mut self,
        batch: &Batch,
        faults: Option<&[EntryFault]>,
        now: Instant,
        again: Instant,
    ) {
        for (index, key) in batch.keys.iter().enumerate() {
            let fault = faults.and_then(|faults| faults.iter().find(|fault| fault.index == index));
            let at = match (faults, fault) {
                // It may come again, to us or to others; what is made of it is the same.
                (_, Some(fault)) if fault.is_final => continue,
                (None, _) | (_, Some(_)) => again,
                (Some(_), None) => now + self.limits.visibility / 3,
            };
            if let Some(held) = self.held.get_mut(key)
                && !held.is_done
                && held.renew_at.is_none()
            {
                held.renew_at = Some(at);
                self.renewals.insert((at, *key));
            }
        }
    }

    /// When there is something to do next.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let renewal = self.renewals.first().map(|(at, _)| *at);
        let deletion = self.done.front().map(|(from, _)| *from);
        let deletion = deletion.map(|from| from.max(self.delete_from.unwrap_or(from)));
        renewal.into_iter().chain(deletion).min()
    }

    /// Every message that is neither done nor given up.
    pub(super) fn open(&self) -> Vec<u64> {
        let open = self.held.iter().filter(|(_, held)| !held.is_done);
        open.map(|(key, _)| *key).collect()
    }

    /// Whether nothing waits for its deletion.
    pub(super) fn is_settled(&self) -> bool {
        self.held.values().all(|held| !held.is_done)
    }

    fn batch(&self, keys: Vec<u64>) -> Option<Batch> {
        let held = keys
            .into_iter()
            .filter_map(|key| Some((key, self.held.get(&key)?.receipt.clone())));
        let (keys, receipts): (Vec<_>, Vec<_>) = held.unzip();
        (!keys.is_empty()).then_some(Batch { keys, receipts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: DeskLimits = DeskLimits {
        messages_max: 25,
        bytes_max: 12 << 20,
        visibility: Duration::from_secs(30),
        linger: Duration::from_millis(200),
    };

    fn message(id: &str, receipt: &str) -> QueueMessage {
        QueueMessage {
            id: id.to_owned(),
            receipt: receipt.to_owned(),
            body: "x".repeat(1 << 20),
            receives: 1,
        }
    }

    #[test]
    fn messages_are_asked_for_while_there_is_room_for_the_largest() {
        let mut desk = Desk::new(LIMITS);
        assert_eq!((desk.ask(), desk.ask(), desk.ask()), (10, 2, 0));
        desk.answered(10);
        desk.answered(2);
        let now = Instant::now();
        for n in 0..12 {
            desk.received(&message(&n.to_string(), "r"), now);
        }
        assert_eq!(desk.ask(), 0);
        desk.give_up(3);
        assert_eq!(desk.ask(), 1);
        let mut small = Desk::new(DeskLimits {
            bytes_max: 10,
            ..LIMITS
        });
        assert_eq!(
            (small.ask(), small.ask()),
            (1, 0),
            "one is let through when there is nothing else"
        );
    }

    #[test]
    fn a_message_that_comes_again_while_it_is_here_is_not_handed_out_again_and_its_last_receipt_counts() {
        let (mut desk, now) = (Desk::new(LIMITS), Instant::now());
        let key = desk.received(&message("a", "r1"), now).unwrap();
        assert_eq!(desk.received(&message("a", "r2"), now), None);
        desk.finished(key, now);
        assert_eq!(
            desk.received(&message("a", "r3"), now),
            None,
            "nor when it is done"
        );
        let batch = desk.next_delete(now + LIMITS.linger, false).unwrap();
        assert_eq!(batch.receipts, ["r3"]);
        desk.deleted(&batch, Some(&[]), now);
        assert!(desk.is_settled() && desk.open().is_empty() && desk.wake_at().is_none());
        assert!(desk.received(&message("a", "r4"), now).is_some());
    }

    #[test]
    fn deletions_wait_for_each_other_but_not_for_long() {
        let (mut desk, now) = (Desk::new(LIMITS), Instant::now());
        for n in 0..11 {
            let key = desk.received(&message(&n.to_string(), "r"), now).unwrap();
            desk.finished(key, now);
        }
        assert_eq!(desk.next_delete(now, false).unwrap().keys.len(), 10);
        assert_eq!(desk.next_delete(now, false), None);
        assert_eq!(desk.wake_at(), Some(now + LIMITS.linger));
        let batch = desk.next_delete(now + LIMITS.linger, false).unwrap();
        let again = now + Duration::from_secs(1);
        desk.deleted(&batch, None, again);
        for n in 11..25 {
            let key = desk.received(&message(&n.to_string(), "r"), now).unwrap();
            desk.finished(key, now);
        }
        assert_eq!(
            desk.next_delete(now + LIMITS.linger, false),
            None,
            "however many there are"
        );
        assert_eq!(desk.wake_at(), Some(again));
        assert!(desk.next_delete(again, false).is_some());
    }

    #[test]
    fn open_messages_are_extended_until_they_are_done() {
        let (mut desk, now) = (Desk::new(LIMITS), Instant::now());
        let (a, b) = (
            desk.received(&message("a", "ra"), now).unwrap(),
            desk.received(&message("b", "rb"), now).unwrap(),
        );
        assert_eq!(desk.next_extend(now), None);
        let third = LIMITS.visibility / 3;
        let batch = desk.next_extend(now + third).unwrap();
        assert_eq!(batch.keys, [a, b]);
        let expired = EntryFault {
            index: 1,
            is_final: true,
            reason: String::new(),
        };
        desk.extended(&batch, Some(&[expired]), now + third, now);
        assert_eq!(desk.next_extend(now + third * 2).unwrap().keys, [a]);
        let again = now + third * 2 + Duration::from_secs(1);
        let batch = Batch {
            keys: vec![a],
            receipts: vec!["ra".to_owned()],
        };
        desk.extended(&batch, None, now + third * 2, again);
        assert_eq!(desk.wake_at(), Some(again));
        desk.finished(a, now);
        assert_eq!(desk.next_extend(again), None);
    }
}
