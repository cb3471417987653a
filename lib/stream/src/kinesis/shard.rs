//! The reading of one shard, from its checkpoint to its end: by polling or by subscription.

use std::sync::Arc;
use std::time::Duration;

use streamalert_aws::{Fault, FaultKind};
use streamalert_types::Clock;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::api::{KinesisApi, Page, StoredRecord};
use super::batch::{Batch, Loss, Records, weight_of_record};
use super::books::{Books, Room};
use super::place::{Gap, Place, gap};
use crate::Generation;
use crate::jitter::Jitter;

/// Pauses after failures: from the first to the last, twice as long each time.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_LAST: Duration = Duration::from_secs(10);
/// What a record is taken to count for before any was seen.
const RECORD_BYTES_FIRST: usize = 4 << 10;
/// Kinesis gives no more at once.
const RECORDS_MAX: usize = 10_000;
/// How often the progress of a shard in which nothing happens is noted.
const IDLE_NOTE: Duration = Duration::from_secs(60);
/// A subscription says something every five seconds; one that is silent for so long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The pause before subscribing again.
const SUBSCRIBE_PAUSE: Duration = Duration::from_secs(1);

/// What the readings of all shards of a stream share.
pub(super) struct Desk {
    pub(super) api: Arc<dyn KinesisApi>,
    pub(super) books: Arc<Books>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) batches: mpsc::Sender<Batch>,
    /// Told when a shard has ended, so that the stream is asked for those that came of it.
    pub(super) shard_ended: Arc<Notify>,
    pub(super) stream: String,
    /// The ARN of the consumer to subscribe as; `None` to poll.
    pub(super) consumer: Option<String>,
    pub(super) retention: Duration,
    pub(super) poll_interval: Duration,
    pub(super) idle_interval: Duration,
    pub(super) page_bytes_max: usize,
    pub(super) jitter: Arc<Jitter>,
}

/// Reads one shard.
pub(super) struct ShardReader {
    desk: Arc<Desk>,
    shard: Arc<str>,
    generation: Generation,
    /// Up to here it is read.
    place: Place,
    /// Everything that arrived before this is read.
    covered_millis: Option<i64>,
    record_bytes: usize,
    /// Failures in a row.
    failures: u32,
    noted: Instant,
    /// To be told with what is read next.
    loss: Option<Loss>,
}

/// The reading is over: the shard has ended, or nobody wants what is read.
struct Over;

impl ShardReader {
    pub(super) fn new(desk: Arc<Desk>, shard: Arc<str>, generation: Generation, from: Place) -> Self {
        Self {
            desk,
            shard,
            generation,
            covered_millis: from.covered_millis(),
            place: from,
            record_bytes: RECORD_BYTES_FIRST,
            failures: 0,
            noted: Instant::now(),
            loss: None,
        }
    }

    /// Reads the shard to its end.
    pub(super) async fn run(mut self) {
        let Over = match self.desk.consumer.clone() {
            Some(consumer) => self.listen(&consumer).await,
            None => self.poll().await,
        };
    }

    async fn poll(&mut self) -> Over {
        let desk = self.desk.clone();
        let mut iterator = None;
        loop {
            let here = match iterator.take() {
                Some(here) => here,
                None => match desk.api.iterator(&self.shard, &self.place).await {
                    Ok(here) => here,
                    Err(fault) => match self.failed(fault).await {
                        Ok(()) => continue,
                        Err(over) => return over,
                    },
                },
            };
            let share = desk.books.share(desk.page_bytes_max);
            let count = (share / self.record_bytes).clamp(1, RECORDS_MAX);
            let mut room = desk.books.reserve(count * self.record_bytes).await;
            let begun = Instant::now();
            let page = match desk.api.records(&here, count as u32).await {
                Ok(page) => page,
                Err(fault) => {
                    drop(room);
                    // What says something about the iterator makes a new one; anything else may pass.
                    iterator = (fault.kind != FaultKind::Invalid && fault.kind != FaultKind::NotFound)
                        .then_some(here);
                    match self.failed(fault).await {
                        Ok(()) => continue,
                        Err(over) => return over,
                    }
                }
            };
            iterator.clone_from(&page.next);
            let idle = page.records.is_empty() && page.behind_millis.unwrap_or(0) == 0;
            room.set(page.records.iter().map(weight_of_record).sum());
            if let Err(over) = self.received(page, None, room).await {
                return over;
            }
            if idle {
                tokio::time::sleep(desk.idle_interval).await;
            } else {
                tokio::time::sleep_until(begun + desk.poll_interval).await;
            }
        }
    }

    async fn listen(&mut self, consumer: &str) -> Over {
        let desk = self.desk.clone();
        loop {
            let mut subscription = match desk.api.subscribe(consumer, &self.shard, &self.place).await {
                Ok(subscription) => subscription,
                Err(fault) => match self.failed(fault).await {
                    Ok(()) => continue,
                    Err(over) => return over,
                },
            };
            loop {
                // Not read, the next one waits in the connection, whose window then closes.
                let mut room = desk.books.reserve(desk.books.share(desk.page_bytes_max)).await;
                let next = tokio::time::timeout(SILENCE_MAX, subscription.next()).await;
                let failed = match next {
                    Ok(Ok(Some(page))) => {
                        room.set(page.records.iter().map(weight_of_record).sum());
                        let next = page.next.clone();
                        if let Err(over) = self.received(page, next, room).await {
                            return over;
                        }
                        continue;
                    }
                    // Its five minutes are over.
                    Ok(Ok(None)) => Ok(()),
                    Ok(Err(fault)) => self.failed(fault).await,
                    Err(_) => {
                        warn!(stream = %desk.stream, shard = %self.shard, "subscription is silent, made anew");
                        Ok(())
                    }
                };
                if let Err(over) = failed {
                    return over;
                }
                break;
            }
            tokio::time::sleep(SUBSCRIBE_PAUSE).await;
        }
    }

    /// Hands on what was read. `continuation` is the sequence number after which a subscription goes on.
    async fn received(&mut self, page: Page, continuation: Option<String>, room: Room) -> Result<(), Over> {
        let desk = self.desk.clone();
        if self.failures > 0 {
            self.failures = 0;
            info!(stream = %desk.stream, shard = %self.shard, "shard is read again");
        }
        let behind = Duration::from_millis(page.behind_millis.unwrap_or(0));
        desk.books.note_behind(self.generation, behind);
        let now = self.now_millis();
        let first = page.records.first().and_then(|record| record.arrival_millis);
        if let Some(gap) = gap(self.covered_millis, first, now, desk.retention) {
            self.lost(
                gap,
                "records were removed by the stream's retention before they were read",
            );
        }
        let skip_through = self.skip_through(page.records.first());
        let before = std::mem::replace(&mut self.place, Place::Horizon);
        self.place = self.moved(before, &page, continuation, now);
        let empty = page.records.is_empty();
        if let Some(bytes) = page
            .records
            .iter()
            .map(weight_of_record)
            .sum::<usize>()
            .checked_div(page.records.len())
        {
            // Half of the old and half of the new, so that one odd page does not decide alone.
            self.record_bytes = self.record_bytes.midpoint(bytes).max(1);
        }
        // Without a record there is nothing to note: what comes first must be found again after a restart.
        let notable = matches!(self.place, Place::After { .. }) && self.noted.elapsed() >= IDLE_NOTE;
        if empty && !page.ended && !notable && self.loss.is_none() {
            return Ok(());
        }
        self.noted = Instant::now();
        let batch = Batch {
            shard: self.shard.clone(),
            generation: self.generation,
            records: Records::new(page.records, skip_through),
            loss: self.loss.take(),
            after: self.place.clone(),
            ended: page.ended,
            room,
        };
        let sent = desk.batches.send(batch).await;
        if page.ended {
            info!(stream = %desk.stream, shard = %self.shard, "shard has ended");
            desk.shard_ended.notify_one();
            return Err(Over);
        }
        sent.map_err(|_| Over)
    }

    /// The place after a page.
    fn moved(&mut self, before: Place, page: &Page, continuation: Option<String>, now: i64) -> Place {
        let behind = page.behind_millis.and_then(|millis| i64::try_from(millis).ok());
        let last = page.records.last();
        let covered = match last {
            Some(last) => last.arrival_millis,
            // Everything there is is read.
            None => behind.filter(|behind| *behind == 0).map(|_| now),
        };
        self.covered_millis = self.covered_millis.max(covered);
        let sequence = continuation.or_else(|| last.map(|last| last.sequence.clone()));
        match (sequence, before) {
            (Some(sequence), _) => Place::After {
                sequence: sequence.into(),
                index: None,
                covered_millis: self.covered_millis,
            },
            // The rest of an aggregate, which Kinesis gives at once: it was removed.
            (None, Place::After { sequence, index, .. }) => Place::After {
                sequence,
                index,
                covered_millis: self.covered_millis,
            },
            // By our clock, which may be ahead: a place in time is not moved by it.
            (None, before) => before,
        }
    }

    /// Of the first record, when reading resumes within it: up to where it was done.
    fn skip_through(&self, first: Option<&StoredRecord>) -> Option<u32> {
        match &self.place {
            Place::After {
                sequence,
                index: Some(index),
                ..
            } if first.is_some_and(|first| *first.sequence == **sequence) => Some(*index),
            _ => None,
        }
    }

    /// Makes of a failed call what follows: another try after a pause, another place, or the end.
    async fn failed(&mut self, fault: Fault) -> Result<(), Over> {
        let desk = self.desk.clone();
        if fault.code == "ExpiredIteratorException" {
            desk.books.count(|status| status.iterators_expired += 1);
            return Ok(());
        }
        if fault.kind == FaultKind::NotFound && self.is_vanished().await {
            let now = self.now_millis();
            let retention = i64::try_from(desk.retention.as_millis()).unwrap_or(i64::MAX);
            let to_millis = now.saturating_sub(retention);
            let gap = Gap {
                from_millis: self.covered_millis.unwrap_or(to_millis).min(to_millis),
                to_millis,
            };
            self.lost(
                gap,
                "shard was removed by the stream's retention before it was read to its end",
            );
            let page = Page {
                ended: true,
                ..Page::default()
            };
            let room = desk.books.reserve(0).await;
            return self.received(page, None, room).await;
        }
        if fault.code == "InvalidArgumentException" && self.gave_up_place(&fault) {
            return Ok(());
        }
        self.failures += 1;
        if fault.kind == FaultKind::Throttled {
            desk.books.count(|status| status.throttled += 1);
        } else {
            desk.books.count(|status| status.failed += 1);
        }
        match (self.failures, fault.is_retryable()) {
            (1, true) => {
                warn!(stream = %desk.stream, shard = %self.shard, %fault, "shard is not read, trying again")
            }
            (1, false) => {
                error!(stream = %desk.stream, shard = %self.shard, %fault, "shard cannot be read, trying again");
            }
            _ => {}
        }
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = PAUSE_LAST.min(PAUSE_FIRST * 2_u32.pow(doublings));
        tokio::time::sleep(desk.jitter.shorten(pause)).await;
        Ok(())
    }

    /// Whether the stream is there and does not list the shard.
    async fn is_vanished(&self) -> bool {
        match self.desk.api.list_shards().await {
            Ok(shards) => !shards.is_empty() && shards.iter().all(|shard| *shard.id != *self.shard),
            Err(_) => false,
        }
    }

    /// Kinesis does not take our place; another one is chosen, if there is one.
    fn gave_up_place(&mut self, fault: &Fault) -> bool {
        let desk = &self.desk;
        match &self.place {
            // Ahead of AWS's time: everything from now on is after it.
            Place::Moment(_) => self.place = Place::Latest,
            Place::After { sequence, .. } => {
                error!(
                    stream = %desk.stream, shard = %self.shard, %sequence, %fault,
                    "checkpoint is not of this shard any more, reading from its oldest record; \
                     what was between is lost, if it is still the same stream"
                );
                desk.books.count(|status| status.gaps += 1);
                let reason = format!(
                    "checkpoint is not of this shard any more ({fault}), which is read from its oldest record; what \
                     was between is lost, if it is still the same stream"
                );
                self.loss = Some(Loss {
                    place: self.place.clone(),
                    reason,
                });
                self.place = Place::Horizon;
                self.covered_millis = None;
            }
            Place::Horizon | Place::Latest => return false,
        }
        true
    }

    /// Tells of records that are gone: in the log, by the metrics, and by a dead letter.
    fn lost(&mut self, gap: Gap, what: &str) {
        let moment = |millis: i64| streamalert_types::Timestamp::from_micros(millis.saturating_mul(1000));
        error!(
            stream = %self.desk.stream,
            shard = %self.shard,
            after = %self.place,
            from = %moment(gap.from_millis),
            to = %moment(gap.to_millis),
            hours = gap.hours(),
            "{what}"
        );
        let reason = format!(
            "{what}: what arrived between {} and {}, {:.1} hours",
            moment(gap.from_millis),
            moment(gap.to_millis),
            gap.hours()
        );
        self.loss = Some(Loss {
            place: self.place.clone(),
            reason,
        });
        self.desk.books.note_gap(gap);
    }

    fn now_millis(&self) -> i64 {
        self.desk.clock.now().as_micros() / 1000
    }
}
