use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use streamalert_types::{
    Alert, AlertId, DataType, DeadLetter, DeadLetterId, DeadLetterKind, DeliveryOutcome, GroupId, Merging,
    NearestSchema, OutputName, Position, Sequence, Source, Timestamp,
};
use streamalert_value::Value;

use super::*;
use crate::standing::Standing;
use crate::{Checkpoint, GroupMember, Lease, ShardId};

fn shared() -> impl Strategy<Value = Arc<str>> {
    ".{0,12}".prop_map(Arc::from)
}

fn output() -> impl Strategy<Value = OutputName> {
    "[a-z-]{0,8}:.{0,8}".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        Just(Value::BigInt("-123456789012345678901234567890".into())),
        any::<f64>().prop_map(Value::Float),
        ".{0,8}".prop_map(Value::Str),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec((".{0,4}", inner), 0..4).prop_map(|members| Value::Map(members.into_iter().collect())),
        ]
    })
}

fn alert() -> impl Strategy<Value = Alert> {
    let texts = (
        shared(),
        shared(),
        shared(),
        shared(),
        shared(),
        shared(),
        shared(),
        shared(),
    );
    let values = (value(), value(), vec(".{0,6}", 0..4), vec(any::<u8>(), 0..64));
    let plain = (
        any::<u128>(),
        time(),
        of(shared()),
        btree_set(output(), 0..4),
        any::<u32>(),
        any::<bool>(),
        merging(),
    );
    (texts, values, plain).prop_map(|(texts, (publishers, context, keys, record), plain)| Alert {
        id: AlertId::from_u128(plain.0),
        rule_name: texts.0,
        rule_description: texts.1,
        created: plain.1,
        cluster: plain.2,
        log_source: texts.2,
        log_type: texts.3,
        source_entity: texts.4,
        source_service: texts.5,
        outputs: plain.3,
        publishers,
        context,
        merge_by_keys: keys.into(),
        merge_window_mins: plain.4,
        staged: plain.5,
        record: record.into(),
        traceparent: texts.6,
        rules_version: texts.7,
        merging: plain.6,
    })
}

fn merging() -> impl Strategy<Value = Merging> {
    prop_oneof![
        Just(Merging::Together),
        Just(Merging::FirstAtOnce),
        any::<u128>().prop_map(|id| Merging::Follows(AlertId::from_u128(id))),
    ]
}

fn outcome() -> impl Strategy<Value = DeliveryOutcome> {
    prop_oneof![
        (any::<u32>(), of(shared()))
            .prop_map(|(attempts, reference)| DeliveryOutcome::Delivered { attempts, reference }),
        (any::<u32>(), ".{0,8}")
            .prop_map(|(attempts, reason)| DeliveryOutcome::DeadLettered { attempts, reason }),
    ]
}

pub(crate) fn standing() -> impl Strategy<Value = Standing> {
    let group =
        (any::<u128>(), vec(any::<u8>(), 0..16), any::<bool>()).prop_map(|(group, key, first)| GroupMember {
            group: GroupId::from_u128(group),
            key: key.into(),
            first,
        });
    let pending = btree_set(output(), 0..4);
    let settled = btree_map(output(), outcome(), 0..4);
    (any::<u16>(), time(), pending, settled, of(group), of(time())).prop_map(
        |(shard, created, pending, settled, group, expires)| Standing {
            shard: ShardId(shard),
            created,
            pending: pending.into_iter().collect(),
            settled: settled.into_iter().collect(),
            group,
            expires,
        },
    )
}

fn place() -> impl Strategy<Value = (Arc<Source>, Position)> {
    let sequence = prop_oneof![
        any::<u64>().prop_map(Sequence::Offset),
        shared().prop_map(Sequence::Token)
    ];
    (shared(), shared(), of(shared()), shared(), sequence).prop_map(
        |(service, resource, cluster, partition, sequence)| {
            (
                Arc::new(Source {
                    service,
                    resource,
                    cluster,
                }),
                Position { partition, sequence },
            )
        },
    )
}

fn letter() -> impl Strategy<Value = DeadLetter> {
    let keys = || vec(".{0,6}", 0..3);
    let nearest =
        (".{0,6}", keys(), keys(), keys()).prop_map(|(log_type, missing, unexpected, wrong_type)| {
            NearestSchema {
                log_type,
                missing,
                unexpected,
                wrong_type,
            }
        });
    let kind = prop_oneof![
        (place(), of(any::<u32>()), of(nearest)).prop_map(|((source, position), sub, nearest)| {
            DeadLetterKind::Unclassified {
                source,
                position,
                sub,
                nearest,
            }
        }),
        (shared(), place(), any::<u32>(), shared()).prop_map(|(log_type, (source, position), sub, rule)| {
            DeadLetterKind::RuleFailure {
                log_type,
                data_type: DataType::Syslog,
                source,
                position,
                sub,
                rule,
            }
        }),
        (any::<u128>(), shared(), output(), any::<u32>()).prop_map(|(alert, rule, output, attempts)| {
            DeadLetterKind::Undelivered {
                alert: AlertId::from_u128(alert),
                rule,
                output,
                attempts,
            }
        }),
    ];
    (
        any::<u128>(),
        time(),
        kind,
        ".{0,12}",
        vec(any::<u8>(), 0..64),
        any::<bool>(),
    )
        .prop_map(|(id, created, kind, reason, body, truncated)| DeadLetter {
            id: DeadLetterId::from_u128(id),
            created,
            kind,
            reason,
            body: Bytes::from(body),
            truncated,
        })
}

/// Every proper beginning of a row, and a row with something behind it, must be refused.
fn damaged(row: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let longer = [row, &[0]].concat();
    (0..row.len())
        .map(|end| row[..end].to_vec())
        .chain([longer])
        .collect::<BTreeSet<_>>()
        .into_iter()
}

proptest! {
    #[test]
    fn an_alert_survives_its_row(alert in alert()) {
        let row = encode_alert(&alert);
        // `Value` has no equality that tells 1 from 1.0, and NaN equals nothing: compare the debug forms.
        prop_assert_eq!(format!("{:?}", decode_alert(&row).unwrap()), format!("{alert:?}"));
        prop_assert_eq!(peek_rule(&row).unwrap(), &*alert.rule_name);
        prop_assert!(damaged(&row).all(|row| decode_alert(&row).is_err()));
    }

    #[test]
    fn a_standing_survives_its_row(standing in standing()) {
        let row = encode_standing(&standing);
        prop_assert_eq!(decode_standing(&row), Ok(standing));
        prop_assert!(damaged(&row).all(|row| decode_standing(&row).is_err()));
    }

    #[test]
    fn a_dead_letter_survives_its_row(letter in letter()) {
        let row = encode_letter(&letter);
        prop_assert_eq!(decode_letter(&row), Ok(letter));
        prop_assert!(damaged(&row).all(|row| decode_letter(&row).is_err()));
    }

    #[test]
    fn a_checkpoint_survives_its_row(
        sequence in ".{0,24}", finished: bool, updated in time(), expires in of(time()),
    ) {
        let checkpoint = Checkpoint { sequence, finished, updated, expires };
        let row = encode_checkpoint(&checkpoint);
        prop_assert_eq!(decode_checkpoint(&row), Ok(checkpoint));
        prop_assert!(damaged(&row).all(|row| decode_checkpoint(&row).is_err()));
    }

    #[test]
    fn a_lease_survives_its_row(
        key in ".{0,12}", (epoch, counter) in any::<(u64, u64)>(), updated in time(), parents in vec(".{0,12}", 0..3),
        (owner, address, wanted_by, checkpoint) in (of(".{0,12}"), of(".{0,9}"), of(".{0,9}"), of(".{0,9}")),
    ) {
        let lease = Lease { key, owner, address, epoch, counter, wanted_by, checkpoint, parents, updated };
        let row = encode_lease(&lease);
        prop_assert_eq!(decode_lease(&row), Ok(lease));
        prop_assert!(damaged(&row).all(|row| decode_lease(&row).is_err()));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = (decode_alert(&bytes).is_ok(), decode_standing(&bytes).is_ok(), decode_letter(&bytes).is_ok());
    }
}

#[test]
fn a_row_of_a_later_version_is_refused_by_name() {
    let error = decode_lease(&[9, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "lease row: version 9, expected 2");
}

#[test]
fn a_lease_of_the_first_layout_keeps_its_owner_and_its_epoch() {
    let row = b"\x01\x08merger/7\x01\x05local\xac\x02\x09\x00\x01\x02\x03\x04\x05\x06\x07";
    let lease = Lease {
        owner: Some("local".to_owned()),
        epoch: 300,
        counter: 9,
        ..Lease::free("merger/7")
    };
    assert_eq!(decode_lease(row), Ok(lease));
    assert!((1..row.len()).all(|length| decode_lease(&row[..length]).is_err()));
}
