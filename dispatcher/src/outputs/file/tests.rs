use super::*;
use crate::outputs::fixtures::{alert_with_record, publication};
use crate::outputs::suite::{Case, LinesCase};

pub(super) fn case() -> Case {
    Case::Lines(LinesCase {
        settings: || serde_json::json!({"path": "out/alerts.jsonl"}),
        file: "out/alerts.jsonl",
    })
}

#[tokio::test]
async fn a_line_is_one_json_object_whatever_the_record_holds() {
    let dir = tempfile::tempdir().unwrap();
    let output = FileOutput::new(dir.path().join("a/alerts.jsonl"));
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    let records = [
        r#"{"a":"line\nbreak\u0000\u2028é"}"#,
        r#"{"n":NaN,"big":123456789012345678901234567890}"#,
    ];
    for (number, record) in (0..).zip(records) {
        let publication = publication(alert_with_record(number, record), "file:a").await;
        output
            .send(&publication, &format!("key-{number}"), deadline)
            .await
            .unwrap();
    }
    let text = std::fs::read_to_string(dir.path().join("a/alerts.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["idempotency_key"], "key-0");
    assert_eq!(lines[0]["record"]["a"], "line\nbreak\0\u{2028}é");
    assert_eq!(lines[1]["record"]["n"], "NaN");
    assert!(text.contains("123456789012345678901234567890"));
    assert_eq!(lines[1]["rule_name"], "cloudtrail_root_login");
}

#[tokio::test]
async fn a_delivery_that_a_former_process_wrote_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    let publication = publication(alert_with_record(1, "{}"), "file:a").await;
    for (key, lines) in [("a", 1), ("a", 1), ("b", 2), ("a", 2)] {
        FileOutput::new(path.clone())
            .send(&publication, key, deadline)
            .await
            .unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), lines);
    }
}
