//! Domain values survive the wire, and nothing that comes over it makes a conversion panic.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use prost::Message;
use streamalert_proto::{MalformedMessage, v1};
use streamalert_types::{
    Alert, AlertBatch, AlertId, BatchId, DataType, Delivery, DeliveryOutcome, Merging, OutputName, Position,
    Record, RecordBatch, Sequence, Source, Timestamp, Update,
};
use streamalert_value::{Map, Value};

fn text() -> impl Strategy<Value = Arc<str>> {
    any::<String>().prop_map(Arc::from)
}

/// Few different ones, so that batches share some.
fn name() -> impl Strategy<Value = Arc<str>> {
    "[a-c]{0,2}".prop_map(Arc::from)
}

fn object() -> impl Strategy<Value = Bytes> {
    "[ -~]{0,20}".prop_map(|text| format!("{{\"key\":{text:?}}}").into())
}

prop_compose! {
    fn source()(service in name(), resource in name(), cluster in proptest::option::of(name())) -> Source {
        Source { service, resource, cluster }
    }
}

fn sequence() -> impl Strategy<Value = Sequence> {
    prop_oneof![
        any::<u64>().prop_map(Sequence::Offset),
        text().prop_map(Sequence::Token)
    ]
}

fn data_type() -> impl Strategy<Value = DataType> {
    prop_oneof![
        Just(DataType::Json),
        Just(DataType::Csv),
        Just(DataType::Kv),
        Just(DataType::Syslog)
    ]
}

prop_compose! {
    fn record()(
        source in source(), partition in name(), sequence in sequence(), sub in any::<u32>(),
        log_type in name(), data_type in data_type(), json in object(),
    ) -> Record {
        let position = Position { partition, sequence };
        Record { source: Arc::new(source), position, sub, log_type, data_type, json }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let big = "-?[1-9][0-9]{20,40}".prop_map(|text| Value::BigInt(text.into()));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        big,
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)].prop_map(Value::Float),
        any::<String>().prop_map(Value::Str),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::List),
            vec((any::<String>(), inner), 0..6).prop_map(|items| Value::Map(items.into_iter().collect())),
        ]
    })
}

fn output() -> impl Strategy<Value = OutputName> {
    "[a-z]{1,8}:[a-z:]{0,8}".prop_map(|text| text.parse().unwrap())
}

prop_compose! {
    fn origin()(
        rule in text(), description in text(), cluster in proptest::option::of(text()), log_source in text(),
        entity in text(), service in text(), record in object(), traceparent in text(), version in text(),
    ) -> Alert {
        Alert {
            id: AlertId::from_u128(0),
            rule_name: rule,
            rule_description: description,
            created: Timestamp::EPOCH,
            cluster,
            log_source,
            log_type: "json".into(),
            source_entity: entity,
            source_service: service,
            outputs: Default::default(),
            publishers: Value::Null,
            context: Value::Map(Map::default()),
            merge_by_keys: Arc::from([]),
            merge_window_mins: 0,
            staged: false,
            record,
            traceparent,
            rules_version: version,
            merging: Merging::default(),
        }
    }
}

fn merging() -> impl Strategy<Value = Merging> {
    prop_oneof![
        Just(Merging::Together),
        Just(Merging::FirstAtOnce),
        any::<u128>().prop_map(|id| Merging::Follows(AlertId::from_u128(id))),
    ]
}

fn reference() -> impl Strategy<Value = Option<Arc<str>>> {
    proptest::option::of(any::<String>().prop_map(Arc::from))
}

prop_compose! {
    fn alert()(
        origin in origin(), id in any::<u128>(), micros in any::<i64>(), outputs in btree_set(output(), 0..4),
        publishers in value(), context in vec((any::<String>(), value()), 0..4),
        keys in vec(any::<String>(), 0..4), mins in any::<u32>(), staged in any::<bool>(),
        merging in merging(),
    ) -> Alert {
        Alert {
            id: AlertId::from_u128(id),
            created: Timestamp::from_micros(micros),
            outputs,
            publishers,
            context: Value::Map(context.into_iter().collect()),
            merge_by_keys: keys.into(),
            merge_window_mins: mins,
            staged,
            merging,
            ..origin
        }
    }
}

/// `Debug` shows every field, and floats by their shortest text, so that NaN equals NaN and 1 is not 1.0.
fn shown(alert: &Alert) -> String {
    format!("{alert:?}")
}

/// Over the wire and back.
fn sent<M: Message + Default>(message: &M) -> M {
    M::decode(Bytes::from(message.encode_to_vec())).unwrap()
}

proptest! {
    #[test]
    fn a_batch_of_records_survives(records in vec(record(), 0..40), traceparent in any::<String>(), id in any::<u64>()) {
        let batch = RecordBatch { records, traceparent };
        let message = sent(&v1::EvaluateRequest::new(BatchId(id), &batch));
        prop_assert_eq!(message.batch_id, id);
        prop_assert_eq!(message.into_batch().unwrap(), batch);
    }

    #[test]
    fn a_batch_of_alerts_survives(alerts in vec(alert(), 0..4), id in any::<u64>()) {
        let batch = AlertBatch { alerts: alerts.into_iter().map(Arc::new).collect() };
        let message = sent(&v1::AcceptRequest::new(BatchId(id), &batch));
        prop_assert_eq!(message.batch_id, id);
        let back = message.into_batch().unwrap();
        prop_assert_eq!(back.alerts.len(), batch.alerts.len());
        for (back, alert) in back.alerts.iter().zip(&batch.alerts) {
            prop_assert_eq!(shown(back), shown(alert));
        }
    }

    #[test]
    fn a_delivery_and_its_outcome_survive(
        alert in alert(), output in output(), attempts in any::<u32>(), reason in proptest::option::of(any::<String>()),
        known in proptest::option::of(reference()), reference in reference(),
    ) {
        let update = known.map(|reference| Update { reference });
        let delivery = Delivery { alert: Arc::new(alert), output, update };
        let back = sent(&v1::DeliverRequest::new(BatchId(1), &delivery)).into_delivery().unwrap();
        prop_assert_eq!(&back.output, &delivery.output);
        prop_assert_eq!(&back.update, &delivery.update);
        prop_assert_eq!(shown(&back.alert), shown(&delivery.alert));
        let outcome = match reason {
            Some(reason) => DeliveryOutcome::DeadLettered { attempts, reason },
            None => DeliveryOutcome::Delivered { attempts, reference },
        };
        prop_assert_eq!(sent(&v1::DeliverAck::new(BatchId(1), &outcome)).into_outcome().unwrap(), outcome);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = v1::EvaluateRequest::decode(bytes.clone()).map(v1::EvaluateRequest::into_batch);
        let _ = v1::AcceptRequest::decode(bytes.clone()).map(v1::AcceptRequest::into_batch);
        let _ = v1::DeliverRequest::decode(bytes.clone()).map(v1::DeliverRequest::into_delivery);
        let _ = v1::DeliverAck::decode(bytes).map(v1::DeliverAck::into_outcome);
    }

    /// A whole message with one byte changed gets further into the conversions than noise does.
    #[test]
    fn a_damaged_message_is_a_value_or_an_error(
        records in vec(record(), 1..4), alert in alert(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let batch = RecordBatch { records, traceparent: String::new() };
        let mut bytes = v1::EvaluateRequest::new(BatchId(1), &batch).encode_to_vec();
        *at.get_mut(&mut bytes) = byte;
        let _ = v1::EvaluateRequest::decode(Bytes::from(bytes)).map(v1::EvaluateRequest::into_batch);
        let mut bytes = v1::Alert::from(&alert).encode_to_vec();
        *at.get_mut(&mut bytes) = byte;
        let _ = v1::Alert::decode(Bytes::from(bytes)).map(Alert::try_from);
    }
}

fn one_record() -> v1::EvaluateRequest {
    let source = Source {
        service: "s3".into(),
        resource: "bucket".into(),
        cluster: None,
    };
    let record = Record {
        source: Arc::new(source),
        position: Position {
            partition: "key".into(),
            sequence: Sequence::Offset(1),
        },
        sub: 0,
        log_type: "duo:auth".into(),
        data_type: DataType::Json,
        json: Bytes::from_static(b"{}"),
    };
    v1::EvaluateRequest::new(
        BatchId(1),
        &RecordBatch {
            records: vec![record],
            traceparent: String::new(),
        },
    )
}

fn one_alert() -> v1::Alert {
    v1::Alert {
        id: Bytes::from_static(&[7; 16]),
        outputs: vec!["slack:security".into()],
        publishers_json: "null".into(),
        context_json: "{}".into(),
        record_json: Bytes::from_static(b"{\"a\":1}"),
        ..v1::Alert::default()
    }
}

fn record_error(damage: impl FnOnce(&mut v1::RecordBatch)) -> String {
    let mut message = one_record();
    damage(message.batch.as_mut().unwrap());
    message.into_batch().unwrap_err().to_string()
}

fn alert_error(damage: impl FnOnce(&mut v1::Alert)) -> String {
    let mut message = one_alert();
    damage(&mut message);
    Alert::try_from(message).unwrap_err().to_string()
}

#[test]
fn a_malformed_record_is_refused_by_field() {
    assert!(one_record().into_batch().is_ok());
    assert_eq!(
        record_error(|batch| batch.records[0].source = 1),
        "field Record.source is 1, its table has 1 entries"
    );
    assert_eq!(
        record_error(|batch| batch.partitions.clear()),
        "field Record.partition is 0, its table has 0 entries"
    );
    assert_eq!(
        record_error(|batch| batch.records[0].log_type = u32::MAX),
        "field Record.log_type is 4294967295, its table has 1 entries"
    );
    assert_eq!(
        record_error(|batch| batch.records[0].sequence = None),
        "field Record.sequence is missing"
    );
    assert_eq!(
        record_error(|batch| batch.records[0].data_type = 0),
        "field Record.data_type is missing"
    );
    assert_eq!(
        record_error(|batch| batch.records[0].data_type = 9),
        "field Record.data_type: unknown number 9"
    );
    assert_eq!(
        record_error(|batch| batch.records[0].json.clear()),
        "field Record.json: not a json object"
    );
    let empty = v1::EvaluateRequest {
        batch: None,
        ..one_record()
    }
    .into_batch();
    assert_eq!(
        empty,
        Err(MalformedMessage::Missing {
            field: "EvaluateRequest.batch"
        })
    );
}

#[test]
fn a_malformed_alert_is_refused_by_field() {
    assert!(Alert::try_from(one_alert()).is_ok());
    assert_eq!(
        alert_error(|alert| alert.id.truncate(15)),
        "field Alert.id: 15 bytes, expected 16"
    );
    assert_eq!(
        alert_error(|alert| alert.outputs.push("slack".into())),
        "field Alert.outputs: not an output of the form service:descriptor: \"slack\""
    );
    assert!(
        alert_error(|alert| alert.publishers_json.clear())
            .starts_with("field Alert.publishers_json: not json")
    );
    assert_eq!(
        alert_error(|alert| alert.context_json = "[]".into()),
        "field Alert.context_json: not a json object"
    );
    assert_eq!(
        alert_error(|alert| alert.record_json.clear()),
        "field Alert.record_json: not a json object"
    );
    let deep = "[".repeat(1 << 20);
    assert!(alert_error(|alert| alert.publishers_json = deep).contains("nested deeper"));
    let missing = v1::DeliverRequest::default().into_delivery().unwrap_err();
    assert_eq!(
        missing,
        MalformedMessage::Missing {
            field: "DeliverRequest.alert"
        }
    );
    let missing = v1::DeliverAck::default().into_outcome().unwrap_err();
    assert_eq!(
        missing,
        MalformedMessage::Missing {
            field: "DeliverAck.outcome"
        }
    );
}

#[test]
fn bodies_of_records_share_the_memory_of_the_message() {
    let bytes = Bytes::from(one_record().encode_to_vec());
    let within = bytes.as_ptr_range();
    let batch = v1::EvaluateRequest::decode(bytes.clone())
        .unwrap()
        .into_batch()
        .unwrap();
    assert!(within.contains(&batch.records[0].json.as_ptr()));
}

#[test]
fn what_records_have_in_common_is_written_and_kept_once() {
    let one = one_record().into_batch().unwrap().records.remove(0);
    let other = Record {
        source: Arc::new((*one.source).clone()),
        ..one.clone()
    };
    let batch = RecordBatch {
        records: vec![one, other],
        traceparent: String::new(),
    };
    let message = v1::EvaluateRequest::new(BatchId(1), &batch);
    assert_eq!(message.batch.as_ref().unwrap().sources.len(), 1);
    let back = message.into_batch().unwrap();
    assert!(Arc::ptr_eq(&back.records[0].source, &back.records[1].source));
    assert!(Arc::ptr_eq(&back.records[0].log_type, &back.records[1].log_type));
}
