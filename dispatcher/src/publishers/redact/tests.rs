use super::*;
use crate::outputs::fixtures::{alert, publication};

fn lists(keys: &[&str], values: &[&str], classes: &[&str]) -> RedactionSettings {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    RedactionSettings {
        keys: owned(keys),
        values: owned(values),
        classes: owned(classes),
        outputs: Vec::new(),
    }
}

fn redacted(settings: &RedactionSettings, json: &str) -> String {
    let value = Value::parse_json(json.as_bytes()).unwrap();
    Redaction::new(settings).unwrap().apply(value).to_json()
}

#[test]
fn fields_are_found_by_their_names_at_any_depth_and_their_whole_value_goes() {
    let settings = lists(&["*password*", "Authorization", "/^x-.*-token$/"], &[], &[]);
    for (json, expected) in [
        (
            r#"{"record":{"userPassword":"a","n":1}}"#,
            r#"{"record":{"userPassword":"[redacted]","n":1}}"#,
        ),
        (
            r#"{"headers":[{"AUTHORIZATION":["a","b"]},{"X-Api-Token":{"a":1}}]}"#,
            r#"{"headers":[{"AUTHORIZATION":"[redacted]"},{"X-Api-Token":"[redacted]"}]}"#,
        ),
        // what `enumerate-fields` made of it
        (
            r#"{"record.authorization[0]":"a","record.authorizations":"b"}"#,
            r#"{"record.authorization[0]":"[redacted]","record.authorizations":"b"}"#,
        ),
        (
            r#"{"x-token":"kept","x-token-y":"kept"}"#,
            r#"{"x-token":"kept","x-token-y":"kept"}"#,
        ),
    ] {
        assert_eq!(redacted(&settings, json), expected);
    }
}

#[test]
fn a_name_with_a_dot_is_a_path_from_the_top() {
    let settings = lists(&["record.user.*"], &[], &[]);
    assert_eq!(
        redacted(
            &settings,
            r#"{"record":{"user":{"id":1},"x":{"user":{"id":2}}},"user":{"id":3}}"#
        ),
        r#"{"record":{"user":{"id":"[redacted]"},"x":{"user":{"id":2}}},"user":{"id":3}}"#
    );
    assert_eq!(
        redacted(&settings, r#"{"record.user.id":1}"#),
        r#"{"record.user.id":"[redacted]"}"#
    );
}

#[test]
fn parts_of_texts_go_and_where_a_pattern_has_groups_only_these() {
    let settings = lists(&[], &[r"EMP-\d+", r"(?i)pin=(\d+)"], &[]);
    assert_eq!(
        redacted(
            &settings,
            r#"{"record":{"a":"EMP-17 and EMP-18","b":["PIN=1234;pin=5"],"c":"EMP-"}}"#
        ),
        r#"{"record":{"a":"[redacted] and [redacted]","b":["PIN=[redacted];pin=[redacted]"],"c":"EMP-"}}"#
    );
}

#[test]
fn each_class_finds_what_it_says_and_not_what_looks_alike() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY----- rest";
    let token = format!("ghp_{}", "a1".repeat(18));
    for (class, found, expected) in [
        ("credit-card", "card 4111 1111 1111 1111.", "card [redacted]."),
        ("credit-card", "5500-0055-5555-5559", "[redacted]"),
        ("credit-card", "4111111111111112 order", "4111111111111112 order"),
        ("iban", "to DE89 3704 0044 0532 0130 00", "to [redacted]"),
        ("us-ssn", "078-05-1120", "[redacted]"),
        ("email", "from a.b+c@mail.example.com!", "from [redacted]!"),
        ("email", "user@host", "user@host"),
        ("aws-access-key", "key AKIAIOSFODNN7EXAMPLE", "key [redacted]"),
        (
            "aws-secret-key",
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key = [redacted]",
        ),
        ("jwt", "t=eyJhbGciOiJIUzI1.eyJzdWIiOiIx.SflKxw", "t=[redacted]"),
        ("private-key", key, "[redacted] rest"),
        (
            "bearer-token",
            "Authorization: Bearer abcdef123456",
            "Authorization: Bearer [redacted]",
        ),
        (
            "url-password",
            "https://me:s3cret@host/x",
            "https://me:[redacted]@host/x",
        ),
        ("slack-token", "xoxb-123456789012-abc", "[redacted]"),
        ("github-token", &token, "[redacted]"),
    ] {
        let shown = redacted(&lists(&[], &[], &[class]), &format!("{{\"record\":\"{found}\"}}"));
        assert_eq!(shown, format!("{{\"record\":\"{expected}\"}}"), "{class}");
    }
}

#[test]
fn numbers_are_looked_at_and_what_tells_the_alert_is_not() {
    let settings = lists(&["id", "rule_name"], &["cloudtrail"], &["credit-card"]);
    assert_eq!(
        redacted(
            &settings,
            r#"{"id":"x","rule_name":"cloudtrail_x","record":{"id":7,"card":4111111111111111,"n":12}}"#
        ),
        r#"{"id":"x","rule_name":"cloudtrail_x","record":{"id":"[redacted]","card":"[redacted]","n":12}}"#
    );
    // the names of magic fields are not those of a log
    assert_eq!(
        redacted(&lists(&["*text*"], &[], &[]), r#"{"@slack.text":"a","text":"b"}"#),
        r#"{"@slack.text":"a","text":"[redacted]"}"#
    );
}

#[tokio::test]
async fn what_is_redacted_is_on_no_card() {
    let mut publication = publication(alert(1), "slack:a").await;
    publication.body = Redaction::new(&lists(&["arn"], &["Console"], &[]))
        .unwrap()
        .apply(publication.body);
    let card = format!("{:?}", publication.card());
    assert!(card.contains("[redacted]Login"), "{card}");
    assert!(!card.contains("arn:aws") && !card.contains("Console"), "{card}");
}

#[test]
fn a_pattern_that_would_take_long_elsewhere_takes_no_longer_here() {
    let settings = lists(&[], &["(a+)+$"], &[]);
    let text = format!("{{\"record\":\"{}b\"}}", "a".repeat(50_000));
    assert_eq!(redacted(&settings, &text), text);
}

#[test]
fn what_is_no_pattern_is_told_with_its_list() {
    for (settings, list, says) in [
        (lists(&["/(/"], &[], &[]), "keys", "no pattern"),
        (lists(&[""], &[], &[]), "keys", "empty"),
        (lists(&[], &["a(?=b)"], &[]), "values", "look-around"),
        (lists(&[], &["x*"], &[]), "values", "nothing at all"),
        (lists(&[], &["a{1000}{1000}"], &[]), "values", "no pattern"),
        (lists(&[], &[], &["creditcard"]), "classes", "credit-card"),
    ] {
        let error = Redaction::new(&settings).err().unwrap();
        assert!(error.list == list && error.message.contains(says), "{error:?}");
    }
}

#[test]
fn outputs_are_named_one_by_one_by_service_or_all_but_the_history() {
    let is_for = |wanted: &str, output: &str| {
        let settings = RedactionSettings {
            outputs: vec![wanted.to_owned()],
            ..RedactionSettings::default()
        };
        Redaction::new(&settings)
            .unwrap()
            .is_for(&output.parse().unwrap())
    };
    assert!(is_for("slack:a", "slack:a") && !is_for("slack:a", "slack:b"));
    assert!(is_for("slack", "slack:b") && !is_for("slack", "jira:b"));
    assert!(is_for("*", "jira:b") && !is_for("*", "aws-firehose:alerts"));
    assert!(is_for("aws-firehose", "aws-firehose:alerts"));
}
