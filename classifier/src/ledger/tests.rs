use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use streamalert_types::{DataType, Position, Sequence, Source};

use super::*;

fn source() -> Arc<Source> {
    Arc::new(Source {
        service: "kinesis".into(),
        resource: "stream".into(),
        cluster: None,
    })
}

fn record(payload: u64, sub: u32) -> Record {
    Record {
        source: source(),
        position: Position {
            partition: "p".into(),
            sequence: Sequence::Offset(payload),
        },
        sub,
        log_type: "t:x".into(),
        data_type: DataType::Json,
        json: "{}".into(),
    }
}

fn letter(payload: u64) -> DeadLetter {
    refusal(&record(payload, 0), "no schema", Timestamp::EPOCH)
}

fn classified(payload: u64, records: u32, letters: usize) -> Event {
    Event::Classified {
        payload: PayloadKey(payload),
        records: (0..records).map(|sub| record(payload, sub)).collect(),
        letters: (0..letters).map(|_| letter(payload)).collect(),
    }
}

fn ledger(records_max: usize) -> Ledger {
    Ledger::new(BatchLimits {
        records_max,
        bytes_max: 1 << 20,
    })
}

#[test]
fn a_payload_is_acknowledged_only_after_its_records_and_its_dead_letters() {
    let mut ledger = ledger(2);
    let mut effects = Vec::new();
    ledger.apply(classified(1, 2, 1), &mut effects);
    let [Effect::Store(letters, _), Effect::Send(batch, _)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let (letters, batch) = (*letters, *batch);
    effects.clear();
    ledger.apply(Event::Accepted(batch), &mut effects);
    assert_eq!(effects, []);
    ledger.apply(Event::Stored(letters), &mut effects);
    assert_eq!(effects, [Effect::Ack(PayloadKey(1))]);
}

#[test]
fn payloads_of_kept_records_are_named_before_they_are_acknowledged() {
    let mut ledger = ledger(4);
    let mut effects = Vec::new();
    ledger.apply(classified(1, 1, 0), &mut effects);
    ledger.apply(classified(2, 3, 0), &mut effects);
    let Some(Effect::Send(batch, _)) = effects.pop() else {
        panic!("nothing sent")
    };
    let records = vec![1, 3, 9];
    ledger.apply(Event::Kept { batch, records }, &mut effects);
    ledger.apply(Event::Accepted(batch), &mut effects);
    let keep = Effect::Keep(PayloadKey(2), source(), record(2, 1).position);
    assert_eq!(
        effects,
        [keep, Effect::Ack(PayloadKey(1)), Effect::Ack(PayloadKey(2))]
    );
    effects.clear();
    ledger.apply(
        Event::Kept {
            batch,
            records: vec![0],
        },
        &mut effects,
    );
    assert_eq!(effects, [], "a batch that is gone");
}

#[test]
fn an_empty_payload_is_acknowledged_at_once() {
    let mut effects = Vec::new();
    ledger(2).apply(classified(9, 0, 0), &mut effects);
    assert_eq!(effects, [Effect::Ack(PayloadKey(9))]);
}

#[test]
fn a_refused_batch_becomes_dead_letters_before_the_ack() {
    let mut ledger = ledger(1);
    let mut effects = Vec::new();
    ledger.apply(classified(1, 1, 0), &mut effects);
    let Some(Effect::Send(batch, _)) = effects.pop() else {
        panic!("nothing sent")
    };
    ledger.apply(
        Event::Refused {
            batch,
            reason: "too big".into(),
            now: Timestamp::EPOCH,
        },
        &mut effects,
    );
    let Some(Effect::Store(id, letters)) = effects.pop() else {
        panic!("nothing stored")
    };
    assert_eq!(letters[0].reason, "refused by the rules-node: too big");
    ledger.apply(Event::Stored(id), &mut effects);
    assert_eq!(effects, [Effect::Ack(PayloadKey(1))]);
}

#[test]
fn a_batch_leaves_before_it_outgrows_its_bytes() {
    let mut ledger = Ledger::new(BatchLimits {
        records_max: 100,
        bytes_max: 300,
    });
    let mut effects = Vec::new();
    ledger.apply(classified(1, 5, 0), &mut effects);
    let sent: Vec<usize> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Send(_, batch) => batch.records.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sent, [2, 2]);
    assert!(ledger.is_filling());
}

proptest! {
    /// Whatever the order in which batches and letters finish, every payload is acknowledged exactly once and
    /// never before all of its parts.
    #[test]
    fn every_payload_is_acknowledged_exactly_once(
        payloads in prop::collection::vec((0_u32..6, 0_usize..2), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 200),
        refuse in prop::collection::vec(any::<bool>(), 200),
    ) {
        let mut ledger = ledger(4);
        let mut effects = Vec::new();
        for (at, (records, letters)) in payloads.iter().enumerate() {
            ledger.apply(classified(at as u64, *records, *letters), &mut effects);
        }
        ledger.apply(Event::Linger, &mut effects);
        let mut acked = BTreeSet::new();
        let mut waiting = Vec::new();
        let mut step = 0;
        loop {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Ack(key) => prop_assert!(acked.insert(key), "acknowledged twice"),
                    other => waiting.push(other),
                }
            }
            if waiting.is_empty() {
                break;
            }
            let at = order[step % order.len()].index(waiting.len());
            let event = match waiting.swap_remove(at) {
                Effect::Send(batch, _) if refuse[step % refuse.len()] =>
                    Event::Refused { batch, reason: "no".into(), now: Timestamp::EPOCH },
                Effect::Send(batch, _) => Event::Accepted(batch),
                Effect::Store(id, _) => Event::Stored(id),
                Effect::Ack(_) => unreachable!("acks are taken out above"),
                Effect::Keep(..) => unreachable!("no trace is kept"),
            };
            ledger.apply(event, &mut effects);
            step += 1;
        }
        prop_assert_eq!(acked.len(), payloads.len());
        prop_assert_eq!(ledger.payloads_open(), 0);
    }
}
