//! How alerts look in the media of people, kept in files: one with everything, a merged one, and one whose log was
//! written by an attacker.

use std::path::Path;

use serde_json::{Value as Json, json};
use streamalert_types::Alert;
use streamalert_value::Value;

use crate::Publication;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};

const DESCRIPTION: &str = "
    author:      us
    description: Somebody signed in to the console as root.
    severity:    critical
    playbook:    https://wiki.example.com/playbooks/root-login
    ";

/// An alert that has everything that a card can show.
pub(crate) async fn rich(output: &str) -> Publication {
    let record = json!({
        "eventName": "ConsoleLogin", "eventTime": "2026-01-31T07:58:41Z", "sourceIPAddress": "203.0.113.7",
        "awsRegion": "eu-central-1", "userAgent": "Mozilla/5.0",
        "userIdentity": {"type": "Root", "arn": "arn:aws:iam::123456789012:root", "accountId": "123456789012"},
        "additionalEventData": {"MFAUsed": "No"}, "responseElements": {"ConsoleLogin": "Success"},
    });
    let described = Alert {
        rule_description: DESCRIPTION.into(),
        context: Value::parse_json(r#"{"team": "cloud", "on_call": "Jürgen Łukasz"}"#.as_bytes()).unwrap(),
        ..alert_with_record(1, &record.to_string())
    };
    publication(described, output).await
}

/// An alert that twelve were merged into.
pub(crate) async fn merged(output: &str) -> Publication {
    let record = json!({
        "AlertCount": 12, "AlertTimeFirst": "2026-01-31T07:40:00.000000Z",
        "AlertTimeLast": "2026-01-31T07:58:30.000000Z", "MergedBy": {"sourceIPAddress": "203.0.113.7"},
        "OtherCommonKeys": {"eventName": "ConsoleLogin", "awsRegion": "eu-central-1"},
        "ValueDiffs": {"00000000-0000-0000-0000-000000000002": {"eventTime": "2026-01-31T07:40:00Z"}},
    });
    let described = Alert {
        rule_description: DESCRIPTION.replace("critical", "medium").into(),
        ..alert_with_record(1, &record.to_string())
    };
    publication(described, output).await
}

/// Markup of all kinds, in everything that an attacker can write.
pub(crate) const HOSTILE: &str =
    "@everyone <!channel> <@1> [click](https://evil.example) **x** `y` <b>z</b> ```\u{202e}|";

/// An alert out of such a log.
pub(crate) async fn hostile(output: &str) -> Publication {
    let record = json!({
        "eventName": HOSTILE, HOSTILE: HOSTILE, "userName": "line one\nline two",
        "AlertCount": 2, "AlertTimeFirst": HOSTILE, "AlertTimeLast": HOSTILE,
        "MergedBy": {HOSTILE: HOSTILE, "eventName": HOSTILE}, "OtherCommonKeys": {},
    });
    let context = json!({"context": {"note": HOSTILE, HOSTILE: "x"}, "rule_description": HOSTILE});
    magic(
        publication(alert_with_record(1, &record.to_string()), output).await,
        context,
    )
}

/// An alert in which every text is as long as can be.
pub(crate) async fn endless(output: &str) -> Publication {
    let long = "é😀<&\"".repeat(2000);
    let names = |count: usize| -> Json {
        let fields = (0..count).map(|at| (format!("{at}{long}"), json!(long)));
        Json::Object(fields.collect())
    };
    let wordy = Alert {
        rule_name: long.as_str().into(),
        rule_description: format!("{long}\nplaybook: https://x.example/{}", "p".repeat(1900)).into(),
        log_source: long.as_str().into(),
        source_entity: long.as_str().into(),
        ..alert(1)
    };
    let context = json!({"context": names(30), "record": names(30), "streamalert_publisher_error": long});
    magic(publication(wordy, output).await, context)
}

/// Compares the three layouts of a service with its files.
pub(crate) async fn recorded(service: &str, layout: impl Fn(&Publication) -> Vec<u8>) {
    let output = format!("{service}:a");
    let alerts = [
        ("alert", rich(&output).await),
        ("merged", merged(&output).await),
        ("hostile", hostile(&output).await),
    ];
    for (name, publication) in alerts {
        let body: Json = serde_json::from_slice(&layout(&publication)).expect("a layout is json");
        let text = serde_json::to_string_pretty(&body).expect("json that was read can be written") + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/layouts")
            .join(format!("{service}-{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == kept,
            "{service} {name}: run again with UPDATE_GOLDEN=1 if this is meant\n{text}"
        );
    }
}
