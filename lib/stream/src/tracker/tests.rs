use proptest::prelude::*;

use super::*;

fn name(partition: &str) -> PartitionName {
    PartitionName {
        source: "kinesis:stream".into(),
        partition: partition.into(),
    }
}

fn watermark(offset: u64, finished: bool) -> Watermark {
    Watermark {
        sequence: Sequence::Offset(offset),
        finished,
    }
}

fn due(tracker: &PositionTracker) -> Vec<Watermark> {
    tracker
        .due()
        .into_iter()
        .map(|(_, _, watermark)| watermark)
        .collect()
}

#[test]
fn the_watermark_waits_for_the_earliest_open_payload() {
    let mut tracker = PositionTracker::new();
    let reading = tracker.open(name("a"), Sequence::Offset(0));
    let first = tracker.register(reading, Sequence::Offset(10), 5).unwrap();
    let second = tracker.register(reading, Sequence::Offset(20), 5).unwrap();
    assert_eq!(tracker.ack(second), Acked::Waiting);
    assert_eq!(due(&tracker), []);
    assert_eq!(tracker.ack(first), Acked::Moved);
    assert_eq!(due(&tracker), [watermark(20, false)]);
    assert_eq!((tracker.payloads_open(), tracker.bytes_open()), (0, 0));
}

#[test]
fn a_place_without_a_payload_counts_once_everything_before_it_is_acknowledged() {
    let mut tracker = PositionTracker::new();
    let reading = tracker.open(name("a"), Sequence::Offset(0));
    assert!(tracker.is_settled(reading));
    tracker.advance(reading, Sequence::Offset(0));
    assert_eq!(due(&tracker), []);
    tracker.advance(reading, Sequence::Offset(7));
    assert_eq!(due(&tracker), [watermark(7, false)]);
    let ticket = tracker.register(reading, Sequence::Offset(10), 5).unwrap();
    tracker.advance(reading, Sequence::Offset(15));
    assert!(!tracker.is_settled(reading));
    assert_eq!(due(&tracker), [watermark(7, false)]);
    assert_eq!(tracker.ack(ticket), Acked::Moved);
    assert!(tracker.is_settled(reading));
    assert_eq!(due(&tracker), [watermark(15, false)]);
}

#[test]
fn a_repeated_acknowledgement_changes_nothing() {
    let mut tracker = PositionTracker::new();
    let reading = tracker.open(name("a"), Sequence::Offset(0));
    let first = tracker.register(reading, Sequence::Offset(10), 5).unwrap();
    let second = tracker.register(reading, Sequence::Offset(20), 5).unwrap();
    assert_eq!(tracker.ack(second), Acked::Waiting);
    assert_eq!(tracker.ack(second), Acked::Stale);
    assert_eq!(tracker.ack(first), Acked::Moved);
    assert_eq!(tracker.ack(first), Acked::Stale);
    assert_eq!(tracker.payloads_open(), 0);
}

#[test]
fn an_acknowledgement_of_an_older_generation_changes_nothing() {
    let mut tracker = PositionTracker::new();
    let old = tracker.open(name("a"), Sequence::Offset(0));
    let late = tracker.register(old, Sequence::Offset(10), 5).unwrap();
    let new = tracker.open(name("a"), Sequence::Offset(0));
    tracker.register(new, Sequence::Offset(10), 5).unwrap();
    assert_eq!(tracker.ack(late), Acked::Stale);
    assert_eq!(tracker.register(old, Sequence::Offset(20), 5), None);
    assert_eq!(due(&tracker), []);
    assert_eq!((tracker.payloads_open(), tracker.bytes_open()), (1, 5));
}

#[test]
fn a_partition_is_finished_when_it_ended_and_all_is_acknowledged() {
    let mut tracker = PositionTracker::new();
    let reading = tracker.open(name("a"), Sequence::Offset(0));
    let only = tracker.register(reading, Sequence::Offset(10), 5).unwrap();
    assert!(!tracker.end(reading, Sequence::Offset(12)));
    assert_eq!(tracker.ack(only), Acked::Moved);
    assert_eq!(due(&tracker), [watermark(12, true)]);

    let empty = tracker.open(name("b"), Sequence::Offset(7));
    assert!(tracker.end(empty, Sequence::Offset(7)));
}

#[test]
fn a_partition_that_goes_on_after_its_end_keeps_what_is_open() {
    let mut tracker = PositionTracker::new();
    let reading = tracker.open(name("a"), Sequence::Offset(0));
    let first = tracker.register(reading, Sequence::Offset(10), 5).unwrap();
    tracker.end(reading, Sequence::Offset(10));
    assert!(tracker.resume(reading));
    let second = tracker.register(reading, Sequence::Offset(20), 5).unwrap();
    tracker.ack(second);
    assert_eq!(due(&tracker), [], "the first is still open");
    tracker.ack(first);
    assert_eq!(due(&tracker), [watermark(20, false)]);
    tracker.end(reading, Sequence::Offset(20));
    tracker.written(reading, &watermark(20, true));
    assert!(!tracker.resume(reading), "finished, written and forgotten");
}

#[test]
fn what_moved_during_a_write_is_still_due_after_it() {
    let mut tracker = PositionTracker::new();
    let reading = tracker.open(name("a"), Sequence::Offset(0));
    let first = tracker.register(reading, Sequence::Offset(10), 5).unwrap();
    let second = tracker.register(reading, Sequence::Offset(20), 5).unwrap();
    tracker.ack(first);
    let written = due(&tracker).remove(0);
    tracker.ack(second);
    tracker.written(reading, &written);
    assert_eq!(due(&tracker), [watermark(20, false)]);
    tracker.written(reading, &watermark(20, false));
    assert!(tracker.is_written());
}

proptest! {
    /// Against the obvious model: a set of acknowledged numbers.
    #[test]
    fn the_watermark_is_the_end_of_the_acknowledged_prefix(
        count in 1_u64..60,
        order in prop::collection::vec(0_u64..60, 0..200),
        end_after in 0_usize..200,
    ) {
        let mut tracker = PositionTracker::new();
        let reading = tracker.open(name("a"), Sequence::Offset(0));
        let tickets: Vec<_> = (1..=count)
            .map(|end| tracker.register(reading, Sequence::Offset(end * 10), 3).unwrap())
            .collect();
        let mut acked = BTreeSet::new();
        let mut ended = false;
        for (step, at) in order.iter().enumerate() {
            if step == end_after {
                tracker.end(reading, Sequence::Offset(count * 10));
                ended = true;
            }
            let Some(ticket) = tickets.get(usize::try_from(*at).unwrap()) else { continue };
            let fresh = acked.insert(*at);
            prop_assert_eq!(tracker.ack(*ticket) != Acked::Stale, fresh);
            let prefix = (0..count).take_while(|number| acked.contains(number)).count() as u64;
            let expected = watermark(prefix * 10, ended && prefix == count);
            let due = due(&tracker);
            if prefix > 0 {
                prop_assert_eq!(due, vec![expected]);
            } else {
                prop_assert!(due.is_empty());
            }
            prop_assert_eq!(tracker.payloads_open() as u64, count - acked.len() as u64);
            prop_assert_eq!(tracker.bytes_open() as u64, 3 * (count - acked.len() as u64));
        }
    }
}
