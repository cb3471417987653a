use streamalert_schema::Body;

use super::*;

fn read(event: &str) -> TestEvent {
    let document = Located::parse("rules/x.json", &format!("[\n{event}]")).unwrap();
    let event = document.value().as_list().unwrap()[0].clone();
    TestEvent::read(&document, &["0"], 1, &event, &Helpers::at(0))
}

fn content(more: &str) -> Content {
    let event = format!(r#"{{"description": "d", "log": "l", "service": "kinesis", "source": "s"{more}}}"#);
    read(&event)
        .content
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn messages(event: &str) -> Vec<String> {
    read(event)
        .content
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn data_reaches_each_service_in_its_wrapping() {
    let definition = Value::parse_json(b"{\"schema\": {\"a\": \"integer\", \"b\": \"string\"}}").unwrap();
    let definition = Some(&definition);
    let body = |service: &str, more: &str| {
        let mut content = content(&format!(r#", "trigger_rules": []{more}"#));
        content.service = service.to_owned();
        let input = content.payload(definition, []).unwrap();
        match input.body() {
            Body::Packed(bytes) | Body::Object(bytes) | Body::Line(bytes) => {
                if bytes.starts_with(&[0x1f, 0x8b]) {
                    "gzip".into()
                } else {
                    String::from_utf8_lossy(bytes).into_owned()
                }
            }
            Body::Text(text) => format!("text {text}"),
            Body::Logs(logs) => format!("logs {}", Value::List(logs.to_vec()).to_json()),
        }
    };
    let data = r#", "data": {"a": 1, "t": "é"}"#;
    assert_eq!(body("kinesis", data), r#"{"a":1,"t":"é"}"#);
    assert_eq!(body("kinesis", r#", "data": "plain", "compress": true"#), "gzip");
    assert_eq!(body("s3", r#", "data": "plain""#), "plain");
    assert_eq!(body("sns", r#", "data": "plain""#), "text plain");
    assert_eq!(
        body("streamalert_app", r#", "data": "plain""#),
        r#"logs ["plain"]"#
    );
    assert_eq!(
        body("kinesis", r#", "data": "x", "override_record": {"b": "y"}"#),
        r#"{"a":0,"b":"y"}"#
    );
}

#[test]
fn everything_missing_is_told_at_once_with_file_and_line() {
    let told = messages("\n{\"description\": \"d\"}");
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(
        told.iter()
            .all(|message| message.starts_with("rules/x.json:3:1: ")),
        "{told:?}"
    );
    for key in [
        "\"log\"",
        "\"service\"",
        "\"source\"",
        "\"data\"",
        "\"trigger_rules\"",
    ] {
        assert!(
            told.iter().any(|message| message.contains(key)),
            "{key} is not in {told:?}"
        );
    }
    assert!(messages("7")[0].contains("a test event is an object"));
}

#[test]
fn values_of_the_wrong_form_are_named_with_their_line() {
    let told = messages(
        "{\"description\": \"d\", \"log\": \"l\", \"source\": \"s\",\n\"service\": \"ftp\",\n\"data\": [1],\n\
         \"trigger_rules\": \"r\",\n\"publisher_tests\": [1]}",
    );
    let starts = [
        "rules/x.json:3:1: service: ",
        "rules/x.json:4:1: data: ",
        "rules/x.json:5:1: trigger_rules: ",
    ];
    for (message, start) in told.iter().zip(starts) {
        assert!(message.starts_with(start), "{told:?}");
    }
    assert!(
        told[3].starts_with("rules/x.json:6:1: publisher_tests: "),
        "{told:?}"
    );
}

#[test]
fn unknown_keys_are_noted_and_the_nearest_key_is_named() {
    let content = content(r#", "data": "x", "trigger_rules": [], "publisher_test": {}, "ticket": 7"#);
    assert_eq!(
        content.notes,
        [
            "the key \"publisher_test\" means nothing; did you mean \"publisher_tests\"?",
            "the key \"ticket\" means nothing"
        ]
    );
}

#[test]
fn an_event_that_is_only_classified_needs_no_rules_and_older_names_are_understood() {
    assert!(content(r#", "data": "x", "classify_only": true"#).classify_only);
    assert!(content(r#", "data": "x", "validate_schema_only": true"#).classify_only);
    let event = r#"{"description": "d", "log": "l", "service": "stream_alert_app", "source": "s", "data": "x",
        "trigger_rules": ["b", "a", "b"]}"#;
    let content = read(event).content.unwrap();
    assert_eq!(content.service, "streamalert_app");
    assert_eq!(content.trigger_rules.into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn skipped_publisher_tests_are_not_even_read() {
    let tests = r#", "data": "x", "trigger_rules": [], "publisher_tests": {"slack:a": [["a", "is", 1]]}"#;
    assert_eq!(content(tests).publisher_tests.len(), 1);
    assert!(
        content(&format!(r#"{tests}, "skip_publishers": true"#))
            .publisher_tests
            .is_empty()
    );
}

#[test]
fn an_unknown_log_type_is_an_error_at_its_line() {
    let error = content(r#", "data": "x", "trigger_rules": []"#)
        .payload(None, ["k:l", "ll"])
        .unwrap_err();
    assert_eq!(error.line, 2);
    assert!(
        error
            .to_string()
            .contains("no schema defines the log type \"l\"; did you mean \"ll\"?"),
        "{error}"
    );
}
