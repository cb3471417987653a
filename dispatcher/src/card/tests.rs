use serde_json::json;
use streamalert_types::Alert;

use super::text::{first_line, title};
use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};

#[test]
fn the_first_line_is_that_of_the_description_if_there_is_one() {
    let docstring =
        "\n    author:      airbnb\n    description: Alert on root logins.\n                 More.\n";
    assert_eq!(first_line(docstring), "Alert on root logins.");
    assert_eq!(first_line("\nDescription:\n  Below.\n"), "Below.");
    assert_eq!(
        first_line("\n\n  Somebody did it.\n author: x"),
        "Somebody did it."
    );
    assert_eq!(first_line("author: x\ndescription:\n"), "author: x");
    assert_eq!(first_line("ééééééééé: x"), "ééééééééé: x");
    assert_eq!(first_line(" \n"), "");
}

#[test]
fn titles_read_like_sentences() {
    assert_eq!(title("cloudtrail_root_login"), "Cloudtrail root login");
    assert_eq!(title("__"), "Alert");
}

#[tokio::test]
async fn a_card_says_what_happened_where_and_what_to_do() {
    let described = Alert {
        rule_description: "\n  author: us\n  description: Somebody used root.\n  severity: High\n  \
            playbook: https://wiki.example/root (all of it)\n"
            .into(),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
        ..alert(1)
    };
    let mut publication = publication(described, "slack:a").await;
    publication.links = Arc::new(LinkTemplates {
        alert: Some("https://console.example/alerts/{id}".to_owned()),
        trace: Some("https://traces.example/{trace}".to_owned()),
    });
    let card = publication.card();
    assert_eq!(
        (card.title.as_str(), card.severity),
        ("Cloudtrail root login", Severity::High)
    );
    assert_eq!(card.headline(), "Cloudtrail root login: Somebody used root.");
    assert_eq!(
        card.facts[0],
        Fact {
            name: "eventName".to_owned(),
            value: "ConsoleLogin".to_owned()
        }
    );
    let links: Vec<(&str, &str)> = card
        .links
        .iter()
        .map(|link| (link.text, link.url.as_str()))
        .collect();
    let console = format!("https://console.example/alerts/{}", alert(1).id);
    let trace = "https://traces.example/0af7651916cd43dd8448eb211c80319c";
    assert_eq!(
        links,
        [
            ("Playbook", "https://wiki.example/root"),
            ("Alert", &console),
            ("Trace", trace)
        ]
    );
    assert_eq!(card.origin[..3], ["cloudtrail:events", "stream", "prod"]);
    assert!(card.record_text().contains("ConsoleLogin"));
}

#[tokio::test]
async fn severity_is_what_the_nearest_one_said() {
    let severity = async |fields| {
        magic(publication(alert(1), "slack:a").await, fields)
            .card()
            .severity
    };
    assert_eq!(severity(json!({})).await, Severity::Unknown);
    assert_eq!(
        severity(json!({"context": {"severity": "warning"}})).await,
        Severity::Medium
    );
    assert_eq!(
        severity(json!({"context": {"severity": "low"}, "severity": "CRITICAL"})).await,
        Severity::Critical
    );
    assert_eq!(severity(json!({"severity": "purple"})).await, Severity::Unknown);
}

#[tokio::test]
async fn links_that_are_no_web_pages_are_left_out() {
    for line in ["javascript:alert(1)", "see the wiki", "file:///etc/passwd", ""] {
        let rule_description = format!("x\nplaybook: {line}\n").into();
        let card = publication(
            Alert {
                rule_description,
                ..alert(1)
            },
            "slack:a",
        )
        .await
        .card();
        assert!(card.links.is_empty(), "{line}: {:?}", card.links);
    }
}

#[tokio::test]
async fn a_merged_alert_says_how_many_and_over_what_time() {
    let record = json!({
        "AlertCount": 12, "AlertTimeFirst": "2020-01-01T00:00:00.000000Z",
        "AlertTimeLast": "2020-01-01T00:03:30.000000Z", "MergedBy": {"sourceIPAddress": "10.0.0.1"},
        "OtherCommonKeys": {"eventName": "X"}, "ValueDiffs": {},
    });
    let card = publication(alert_with_record(1, &record.to_string()), "slack:a")
        .await
        .card();
    let merged = card.merged.unwrap();
    assert_eq!(
        (merged.title().as_str(), merged.span_secs),
        ("12 alerts merged", Some(210))
    );
    assert!(merged.span().ends_with("(3 min)"));
    assert_eq!(card.facts.len(), 2);
}
