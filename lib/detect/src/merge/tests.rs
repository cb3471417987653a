use std::path::PathBuf;

use proptest::prelude::*;

use streamalert_value::Map;

use super::record::write_cleaned;
use super::*;

/// The lines of a golden file; `None` where the shared folder is absent, which must not happen in CI.
fn golden(name: &str) -> Option<Vec<Value>> {
    let shared = std::env::var_os("STREAMALERT_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("golden").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(
            text.lines()
                .map(|line| Value::parse_json(line.as_bytes()).unwrap())
                .collect(),
        ),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{}: {error}", path.display());
            println!("skipped: {} is absent", path.display());
            None
        }
    }
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts(item: &Value, key: &str) -> Vec<String> {
    let list = item.get(key).and_then(Value::as_list).unwrap_or_default();
    list.iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// Outputs of some unit tests are no `service:descriptor`.
fn output(name: &str) -> OutputName {
    let name = if name.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:")
    };
    name.parse().unwrap()
}

/// An alert of StreamAlert's DynamoDB item; its record may be text or a dictionary.
fn alert(item: &Value) -> Arc<Alert> {
    let record = match item.get("Record").unwrap() {
        Value::Str(text) => text.clone(),
        record => record.to_json(),
    };
    let shared = |key| Arc::from(text(item, key));
    Arc::new(Alert {
        id: text(item, "AlertID").parse().unwrap_or(AlertId::from_u128(1)),
        rule_name: shared("RuleName"),
        rule_description: shared("RuleDescription"),
        created: text(item, "Created").parse().unwrap(),
        cluster: None,
        log_source: shared("LogSource"),
        log_type: shared("LogType"),
        source_entity: shared("SourceEntity"),
        source_service: shared("SourceService"),
        outputs: texts(item, "Outputs").iter().map(|name| output(name)).collect(),
        publishers: item.get("Publishers").cloned().unwrap_or_default(),
        context: item.get("Context").cloned().unwrap(),
        merge_by_keys: texts(item, "MergeByKeys").into(),
        merge_window_mins: u32::try_from(item.get("MergeWindowMins").and_then(Value::as_i64).unwrap())
            .unwrap(),
        staged: item.get("Staged").and_then(Value::as_bool).unwrap(),
        record: Bytes::from(record),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    })
}

fn record_of(alert: &Alert) -> Value {
    Value::parse_json(&alert.record).unwrap()
}

/// What a function on documents writes.
fn on_documents(
    values: &[Value],
    ignored: &[String],
    write: impl FnOnce(&[NodeRef<'_>], &Ignored<'_>, &mut Vec<u8>),
) -> Value {
    let sources: Vec<String> = values.iter().map(Value::to_json).collect();
    let mut docs: Vec<Doc> = values.iter().map(|_| Doc::new()).collect();
    let nodes: Vec<NodeRef<'_>> = docs
        .iter_mut()
        .zip(&sources)
        .map(|(doc, source)| doc.parse(source).unwrap().root())
        .collect();
    let mut out = Vec::new();
    write(&nodes, &Ignored::new(ignored), &mut out);
    Value::parse_json(&out).unwrap()
}

#[test]
fn the_small_functions_answer_as_streamalerts_did() {
    let Some(cases) = golden("alert_merge_unit_cases.jsonl") else {
        return;
    };
    let mut seen = std::collections::BTreeMap::new();
    for case in &cases {
        let (name, args) = (
            text(case, "fn"),
            case.get("args").and_then(Value::as_list).unwrap(),
        );
        let expected = case.get("result").unwrap();
        *seen.entry(name.to_owned()).or_insert(0) += 1;
        let answer = match name {
            "_clean_record" => {
                let keys = args[1]
                    .as_list()
                    .unwrap()
                    .iter()
                    .map(|key| key.as_str().unwrap().to_owned());
                let keys: Vec<String> = keys.collect();
                on_documents(&args[..1], &keys, |nodes, ignored, out| {
                    write_cleaned(nodes[0], ignored, out)
                })
            }
            "_compute_common" => {
                let records = args[0].as_list().unwrap();
                on_documents(records, &[], |nodes, ignored, out| {
                    common_of(nodes, ignored).write(ignored, out)
                })
            }
            "_compute_diff" => on_documents(args, &[], |nodes, ignored, out| {
                Common::Whole(nodes[0]).write_difference(nodes[1], ignored, out);
            }),
            "can_merge" => Value::Bool(can_merge(&alert(&args[0]), &alert(&args[1]))),
            "merge" => {
                let members: Vec<_> = args[0].as_list().unwrap().iter().map(alert).collect();
                let merged = merge(AlertId::from_u128(9), Timestamp::EPOCH, &members).unwrap();
                let outputs = texts(expected, "Outputs")
                    .iter()
                    .map(|name| output(name))
                    .collect();
                assert_eq!(merged.outputs, outputs);
                assert!(!merged.merge_enabled());
                let record = record_of(&merged);
                assert!(
                    record.same(expected.get("Record").unwrap()),
                    "{}",
                    record.to_json()
                );
                continue;
            }
            other => panic!("unknown function {other}"),
        };
        assert!(answer.same(expected), "{}: {}", case.to_json(), answer.to_json());
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

fn plain(id: u128, micros: i64, keys: &[&str], record: &str) -> Arc<Alert> {
    Arc::new(Alert {
        id: AlertId::from_u128(id),
        rule_name: "r".into(),
        rule_description: "".into(),
        created: Timestamp::from_micros(micros),
        cluster: None,
        log_source: "l:s".into(),
        log_type: "json".into(),
        source_entity: "".into(),
        source_service: "".into(),
        outputs: [OutputName::history(), output("o:1")].into(),
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        merge_window_mins: 5,
        staged: false,
        record: Bytes::from(record.to_owned()),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    })
}

fn merged(members: &[Arc<Alert>]) -> Value {
    record_of(&merge(AlertId::from_u128(9), Timestamp::EPOCH, members).unwrap())
}

#[test]
fn alerts_of_one_microsecond_keep_an_entry_each() {
    let members: Vec<_> = [(3, 5, "c"), (1, 5, "a"), (2, 5, "b"), (4, 6, "d")]
        .map(|(id, at, v)| plain(id, at, &["k"], &format!(r#"{{"k":1,"v":"{v}"}}"#)))
        .to_vec();
    let record = merged(&members);
    let diffs = record.get("ValueDiffs").unwrap().to_json();
    let entry = |at: i64, v| format!(r#""1970-01-01T00:00:00.{at:06}Z":{{"v":"{v}"}}"#);
    let expected = [entry(5, "a"), entry(6, "b"), entry(7, "c"), entry(8, "d")].join(",");
    assert_eq!(diffs, format!("{{{expected}}}"));
    assert_eq!(
        record.get("AlertTimeLast").unwrap().as_str(),
        Some("1970-01-01T00:00:00.000006Z")
    );
}

#[test]
fn a_staged_alert_never_shares_a_group_with_another_and_reaches_the_history_only() {
    let one = plain(1, 0, &["k"], r#"{"k":1}"#);
    let staged = Arc::new(Alert {
        staged: true,
        ..Alert::clone(&plain(2, 1, &["k"], r#"{"k":1}"#))
    });
    assert!(!can_merge(&one, &staged));
    assert!(can_merge(&staged, &staged));
    let alone = merge(AlertId::from_u128(9), Timestamp::EPOCH, &[staged]).unwrap();
    assert!(alone.staged);
    assert_eq!(alone.outputs, [OutputName::history()].into());
}

#[test]
fn nan_equals_nothing_but_within_a_list_itself() {
    let alone = |record: &str| can_merge(&plain(1, 0, &["k"], record), &plain(2, 1, &["k"], record));
    assert!(!alone(r#"{"k":NaN}"#));
    assert!(alone(r#"{"k":[NaN]}"#));
    let record = merged(&[plain(1, 0, &["k"], r#"{"k":1,"a":NaN,"b":[NaN]}"#)]);
    let diff = record
        .get("ValueDiffs")
        .unwrap()
        .as_map()
        .unwrap()
        .values()
        .next()
        .unwrap()
        .to_json();
    assert_eq!(diff, r#"{"a":NaN}"#);
}

#[test]
fn a_record_that_is_no_object_has_no_merge_key_and_its_text_survives_a_merge() {
    let broken = plain(1, 0, &["k"], "{\"k\":");
    assert!(KeyReader::new().merge_key(&broken).is_err());
    assert!(KeyReader::new().merge_key(&plain(1, 0, &["k"], "[1]")).is_err());
    assert!(merged(&[broken]).to_json().contains(UNREADABLE_KEY));
}

#[test]
fn the_first_key_is_found_breadth_first_in_key_order() {
    let find = |json: &str| {
        let mut doc = Doc::new();
        let tree = doc.parse(json).unwrap();
        first_key(tree.root(), "k").map(|node| node.to_value().to_json())
    };
    assert_eq!(
        find(r#"{"a":{"b":{"k":1}},"c":[0,{"k":2}],"d":{"k":3}}"#),
        Some("3".to_owned())
    );
    assert_eq!(find(r#"{"a":[{"k":2}],"b":{"k":null}}"#), Some("null".to_owned()));
    assert_eq!(
        find(r#"{"streamalert_normalization":{"k":1},"a":{"streamalert_normalization":{"k":1}}}"#),
        None
    );
}

#[test]
fn names_and_values_of_merge_keys_cannot_be_confused() {
    let key = |keys: &[&str], record| KeyReader::new().merge_key(&plain(1, 0, keys, record)).unwrap();
    assert_ne!(
        key(&["a", "b"], r#"{"a":"x","b":"y"}"#),
        key(&["a", "b"], r#"{"a":"y","b":"x"}"#)
    );
    assert_ne!(key(&["a"], r#"{"a":null}"#), key(&["b"], r#"{"b":null}"#));
    assert_eq!(
        key(&["b", "a", "b"], r#"{"a":1}"#),
        key(&["a", "b"], r#"{"a":true,"b":null}"#)
    );
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-2_i64..3).prop_map(Value::Int),
        (-2_i32..3).prop_map(|half| Value::Float(f64::from(half) / 2.0)),
        "[ab]{0,1}".prop_map(Value::Str),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            proptest::collection::vec(("[a-d]", inner), 0..3)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map> {
    proptest::collection::vec(("[a-d]", json()), 0..4).prop_map(|entries| entries.into_iter().collect())
}

/// What is in common, overlaid with what differs, is the record, except for empty dictionaries: StreamAlert
/// does not note those.
fn restore(common: &Map, difference: &Map) -> Map {
    let mut whole = common.clone();
    for (key, value) in difference {
        match (whole.get(key), value) {
            (Some(Value::Map(shared)), Value::Map(own)) => {
                let both = Value::Map(restore(shared, own));
                whole.insert(key.clone(), both);
            }
            _ => {
                whole.insert(key.clone(), value.clone());
            }
        }
    }
    whole
}

fn holds_empty_dictionary(value: &Value) -> bool {
    match value {
        Value::Map(map) => map.is_empty() || map.values().any(holds_empty_dictionary),
        _ => false,
    }
}

proptest! {
    #[test]
    fn two_values_share_a_key_exactly_when_python_calls_them_equal(a in json(), b in json()) {
        let key = |value: &Value| {
            let record = Value::Map(Map::from_iter([("k".to_owned(), value.clone())])).to_json();
            KeyReader::new().merge_key(&plain(1, 0, &["k"], &record)).unwrap()
        };
        prop_assert_eq!(key(&a) == key(&b), a.python_eq(&b));
    }

    #[test]
    fn common_part_and_difference_make_up_each_record(records in proptest::collection::vec(object(), 1..4)) {
        let values: Vec<Value> = records.iter().cloned().map(Value::Map).collect();
        let common = on_documents(&values, &[], |nodes, ignored, out| common_of(nodes, ignored).write(ignored, out));
        for record in &records {
            let whole = Value::Map(record.clone());
            if record.values().any(holds_empty_dictionary) {
                continue;
            }
            let differs = on_documents(&[common.clone(), whole.clone()], &[], |nodes, ignored, out| {
                Common::Whole(nodes[0]).write_difference(nodes[1], ignored, out);
            });
            let restored = Value::Map(restore(common.as_map().unwrap(), differs.as_map().unwrap()));
            prop_assert!(restored.python_eq(&whole), "{} {}", restored.to_json(), whole.to_json());
        }
    }
}

#[test]
fn a_dictionary_that_differs_in_a_merge_key_only_is_common() {
    let at = |id, k| {
        plain(
            id,
            0,
            &["k"],
            &format!(r#"{{"a":{{"k":{k},"b":[{{"k":{k}}}],"c":1}},"k":1}}"#),
        )
    };
    let record = merged(&[at(1, 1), at(2, 2)]);
    assert_eq!(
        record.get("OtherCommonKeys").unwrap().to_json(),
        r#"{"a":{"c":1}}"#
    );
    let same = |id, k| plain(id, 0, &["k"], &format!(r#"{{"a":{{"k":{k},"c":1}},"k":1}}"#));
    let record = merged(&[same(1, 1), same(2, 2)]);
    assert_eq!(
        record.get("OtherCommonKeys").unwrap().to_json(),
        r#"{"a":{"c":1}}"#
    );
    assert!(
        record
            .get("ValueDiffs")
            .unwrap()
            .as_map()
            .unwrap()
            .values()
            .all(|diff| !diff.is_truthy())
    );
}

#[test]
fn texts_written_differently_and_numbers_of_different_types_are_equal() {
    let record = merged(&[
        plain(
            1,
            0,
            &["k"],
            "{\"t\": \"\\u0041\", \"n\": 1, \"l\": [1.0, {\"b\":1,\"a\":2}]}",
        ),
        plain(2, 1, &["k"], r#"{"l":[true,{"a":2,"b":1}],"n":1.0,"t":"A"}"#),
    ]);
    let common = record.get("OtherCommonKeys").unwrap();
    assert_eq!(common.to_json(), r#"{"t":"A","n":1,"l":[1.0,{"b":1,"a":2}]}"#);
}
