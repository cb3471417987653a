use super::*;

/// As StreamAlert writes it.
const WRITTEN: &str = r#"{
  "aws-firehose": {
    "alerts": "acme_streamalert_alerts"
  },
  "aws-s3": {
    "sample-bucket": "acme-sample"
  },
  "pagerduty": [
    "sample-integration"
  ],
  "slack": [
    "sample-channel"
  ]
}
"#;

fn name(text: &str) -> OutputName {
    text.parse().unwrap()
}

fn with(text: &str, output: &str, value: Option<&str>) -> String {
    let (changed, _) = with_output(text, &name(output), value).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&changed).unwrap();
    let entry = &parsed[name(output).service()];
    let named = match entry {
        serde_json::Value::Array(list) => list.contains(&name(output).descriptor().into()),
        other => other.get(name(output).descriptor()).is_some(),
    };
    assert!(named, "{changed}");
    changed
}

fn without(text: &str, output: &str) -> String {
    let changed = without_output(text, &name(output)).unwrap().unwrap();
    serde_json::from_str::<serde_json::Value>(&changed).unwrap();
    changed
}

#[test]
fn an_output_more_changes_its_lines_only_and_an_output_less_takes_them_back() {
    let lines = |text: &str| text.lines().count();
    for (output, value, more) in [
        ("slack:security", None, 1),
        ("slack:a", None, 1),
        ("teams:soc", None, 3),
        ("carbonblack:x", None, 3),
        ("aws-s3:other", Some("other-bucket"), 1),
        ("aws-sqs:queue", Some("https://sqs/1/q"), 3),
        ("aws-cloudwatch-log:default", None, 3),
    ] {
        let changed = with(WRITTEN, output, value);
        assert_eq!(lines(&changed), lines(WRITTEN) + more, "{changed}");
        assert_eq!(without(&changed, output), WRITTEN);
    }
    let changed = with(WRITTEN, "slack:security", None);
    let expected = WRITTEN.replace("\"sample-channel\"\n", "\"sample-channel\",\n    \"security\"\n");
    assert_eq!(changed, expected);
    let changed = with(WRITTEN, "opsgenie:soc", None);
    assert!(
        changed.contains("  \"opsgenie\": [\n    \"soc\"\n  ],\n  \"pagerduty\""),
        "{changed}"
    );
}

#[test]
fn the_way_a_file_is_written_is_kept() {
    for (before, output, after) in [
        ("{}", "slack:a", "{\n  \"slack\": [\n    \"a\"\n  ]\n}"),
        ("{\n}\n", "slack:a", "{\n  \"slack\": [\n    \"a\"\n  ]\n}\n"),
        (r#"{"slack": ["a"]}"#, "slack:b", r#"{"slack": ["a", "b"]}"#),
        (
            "{\n  \"slack\": [\"a\", \"b\"]\n}\n",
            "file:x",
            "{\n  \"file\": [\"x\"],\n  \"slack\": [\"a\", \"b\"]\n}\n",
        ),
        (
            r#"{"slack":["a"]}"#,
            "file:x",
            r#"{"file": ["x"], "slack":["a"]}"#,
        ),
        (
            r#"{"teams": ["z"], "slack": ["a"]}"#,
            "file:x",
            r#"{"teams": ["z"], "slack": ["a"], "file": ["x"]}"#,
        ),
        (
            "{\n\t\"slack\": []\n}",
            "slack:a",
            "{\n\t\"slack\": [\n\t\t\"a\"\n\t]\n}",
        ),
        (
            "{\r\n    \"slack\": [\r\n        \"b\"\r\n    ]\r\n}",
            "slack:a",
            "{\r\n    \"slack\": [\r\n        \"a\",\r\n        \"b\"\r\n    ]\r\n}",
        ),
        (
            r#"{"slack": ["a"]}"#,
            r#"slack:quo"te"#,
            r#"{"slack": ["a", "quo\"te"]}"#,
        ),
        (
            r#"{"x": ["]},\"", "}"], "slack": ["a"]}"#,
            "slack:b",
            r#"{"x": ["]},\"", "}"], "slack": ["a", "b"]}"#,
        ),
    ] {
        assert_eq!(with(before, output, None), after);
    }
}

#[test]
fn a_value_is_given_where_the_service_has_values_and_not_in_a_list() {
    let bucket = name("aws-s3:a");
    let (changed, given) = with_output(r#"{"aws-s3": {"a": "old"}}"#, &bucket, Some("new")).unwrap();
    assert_eq!((changed.as_str(), given), (r#"{"aws-s3": {"a": "new"}}"#, true));
    let (changed, given) = with_output(r#"{"aws-s3": ["b"]}"#, &bucket, Some("new")).unwrap();
    assert_eq!((changed.as_str(), given), (r#"{"aws-s3": ["a", "b"]}"#, false));
    let (changed, given) = with_output(r#"{"slack": {"b": null}}"#, &name("slack:a"), None).unwrap();
    assert_eq!(
        (changed.as_str(), given),
        (r#"{"slack": {"a": null, "b": null}}"#, true)
    );
    let same = r#"{"slack": ["a"]}"#;
    assert_eq!(
        with_output(same, &name("slack:a"), None).unwrap(),
        (same.to_owned(), false)
    );
}

#[test]
fn the_first_the_last_and_the_only_one_can_go() {
    let text = r#"{"slack": ["a", "b", "c"], "file": {"x": null}}"#;
    assert_eq!(
        without(text, "slack:a"),
        r#"{"slack": ["b", "c"], "file": {"x": null}}"#
    );
    assert_eq!(
        without(text, "slack:c"),
        r#"{"slack": ["a", "b"], "file": {"x": null}}"#
    );
    assert_eq!(without(text, "file:x"), r#"{"slack": ["a", "b", "c"]}"#);
    assert_eq!(without("{\n  \"slack\": [\"a\"]\n}\n", "slack:a"), "{}\n");
    for missing in ["slack:d", "teams:a"] {
        assert_eq!(without_output(text, &name(missing)).unwrap(), None);
    }
}

#[test]
fn what_is_no_such_file_is_refused_and_not_made_worse() {
    for broken in [
        "",
        "[]",
        "{",
        r#"{"slack": "a"}"#,
        r#"{"slack": ["a""#,
        r#"{"slack": ["a"]"#,
        "{\"slack",
    ] {
        assert!(with_output(broken, &name("slack:b"), None).is_err(), "{broken}");
    }
}

#[test]
fn the_file_is_replaced_as_a_whole_keeps_its_permissions_and_may_be_a_link() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (conf, elsewhere) = (dir.path().join("conf"), dir.path().join("elsewhere.json"));
    std::fs::create_dir(&conf).unwrap();
    assert_eq!(read(&conf).unwrap(), "{}\n");
    write(&conf, "{}").unwrap();
    let file = conf.join("outputs.json");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o644);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&elsewhere, "{}").unwrap();
    std::fs::set_permissions(&elsewhere, PermissionsExt::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    write(&conf, "{ }").unwrap();
    assert!(file.is_symlink());
    assert_eq!(
        (
            std::fs::read_to_string(&elsewhere).unwrap().as_str(),
            mode(&elsewhere)
        ),
        ("{ }", 0o600)
    );
    assert_eq!(std::fs::read_dir(&conf).unwrap().count(), 1);
}
