//! Facts about CPython: what it prints, parses and calls equal.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use streamalert_value::{Value, float_repr, integer_of_float, parse_python_float, parse_python_int};

fn value(json: &str) -> Value {
    Value::parse_json(json.as_bytes()).unwrap()
}

#[test]
fn floats_are_printed_as_repr_prints_them() {
    let cases = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (123_456_789.125, "123456789.125"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e100, "1e+100"),
        (1.234_567_890_123_456_8e29, "1.2345678901234568e+29"),
        (5e-324, "5e-324"),
        (f64::NAN, "nan"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    for (float, expected) in cases {
        assert_eq!(float_repr(float), expected);
    }
}

#[test]
fn str_and_repr_are_those_of_python() {
    let cases = [
        ("true", "True"),
        ("null", "None"),
        ("1e16", "1e+16"),
        ("\"it's\"", "it's"),
        ("[\"it's\"]", "[\"it's\"]"),
        (r#"["it's \"q\""]"#, r#"['it\'s "q"']"#),
        (
            r#"["h\u00e9","\u200b","\ud83d\ude00","\u007f","\u00a0","\n\\"]"#,
            r"['hé', '\u200b', '😀', '\x7f', '\xa0', '\n\\']",
        ),
        (r#"["\udb40\udc01"]"#, r"['\U000e0001']"),
        (
            "{\"a\":1,\"c\":[true,null,{}]}",
            "{'a': 1, 'c': [True, None, {}]}",
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(value(json).python_str(), expected, "{json}");
        let mut doc = streamalert_value::Doc::new();
        let mut text = String::new();
        doc.parse(json).unwrap().root().write_python_str(&mut text);
        assert_eq!(text, expected, "{json} as a node");
    }
}

#[test]
fn int_reads_what_python_reads() {
    let good = [
        (" 42\n", "42"),
        ("+42", "42"),
        ("-0", "0"),
        ("1_000", "1000"),
        ("007", "7"),
        ("0_7", "7"),
        ("٤٢", "42"),
        ("\u{a0}5\u{2003}", "5"),
        (
            "-123456789012345678901234567890",
            "-123456789012345678901234567890",
        ),
        ("𝟗", "9"),
    ];
    for (text, expected) in good {
        assert_eq!(parse_python_int(text).as_deref(), Some(expected), "{text:?}");
    }
    for text in [
        "", " ", "1.5", "1e3", "0x10", "1__0", "_1", "1_", "+ 1", "--1", "²", "½", "1\0", "nan",
    ] {
        assert_eq!(parse_python_int(text), None, "{text:?}");
    }
}

#[test]
fn float_reads_what_python_reads() {
    let good = [
        (" 1.5 ", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000.0_1", 1000.01),
        ("1e1_0", 1e10),
        ("-Infinity", f64::NEG_INFINITY),
        ("iNf", f64::INFINITY),
        ("1e400", f64::INFINITY),
        ("٤.٢", 4.2),
    ];
    for (text, expected) in good {
        assert_eq!(parse_python_float(text), Some(expected), "{text:?}");
    }
    assert!(parse_python_float("-nan").unwrap().is_nan());
    for text in [
        "", ".", "1_e5", "1e", "_1", "1._5", "0x1p3", "infinit", "1 2", "e5",
    ] {
        assert_eq!(parse_python_float(text), None, "{text:?}");
    }
}

#[test]
fn int_of_a_float_is_exact() {
    assert_eq!(integer_of_float(1.9).as_deref(), Some("1"));
    assert_eq!(integer_of_float(-1.9).as_deref(), Some("-1"));
    assert_eq!(integer_of_float(-0.5).as_deref(), Some("0"));
    assert_eq!(integer_of_float(1e23).as_deref(), Some("99999999999999991611392"));
    assert_eq!(integer_of_float(f64::NAN), None);
    assert_eq!(integer_of_float(f64::INFINITY), None);
}

#[test]
fn numbers_are_equal_across_types_and_dictionaries_across_orders() {
    let equal = [
        ("1", "1.0"),
        ("1", "true"),
        ("0", "false"),
        ("-0.0", "0"),
        ("100000000000000000000", "1e20"),
        ("[1, true]", "[true, 1.0]"),
        ("{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":true}"),
        ("Infinity", "1e999"),
    ];
    let key = |value: &Value| {
        let mut out = Vec::new();
        value.equality_key(&mut out);
        out
    };
    for (one, two) in equal {
        let (one, two) = (value(one), value(two));
        assert!(one.python_eq(&two) && key(&one) == key(&two), "{one:?} {two:?}");
        assert!(!one.same(&two) || one.to_json() == two.to_json());
    }
    for (one, two) in [
        ("1", "\"1\""),
        ("null", "false"),
        ("[]", "{}"),
        ("[1]", "[1,1]"),
        ("\"\"", "null"),
        ("0.1", "0"),
    ] {
        let (one, two) = (value(one), value(two));
        assert!(!one.python_eq(&two) && key(&one) != key(&two), "{one:?} {two:?}");
    }
    assert!(!value("NaN").python_eq(&value("NaN")));
}

#[test]
fn truth_is_that_of_python() {
    for falsy in [
        "null", "false", "0", "-0", "0.0", "-0.0", "0e5", "\"\"", "[]", "{}",
    ] {
        assert!(!value(falsy).is_truthy(), "{falsy}");
        let mut doc = streamalert_value::Doc::new();
        assert!(!doc.parse(falsy).unwrap().root().is_truthy(), "{falsy} as a node");
    }
    for truthy in [
        "true",
        "1",
        "-1",
        "0.1",
        "NaN",
        "\"0\"",
        "[0]",
        "{\"a\":0}",
        "123456789012345678901234567890",
    ] {
        assert!(value(truthy).is_truthy(), "{truthy}");
        let mut doc = streamalert_value::Doc::new();
        assert!(
            doc.parse(truthy).unwrap().root().is_truthy(),
            "{truthy} as a node"
        );
    }
}
