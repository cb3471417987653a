//! The JSON reader and writer against serde_json and against each other.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use proptest::prelude::*;
use streamalert_value::{Doc, JsonErrorKind, JsonStyle, Map, Value};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "[1-9][0-9]{19,40}".prop_map(|digits| Value::BigInt(digits.into())),
        any::<f64>().prop_map(Value::Float),
        ".*".prop_map(Value::Str),
        "[\"\\\\\n\t\u{1}\u{7f}é😀a]*".prop_map(Value::Str),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            prop::collection::vec((".{0,6}", inner), 0..8)
                .prop_map(|members| Value::Map(members.into_iter().collect::<Map>())),
        ]
    })
}

/// Values that are often equal across their types.
fn alike() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        "0", "1", "-0.0", "1.0", "true", "false", "null", "\"1\"", "\"\"", "0.5", "1e300", "Infinity",
    ])
    .prop_map(|json| Value::parse_json(json.as_bytes()).unwrap());
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            prop::collection::vec((prop::sample::select(vec!["a", "b"]), inner), 0..3).prop_map(|members| {
                Value::Map(
                    members
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// Text that is often almost JSON.
fn jsonish() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"",
        "\\",
        "\\u00e9",
        "\\ud83d\\ude00",
        "1",
        "-",
        "0",
        ".5",
        "e3",
        "-0.0",
        "1e-7",
        "true",
        "false",
        "null",
        " ",
        "\n",
        "\t",
        "é",
        "12345678901234567890",
        "x",
    ]);
    prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

/// serde_json, unless told otherwise, reads floats to within one unit in the last place.
fn nearly(ours: f64, theirs: Option<f64>) -> bool {
    theirs.is_some_and(|theirs| (ours - theirs).abs() <= ours.abs() * f64::EPSILON)
}

fn same_as_serde(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
        (Value::Int(a), serde_json::Value::Number(b)) => {
            b.as_i64() == Some(*a) || *a == 0 && b.as_f64() == Some(0.0)
        }
        (Value::BigInt(a), serde_json::Value::Number(b)) => nearly(a.parse().unwrap(), b.as_f64()),
        (Value::Float(a), serde_json::Value::Number(b)) => nearly(*a, b.as_f64()),
        (Value::Str(a), serde_json::Value::String(b)) => a == b,
        (Value::List(a), serde_json::Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_as_serde(a, b))
        }
        (Value::Map(a), serde_json::Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((k, a), (l, b))| k == l && same_as_serde(a, b))
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(value in any_value()) {
        for style in [JsonStyle::COMPACT, JsonStyle::PYTHON, JsonStyle::CANONICAL] {
            let text = style.text(&value);
            let read = Value::parse_json(text.as_bytes()).unwrap();
            prop_assert!(read.same(&value), "{text}");
        }
    }

    #[test]
    fn whatever_serde_json_reads_we_read_the_same(text in jsonish()) {
        let ours = Value::parse_json(text.as_bytes());
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(theirs) => prop_assert!(same_as_serde(&ours.unwrap(), &theirs), "{text}"),
            // serde_json has no lone surrogates, and no floats out of range.
            Err(error) if text.contains("\\u") || error.to_string().contains("out of range") => {}
            Err(error) => prop_assert!(ours.is_err(), "{text}: {error}"),
        }
    }

    #[test]
    fn bytes_never_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Value::parse_json(&bytes);
    }

    #[test]
    fn a_document_written_node_by_node_says_the_same(value in any_value()) {
        let text = JsonStyle { between: ",\n", ..JsonStyle::COMPACT }.text(&value);
        let mut doc = Doc::new();
        let tree = doc.parse(&text).unwrap();
        let mut out = Vec::new();
        tree.root().write_json(&mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_json());
    }

    #[test]
    fn keys_are_equal_exactly_when_python_says_so(one in alike(), two in alike()) {
        let key = |value: &Value| { let mut out = Vec::new(); value.equality_key(&mut out); out };
        prop_assert_eq!(one.python_eq(&two), key(&one) == key(&two));
        prop_assert!(one.python_eq(&one));
    }

    #[test]
    fn of_many_keys_the_last_of_each_counts(keys in prop::collection::vec(0..120_u8, 0..200)) {
        let members: Vec<String> = keys.iter().enumerate().map(|(at, key)| format!("\"{key}\":{at}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let mut expected: Map = Map::new();
        for (at, key) in keys.iter().enumerate() {
            expected.insert(key.to_string(), Value::Int(at as i64));
        }
        prop_assert_eq!(Value::parse_json(text.as_bytes()).unwrap().to_json(), Value::Map(expected).to_json());
    }

    #[test]
    fn floats_print_as_they_read(float in any::<f64>()) {
        let text = streamalert_value::float_repr(float);
        let read: f64 = text.parse().unwrap();
        prop_assert!(read == float || float.is_nan() && read.is_nan(), "{text}");
    }
}

#[test]
fn json_loads_of_python_decides_what_is_json() {
    let good = [
        ("NaN", "NaN"),
        ("[Infinity, -Infinity]", "[Infinity,-Infinity]"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("1E5", "100000.0"),
        ("9223372036854775808", "9223372036854775808"),
        (" \t\r\n1 ", "1"),
        ("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"),
        ("\"\\ud83d\\ude00\\/\"", "\"😀/\""),
        ("\"\u{7f}\"", "\"\u{7f}\""),
    ];
    for (text, expected) in good {
        assert_eq!(
            Value::parse_json(text.as_bytes()).unwrap().to_json(),
            expected,
            "{text}"
        );
    }
    let bad = [
        ("", JsonErrorKind::ExpectedValue),
        ("01", JsonErrorKind::TrailingText),
        ("1.", JsonErrorKind::TrailingText),
        ("-", JsonErrorKind::ExpectedValue),
        ("+1", JsonErrorKind::ExpectedValue),
        ("[1,]", JsonErrorKind::ExpectedValue),
        ("{\"a\":1,}", JsonErrorKind::ExpectedKey),
        ("{a:1}", JsonErrorKind::ExpectedKey),
        ("{\"a\" 1}", JsonErrorKind::ExpectedColon),
        ("[1 2]", JsonErrorKind::ExpectedComma),
        ("[1}", JsonErrorKind::ExpectedComma),
        ("\"a\nb\"", JsonErrorKind::ControlCharacter),
        ("\"\\x\"", JsonErrorKind::BadEscape),
        ("\"\\u12\"", JsonErrorKind::BadEscape),
        ("\"abc", JsonErrorKind::UnterminatedText),
        ("'a'", JsonErrorKind::ExpectedValue),
        ("nul", JsonErrorKind::ExpectedValue),
        ("1 2", JsonErrorKind::TrailingText),
        ("\u{a0}1", JsonErrorKind::ExpectedValue),
    ];
    for (text, kind) in bad {
        assert_eq!(
            Value::parse_json(text.as_bytes()).unwrap_err().kind,
            kind,
            "{text}"
        );
    }
}

#[test]
fn bytes_are_decoded_as_python_decodes_them() {
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let wider = |text: &str| {
        text.chars()
            .flat_map(|c| u32::from(c).to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let text = "{\"é\":\"😀\"}";
    let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
    for bytes in [
        text.as_bytes().to_vec(),
        marked(&[0xef, 0xbb, 0xbf], text.as_bytes()),
        wide(text),
        marked(&[0xff, 0xfe], &wide(text)),
        wider(text),
        marked(&[0, 0, 0xfe, 0xff], &wider(text)),
    ] {
        assert_eq!(Value::parse_json(&bytes).unwrap().to_json(), text);
    }
    assert!(Value::parse_json(b"\"\xed\xa0\xbd\"").is_ok(), "surrogates pass");
    assert!(Value::parse_json(b"\"\xff\"").is_err());
    assert!(Doc::new().parse("\u{feff}1").is_err());
}

#[test]
fn lone_surrogates_stay_in_the_text_and_are_replaced_in_values() {
    let text = r#"["\ud83d","\udc00x"]"#;
    let mut doc = Doc::new();
    let root = doc.parse(text).unwrap().root();
    let mut out = Vec::new();
    root.write_json(&mut out);
    assert_eq!(out, text.as_bytes());
    let mut repr = String::new();
    root.write_python_repr(&mut repr);
    assert_eq!(repr, r"['\ud83d', '\udc00x']");
    assert_eq!(root.to_value().to_json(), "[\"\u{fffd}\",\"\u{fffd}x\"]");
}

proptest! {
    #[test]
    fn embedded_json_comes_out_as_it_went_in(value in any_value()) {
        for style in [JsonStyle::COMPACT, JsonStyle::PYTHON] {
            let inner = style.text(&value);
            let outer = style.text(&Value::Str(inner.clone()));
            let mut doc = Doc::new();
            let mut out = "before".to_owned();
            doc.parse(&outer).unwrap().root().write_json_source(&mut out);
            prop_assert_eq!(out, format!("before{inner}"));
        }
    }
}

#[test]
fn a_repeated_key_is_found_among_more_keys_than_are_compared_in_turn() {
    let mut members: Vec<String> = (0..80).map(|at| format!("\"{at}\":{at}")).collect();
    members.push("\"70\":\"again\"".to_owned());
    let value = Value::parse_json(format!("{{{}}}", members.join(",")).as_bytes()).unwrap();
    assert_eq!(value.as_map().unwrap().len(), 80);
    let mut doc = Doc::new();
    let text = format!("{{{}}}", members.join(","));
    let mut out = Vec::new();
    doc.parse(&text).unwrap().root().write_json(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), value.to_json());
}
