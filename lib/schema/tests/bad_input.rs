//! Input that is broken or hostile: an answer with a clear reason, and nothing lost.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::io::Write;

use streamalert_schema::{Body, Classified, Limits, Payload, SchemaSet, Scratch, Selection, Severity};
use streamalert_types::{Position, Sequence};
use streamalert_value::Value;
use support::{classify, only, records, source};

fn schema(json: &str) -> Selection {
    only(&Value::parse_json(json.as_bytes()).unwrap()).0
}

fn text_schema() -> Selection {
    schema(r#"{"parser":"json","schema":{"a":"string"}}"#)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The only failure of a payload that nothing could be made of.
fn refused(classified: &Classified, original: &[u8]) -> String {
    assert_eq!(classified.units.len(), 1);
    assert_eq!(classified.failed_record_count, 1);
    let unit = &classified.units[0];
    assert!(!unit.is_valid());
    let [failure] = unit.failures.as_slice() else {
        panic!("{unit:?}")
    };
    assert_eq!(failure.sub, None);
    assert!(failure.original == original, "the original bytes are not kept");
    failure.reason.clone()
}

#[test]
fn truncated_gzip_is_kept_with_a_reason() {
    let whole = gzip(br#"{"a":"1"}"#);
    let cut = &whole[..whole.len() - 6];
    let selection = text_schema();
    for body in [Body::Packed(cut), Body::Object(cut)] {
        let reason = refused(&classify(&selection, body), cut);
        assert!(reason.starts_with("gzip: "), "{reason}");
    }
}

#[test]
fn an_object_of_several_gzip_members_is_read_whole() {
    let mut object = gzip(b"{\"a\":\"1\"}\n");
    object.extend(gzip(b"{\"a\":\"2\"}\n"));
    object.extend([0; 16]);
    assert_eq!(records(&classify(&text_schema(), Body::Object(&object))).len(), 2);
    object.extend(b"junk");
    let reason = refused(&classify(&text_schema(), Body::Object(&object)), &object);
    assert!(reason.contains("after the last member"), "{reason}");
}

#[test]
fn a_gzip_bomb_is_an_error_and_not_memory() {
    let bomb = gzip(&vec![b' '; 8 << 20]);
    let limits = Limits {
        unpacked_bytes_max: 1 << 20,
        ..Limits::default()
    };
    let position = Position {
        partition: "p".into(),
        sequence: Sequence::Offset(0),
    };
    for body in [Body::Packed(&bomb), Body::Object(&bomb)] {
        let payload = Payload {
            source: &source("kinesis", "r"),
            position: &position,
            body,
        };
        let classified = text_schema().classify(&payload, &mut Scratch::with_limits(limits));
        let reason = refused(&classified, &bomb);
        assert!(reason.contains("limit of 1048576 bytes"), "{reason}");
    }
}

#[test]
fn bytes_that_are_no_text_and_nul_bytes_are_kept_with_a_reason() {
    let cases: [(&[u8], &str); 4] = [
        (b"{\"a\":\"\xff\"}", "not valid text"),
        (b"{\"a\":\"\0\"}", "control character"),
        (b"\0\0\0\0\0\0\0", "not valid text"),
        (b"{\"a\":\"1\"}\0", "text after the end"),
    ];
    for (bytes, expected) in cases {
        let reason = refused(&classify(&text_schema(), Body::Packed(bytes)), bytes);
        assert!(reason.contains(expected), "{bytes:?}: {reason}");
    }
}

#[test]
fn json_ten_thousand_deep_is_refused_whatever_it_is_made_of() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let reason = refused(&classify(&text_schema(), Body::Text(&deep)), deep.as_bytes());
        assert!(reason.contains("nested deeper than 960"), "{reason}");
    }
}

#[test]
fn json_of_the_greatest_depth_goes_through_every_conversion() {
    let deep = format!("{{\"a\":\n{}{}}}", "[".repeat(959), "]".repeat(959));
    let classified = classify(&text_schema(), Body::Text(&deep));
    let expected = format!("{{\"a\":\"{}{}\"}}", "[".repeat(959), "]".repeat(959));
    assert_eq!(classified.units[0].records[0].json, expected.as_bytes());
}

#[test]
fn of_a_key_that_occurs_twice_the_last_value_counts_at_every_level() {
    let selection = schema(r#"{"parser":"json","schema":{"a":{},"b":"string"}}"#);
    let json = r#"{"a":{"x":1,"y":2,"\u0078":3},"b":"1","a":{"z":[{"q":1,"q":2}],"z":[{"q":3,"q":4}]}}"#;
    let classified = classify(&selection, Body::Text(json));
    assert_eq!(
        classified.units[0].records[0].json,
        r#"{"a":{"z":[{"q":4}]},"b":"1"}"#.as_bytes()
    );
}

#[test]
fn a_text_of_a_hundred_megabytes_goes_through() {
    let long = "x".repeat(100 << 20);
    let json = format!("{{\"a\":\"{long}\"}}");
    let classified = classify(&text_schema(), Body::Packed(json.as_bytes()));
    assert!(classified.units[0].records[0].json == json.as_bytes());
    let unclosed = &json[..json.len() - 2];
    let reason = refused(
        &classify(&text_schema(), Body::Packed(unclosed.as_bytes())),
        unclosed.as_bytes(),
    );
    assert!(reason.contains("without its closing quote"), "{reason}");
}

#[test]
fn huge_numbers_keep_their_digits_or_are_refused() {
    let digits = "9".repeat(5000);
    let json = format!("{{\"a\":{digits}}}");
    let as_integer = schema(r#"{"parser":"json","schema":{"a":"integer"}}"#);
    assert_eq!(
        classify(&as_integer, Body::Text(&json)).units[0].records[0].json,
        json.as_bytes()
    );
    let as_text = classify(&text_schema(), Body::Text(&json));
    assert_eq!(
        as_text.units[0].records[0].json,
        format!("{{\"a\":\"{digits}\"}}").as_bytes()
    );
    let as_float = schema(r#"{"parser":"json","schema":{"a":"float"}}"#);
    let reason = refused(&classify(&as_float, Body::Text(&json)), json.as_bytes());
    assert!(reason.ends_with("a: not a float"), "{reason}");
    let infinite = r#"{"a":1e999}"#;
    let reason = refused(&classify(&as_integer, Body::Text(infinite)), infinite.as_bytes());
    assert!(reason.ends_with("a: not an integer"), "{reason}");
}

#[test]
fn lone_surrogates_and_line_breaks_survive_as_they_must() {
    let selection = schema(r#"{"parser":"json","schema":{"a":"string","b":{},"c":"string"}}"#);
    let json = "{\"a\":\"\\ud83d\",\r\n\"b\":[1,\n{\"\\udc00\":2}],\"c\":5}";
    let classified = classify(&selection, Body::Text(json));
    assert_eq!(
        classified.units[0].records[0].json,
        r#"{"a":"\ud83d","b":[1,{"\udc00":2}],"c":"5"}"#.as_bytes()
    );
}

#[test]
fn a_bad_line_of_an_object_costs_that_line_only() {
    let object = b"{\"a\":\"1\"}\nnot json\n\n[1,2]\n{\"b\":1}\n{\"a\":\"2\"}\n";
    let classified = classify(&text_schema(), Body::Object(object));
    assert_eq!(records(&classified).len(), 2);
    let failed: Vec<&[u8]> = classified
        .units
        .iter()
        .flat_map(|unit| &unit.failures)
        .map(|failure| &failure.original[..])
        .collect();
    assert_eq!(failed, [&b"not json\n"[..], b"[1,2]\n", b"{\"b\":1}\n"]);
    let subs: Vec<u32> = classified
        .units
        .iter()
        .flat_map(|unit| {
            let failed = unit.failures.iter().filter_map(|failure| failure.sub);
            unit.records.iter().map(|record| record.sub).chain(failed)
        })
        .collect();
    assert_eq!(subs, [0, 1, 2, 3, 4]);
}

#[test]
fn what_matches_nothing_names_the_nearest_schema_and_the_difference() {
    let definitions: Vec<(String, Value)> = [
        (
            "t:far",
            r#"{"parser":"json","schema":{"p":"string","q":"string","r":"string"}}"#,
        ),
        (
            "t:near",
            r#"{"parser":"json","schema":{"a":"integer","b":"string","c":"string"}}"#,
        ),
    ]
    .map(|(name, json)| (name.to_owned(), Value::parse_json(json.as_bytes()).unwrap()))
    .into();
    let selection = SchemaSet::compile(&definitions).0.select_all();
    let nearest = |json: &str| {
        let classified = classify(&selection, Body::Text(json));
        classified.units[0].failures[0].nearest.clone().unwrap()
    };
    let by_keys = nearest(r#"{"a":1,"b":"x","z":0}"#);
    assert_eq!(
        (by_keys.log_type.as_str(), by_keys.missing, by_keys.unexpected),
        ("t:near", vec!["c".to_owned()], vec!["z".to_owned()])
    );
    assert_eq!(
        nearest(r#"{"a":"x","b":"x","c":"x"}"#).wrong_type,
        ["a: not an integer"]
    );
    let nothing = classify(&selection, Body::Text(r#"{"x":1}"#));
    assert!(nothing.units[0].failures[0].nearest.is_none());
}

#[test]
fn unknown_keys_are_kept_where_the_schema_says_so() {
    let selection = schema(
        r#"{"parser":"json","unknown_keys":"keep","schema":{"a":"integer","b":"string"},
            "configuration":{"optional_top_level_keys":["b"]}}"#,
    );
    let classified = classify(&selection, Body::Text(r#"{"new":[1, 2],"a":"7"}"#));
    assert_eq!(
        classified.units[0].records[0].json,
        r#"{"new":[1, 2],"a":7,"b":""}"#.as_bytes()
    );
    assert_eq!(
        classify(&selection, Body::Text(r#"{"new":1}"#)).failed_record_count,
        1
    );
}

#[test]
fn more_shapes_than_are_remembered_change_nothing() {
    let selection = schema(r#"{"parser":"json","unknown_keys":"keep","schema":{"a":"integer"}}"#);
    let position = Position {
        partition: "p".into(),
        sequence: Sequence::Offset(0),
    };
    let source = source("kinesis", "r");
    let mut scratch = Scratch::new();
    for round in 0..3000 {
        let json = format!("{{\"k{round}\":1,\"a\":\"{round}\"}}");
        let payload = Payload {
            source: &source,
            position: &position,
            body: Body::Text(&json),
        };
        let classified = selection.classify(&payload, &mut scratch);
        let expected = format!(
            "{{\"k{round}\":1,\"a\":{}}}",
            if round == 0 {
                "0".to_owned()
            } else {
                round.to_string()
            }
        );
        assert_eq!(classified.units[0].records[0].json, expected.as_bytes());
    }
}

#[test]
fn errors_of_schemas_say_where_they_are() {
    let cases = [
        (r#"{"parser":"xml","schema":{}}"#, "t:x: parser: unknown parser"),
        (
            r#"{"parser":"json","schema":{"m":{"d":"date"}}}"#,
            "t:x: schema.m.d: unknown type \"date\"",
        ),
        (
            r#"{"parser":"json","schema":{},"configuration":{"json_path":"r["}}"#,
            "t:x: configuration.json_path: ",
        ),
        (
            r#"{"parser":"csv","schema":{},"configuration":{"delimiter":"||"}}"#,
            "t:x: configuration.delimiter: ",
        ),
        (
            r#"{"parser":"kv","schema":{},"configuration":{"separator":""}}"#,
            "t:x: configuration.separator: ",
        ),
        (
            r#"{"parser":"json","schema":{"a":"string"},"configuration":{"optional_top_level_keys":["b"]}}"#,
            "t:x: configuration.optional_top_level_keys: \"b\" is not a key",
        ),
        (
            r#"{"parser":"json","schema":{},"configuration":{"normalization":{"n":[{"path":["s"],"foo":1}]}}}"#,
            "t:x: configuration.normalization.n: unknown key \"foo\"",
        ),
    ];
    for (json, expected) in cases {
        let definition = Value::parse_json(json.as_bytes()).unwrap();
        let (_, errors) = SchemaSet::compile(&[("t:x".to_owned(), definition)]);
        let error = errors
            .iter()
            .find(|error| error.severity == Severity::Error)
            .unwrap();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn a_name_that_selects_nothing_is_an_error_with_a_hint() {
    let definition = Value::parse_json(br#"{"parser":"json","schema":{"a":"string"}}"#).unwrap();
    let (set, _) = SchemaSet::compile(&[("cloudtrail:events".to_owned(), definition)]);
    assert_eq!(set.select(&["cloudtrail"]).unwrap().log_types().count(), 1);
    assert_eq!(set.select(&["cloudtrail:events"]).unwrap().log_types().count(), 1);
    let errors = set.select(&["cloudtrial", "osquery"]).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "no schema is named \"cloudtrial\" or of that family, did you mean \"cloudtrail\"?"
    );
    assert_eq!(errors[1].closest, None);
}

#[test]
fn record_ids_hang_on_the_position_and_the_sub_record_only() {
    let selection = schema(
        r#"{"parser":"json","schema":{"ip":"string"},
            "configuration":{"json_path":"r[*]","normalization":{"ip":["ip"]}}}"#,
    );
    let position = Position {
        partition: "p".into(),
        sequence: Sequence::Offset(3),
    };
    let source = source("kinesis", "r");
    let payload = Payload {
        source: &source,
        position: &position,
        body: Body::Text(r#"{"r":[{"ip":"a"},{"ip":"b"}]}"#),
    };
    let classified = selection.classify(&payload, &mut Scratch::new());
    for (sub, record) in classified.units[0].records.iter().enumerate() {
        let id = streamalert_types::RecordId::new(&source, &position, sub as u32).to_string();
        let value = Value::parse_json(&record.json).unwrap();
        let normalization = value.get("streamalert_normalization").unwrap();
        assert_eq!(
            normalization.get("streamalert_record_id").and_then(Value::as_str),
            Some(id.as_str())
        );
        let plain = Value::parse_json(&record.plain_json()).unwrap();
        assert_eq!(plain.as_map().unwrap().len(), 1);
    }
}
