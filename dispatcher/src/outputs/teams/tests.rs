use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::Publication;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts, within};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": format!("{base}/workflows/0a/triggers/manual/paths/invoke?api-version=2016-06-01&sig={PLANTED}")});
    let identity = |request: &ReceivedRequest| {
        let message = json_of(request);
        let body = message["attachments"][0]["content"]["body"].as_array()?;
        Some(body.last()?["id"].as_str()?.to_owned())
    };
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(202, "")),
        body_bytes_max: request::MESSAGE_BYTES_MAX,
        ..HttpCase::new(settings, check, identity)
    })
}

/// What "Create incoming webhooks" and the schema of Adaptive Cards document.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.method, "POST");
    assert!(request.path.starts_with("/workflows/") && request.path.ends_with(PLANTED));
    check_message(&json_of(request));
}

fn check_message(message: &Json) {
    assert_eq!(message["type"], "message");
    let attachment = &message["attachments"][0];
    assert_eq!(
        attachment["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    let card = &attachment["content"];
    assert_eq!(
        (&card["type"], &card["version"]),
        (&json!("AdaptiveCard"), &json!("1.4"))
    );
    within(card, "/fallbackText", 300);
    check_elements(&card["body"]);
    assert!(card["actions"].as_array().unwrap().len() <= 6);
}

fn check_elements(elements: &Json) {
    for element in elements.as_array().unwrap() {
        match element["type"].as_str().unwrap() {
            "Container" => {
                let styles = ["default", "emphasis", "good", "attention", "warning", "accent"];
                let style = element["style"].as_str().unwrap_or("default");
                assert!(styles.contains(&style), "{style}");
                check_elements(&element["items"]);
            }
            "ColumnSet" => {
                for column in element["columns"].as_array().unwrap() {
                    check_elements(&column["items"]);
                }
            }
            "RichTextBlock" => {
                for run in element["inlines"].as_array().unwrap() {
                    assert!(run["type"] == "TextRun" && run["text"].is_string());
                }
            }
            "TextBlock" => assert!(element["text"].is_string()),
            "CodeBlock" => assert!(element["codeSnippet"].is_string() && element["fallback"].is_object()),
            other => panic!("an element {other}"),
        }
    }
}

fn message(publication: &Publication) -> Json {
    let bytes = request::message(publication, "the-key");
    assert!(bytes.len() <= request::MESSAGE_BYTES_MAX, "{}", bytes.len());
    let message = serde_json::from_slice(&bytes).unwrap();
    check_message(&message);
    message
}

#[tokio::test]
async fn cards_look_as_recorded() {
    layouts::recorded("teams", |publication| request::message(publication, "the-key")).await;
}

#[tokio::test]
async fn a_log_has_no_markdown_and_an_endless_alert_fits() {
    let text = message(&layouts::hostile("teams:a").await).to_string();
    assert!(
        !text.contains("TextBlock\",\"text\"") && !text.contains("<at>"),
        "{text}"
    );
    let text = message(&layouts::endless("teams:a").await).to_string();
    assert!(
        text.contains("the whole alert") && text.contains("more fields"),
        "{text}"
    );
}

#[tokio::test]
async fn magic_fields_of_streamalert_are_honoured() {
    let fields = json!({
        "@teams.title": "Mine", "@teams.description": "with **stars**", "@teams.card_color": "#46C41F",
        "@teams.with_record": false,
        "@teams.additional_card_sections": [
            {"activityTitle": "Who", "facts": [{"name": "n", "value": "v"}]},
            {"type": "TextBlock", "text": "raw"}, "nonsense", {},
        ],
    });
    let message = message(&magic(publication(alert(1), "teams:a").await, fields));
    let card = &message["attachments"][0]["content"];
    assert_eq!(card["body"][0]["style"], "good");
    assert_eq!(card["body"][0]["items"][0]["inlines"][0]["text"], "Mine");
    assert_eq!(card["body"][1]["text"], "with **stars**");
    let text = card.to_string();
    assert!(text.contains("\"Who\"") && text.contains("\"raw\"") && !text.contains("CodeBlock"));
    assert!(
        !text.contains("nonsense") && !text.contains("ToggleVisibility"),
        "{text}"
    );
}

#[tokio::test]
async fn sections_that_are_too_large_are_left_out_visibly() {
    let fields = json!({"@teams.additional_card_sections": {"text": "x".repeat(40_000)}});
    let text = message(&magic(publication(alert(1), "teams:a").await, fields)).to_string();
    assert!(text.contains("1 sections of publishers left out"), "{text}");
}

#[test]
fn colours_become_the_nearest_style() {
    for (colour, style) in [
        ("E81123", Some("attention")),
        ("#FFB900", Some("warning")),
        ("00ff00", Some("good")),
        ("0078D7", Some("accent")),
        ("777777", Some("emphasis")),
        ("red", None),
        ("éééé", None),
    ] {
        assert_eq!(request::style_of_colour(colour), style, "{colour}");
    }
}

#[test]
fn an_error_within_a_good_answer_counts() {
    let failed = |status: u16| {
        let body = format!(
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} with ContextId tcid=0"
        );
        response::judge(&Answer::of(200, &body)).unwrap_err()
    };
    assert!(failed(429).is_retryable() && failed(500).is_retryable());
    assert!(!failed(413).is_retryable() && !failed(403).is_retryable());
    assert!(response::judge(&Answer::of(200, "1")).is_ok());
}
