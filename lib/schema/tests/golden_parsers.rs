//! The parsers against what StreamAlert's parsers answered.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use streamalert_schema::{Body, SchemaSet, Verdict};
use streamalert_value::{Map, Value};
use support::{
    Exception, Judge, all_same, classify, golden_lines, list, only, plain, recorded_bytes, records, text,
};

const EDGE_EXCEPTIONS: &[Exception] = &[
    Exception {
        id: "keys/list_input_empty_schema",
        item: 23,
        why: "a list that comes already parsed is read, where StreamAlert made None of it",
    },
    Exception {
        id: "lp/nested_after_fail",
        item: 19,
        why: "all patterns are checked, where a nested pattern made StreamAlert forget the others",
    },
    Exception {
        id: "lp/envelope_early",
        item: 19,
        why: "all patterns are checked, where an envelope pattern made StreamAlert forget the others",
    },
    Exception {
        id: "kv/bytes",
        item: 21,
        why: "key-value pairs are read from bytes, where StreamAlert crashed",
    },
    Exception {
        id: "syslog/bytes",
        item: 22,
        why: "syslog lines are read from bytes, where StreamAlert crashed",
    },
];

fn with_parser(options: &str, parser: &str) -> Value {
    let mut definition = Value::parse_json(options.as_bytes()).unwrap();
    let map = definition.as_map_mut().unwrap();
    if !map.contains_key("parser") {
        map.insert("parser".to_owned(), parser.into());
    }
    definition
}

/// What the parser was given, as the kind of payload that gives it the same thing.
fn parse(definition: &Value, data: &Value) -> (bool, Vec<Value>, usize) {
    let (selection, _) = only(definition);
    let classified = match (data, recorded_bytes(data)) {
        (_, Some(bytes)) => classify(&selection, Body::Line(&bytes)),
        (Value::Map(map), _) if map.contains_key("__generated__") => {
            let deep = format!("{{\"a\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
            classify(&selection, Body::Text(&deep))
        }
        (Value::Str(text), _) => classify(&selection, Body::Text(text)),
        (other, _) => classify(&selection, Body::Logs(std::slice::from_ref(other))),
    };
    let unit = &classified.units[0];
    (unit.is_valid(), records(&classified), unit.failures.len())
}

fn judge_parser_cases(file: &str, exceptions: &'static [Exception]) {
    let mut judge = Judge::new(exceptions);
    for (number, case) in golden_lines(file).iter().enumerate() {
        let id = match text(case, "id") {
            "" => format!("{}", number + 1),
            id => id.to_owned(),
        };
        let definition = with_parser(
            text(case, "options_json"),
            match text(case, "parser") {
                "" => "json",
                one => one,
            },
        );
        let (valid, ours, failures) = parse(&definition, case.get("data").unwrap());
        if case.get("exception").is_some() {
            judge.compare(&id, !valid, || {
                format!("an exception became {} records", ours.len())
            });
            continue;
        }
        let theirs = list(case, "valid");
        let expected = case.get("result").and_then(Value::as_bool).unwrap();
        let invalid = if expected { list(case, "invalid").len() } else { 1 };
        judge.compare(
            &id,
            valid == expected && all_same(&ours, &theirs) && failures == invalid,
            || {
                format!(
                    "expected {expected} {} and {invalid} invalid, got {valid} {} and {failures}",
                    Value::List(theirs.clone()).to_json(),
                    Value::List(ours.clone()).to_json()
                )
            },
        );
    }
    judge.finish();
}

#[test]
fn parser_edge_cases_agree() {
    judge_parser_cases("parser_edge_cases.jsonl", EDGE_EXCEPTIONS);
}

#[test]
fn parser_unit_cases_agree() {
    judge_parser_cases("parser_unit_cases.jsonl", &[]);
}

/// The same schema with every type taken out, so that only keys count.
fn keys_only(schema: &Value) -> Value {
    match schema {
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(key, inner)| (key.clone(), keys_only(inner)))
                .collect(),
        ),
        _ => Value::Map(Map::new()),
    }
}

fn definition(parts: &[(&str, Value)], configuration: &[(&str, Value)]) -> Value {
    let map = |parts: &[(&str, Value)]| -> Map {
        parts
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect()
    };
    let mut whole = map(parts);
    whole.insert("parser".to_owned(), "json".into());
    whole.insert("configuration".to_owned(), Value::Map(map(configuration)));
    Value::Map(whole)
}

fn outcome(definition: &Value, record: &Value) -> Option<Value> {
    let (valid, mut ours, _) = parse(definition, record);
    valid.then(|| ours.remove(0))
}

/// The members of `record` that `wanted` has, too.
fn restricted(record: &Value, wanted: &Value) -> Value {
    match (record, wanted.as_map()) {
        (Value::Map(map), Some(wanted)) => {
            let kept = map.iter().filter(|(key, _)| wanted.contains_key(*key));
            Value::Map(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        _ => record.clone(),
    }
}

fn key_check(args: &[Value], is_envelope: bool) -> bool {
    let optionals = args
        .get(2)
        .cloned()
        .filter(|value| !value.is_null())
        .unwrap_or_else(|| Value::List(Vec::new()));
    let keys = match &args[1] {
        Value::Null => Value::Map(Map::new()),
        schema => keys_only(schema),
    };
    let anything = Value::Map(Map::new());
    let checked = if is_envelope {
        definition(
            &[("schema", anything)],
            &[("envelope_keys", keys), ("optional_envelope_keys", optionals)],
        )
    } else {
        definition(&[("schema", keys)], &[("optional_top_level_keys", optionals)])
    };
    outcome(&checked, &args[0]).is_some()
}

#[test]
fn parser_internal_cases_agree() {
    let mut judge = Judge::new(&[]);
    for (number, case) in golden_lines("parser_internal_cases.jsonl").iter().enumerate() {
        let id = (number + 1).to_string();
        let args = case.get("args").and_then(Value::as_list).unwrap();
        let expected = case.get("result").and_then(Value::as_bool);
        let schema = args[1].clone();
        let list_of = |at: usize| match args.get(at) {
            None | Some(Value::Null) => Value::List(Vec::new()),
            Some(list) => list.clone(),
        };
        match text(case, "fn") {
            "_key_check" => {
                let named = case.get("kwargs").and_then(|kwargs| kwargs.get("is_envelope"));
                let is_envelope = args.get(3).or(named).is_some_and(Value::is_truthy);
                let ours = key_check(args, is_envelope);
                judge.compare(&id, Some(ours) == expected, || {
                    format!("expected {expected:?}, got {ours}")
                });
            }
            // An envelope that was not extracted has nothing to convert.
            "_convert_type" | "_add_optional_keys" if args[0].is_null() => {}
            function @ ("_convert_type" | "_add_optional_keys") => {
                let parts = [("schema", schema.clone()), ("unknown_keys", "keep".into())];
                let ours = outcome(
                    &definition(&parts, &[("optional_top_level_keys", list_of(2))]),
                    &args[0],
                );
                let after = plain(case.get("arg0_after").unwrap());
                let agrees = match (&ours, expected) {
                    (None, Some(false)) => true,
                    (Some(ours), _) if function == "_convert_type" => {
                        restricted(ours, &args[0]).same(&restricted(&after, &args[0]))
                    }
                    (Some(ours), _) => ours.same(&restricted(&after, ours)) && after.same(&plain(ours)),
                    _ => false,
                };
                judge.compare(&id, agrees, || {
                    format!(
                        "expected {expected:?} {}, got {:?}",
                        after.to_json(),
                        ours.map(|one| one.to_json())
                    )
                });
            }
            "_matches_log_patterns" => {
                let patterns = if schema.is_null() {
                    Value::Map(Map::new())
                } else {
                    schema
                };
                let parts = [("schema", Value::Map(Map::new()))];
                let ours = outcome(&definition(&parts, &[("log_patterns", patterns)]), &args[0]).is_some();
                judge.compare(&id, Some(ours) == expected, || {
                    format!("expected {expected:?}, got {ours}")
                });
            }
            other => panic!("unknown function {other}"),
        }
    }
    judge.finish();
}

#[test]
fn schemas_are_put_in_the_order_of_streamalert() {
    let mut judge = Judge::new(&[]);
    for (number, case) in golden_lines("schema_order_cases.jsonl").iter().enumerate() {
        let definitions: Vec<(String, Value)> = list(case, "encounter_order")
            .iter()
            .map(|pair| {
                let pair = pair.as_list().unwrap();
                let priority = if pair[1].is_null() {
                    Vec::new()
                } else {
                    vec![("priority", pair[1].clone())]
                };
                let schema = Value::Map([("k".to_owned(), Value::from("string"))].into_iter().collect());
                (
                    pair[0].as_str().unwrap().to_owned(),
                    definition(&[("schema", schema)], &priority),
                )
            })
            .collect();
        let (set, errors) = SchemaSet::compile(&definitions);
        assert!(errors.is_empty(), "{errors:?}");
        let ours: Vec<Value> = set.log_types().map(|one| Value::from(&**one)).collect();
        judge.compare(
            &(number + 1).to_string(),
            all_same(&ours, &list(case, "result")),
            || format!("{ours:?}"),
        );
    }
    judge.finish();
}

#[test]
fn normalizer_unit_cases_agree() {
    let mut judge = Judge::new(&[]);
    for (number, case) in golden_lines("normalizer_unit_cases.jsonl").iter().enumerate() {
        let normalization = case.get("normalization").unwrap().clone();
        let schema = definition(
            &[("schema", Value::Map(Map::new()))],
            &[("normalization", normalization)],
        );
        let ours = outcome(&schema, case.get("record").unwrap()).unwrap();
        let ours = ours.get("streamalert_normalization").unwrap();
        let theirs = plain(case.get("result").unwrap());
        judge.compare(&(number + 1).to_string(), ours.same(&theirs), || {
            format!("expected {}, got {}", theirs.to_json(), ours.to_json())
        });
    }
    judge.finish();
}

#[test]
fn explaining_says_why_a_schema_was_refused() {
    let (selection, _) =
        only(&Value::parse_json(br#"{"parser":"json","schema":{"a":"integer","b":"string"}}"#).unwrap());
    let position = streamalert_types::Position {
        partition: "p".into(),
        sequence: streamalert_types::Sequence::Offset(1),
    };
    let source = support::source("kinesis", "res");
    let body = Body::Text(r#"{"a":"x","b":1}"#);
    let payload = streamalert_schema::Payload {
        source: &source,
        position: &position,
        body,
    };
    let units = selection.explain(&payload, &mut streamalert_schema::Scratch::new());
    let Verdict::Refused(refusal) = &units[0].schemas[0].verdict else {
        panic!("{units:?}")
    };
    assert_eq!(refusal.to_string(), "a: not an integer");
    assert!(units[0].schemas[0].candidate);
}
