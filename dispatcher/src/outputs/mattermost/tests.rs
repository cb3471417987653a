use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts, within};
use crate::{Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": format!("{base}/hooks/{PLANTED}"), "channel": "alerts"});
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::ok()),
        refusal: |body| {
            let error = json!({"id": "web.incoming_webhook.invalid", "message": body, "status_code": 400});
            Reply::status(400, &error.to_string())
        },
        ..HttpCase::new(settings, check, |request| {
            Some(json_of(request)["props"]["streamalert_key"].as_str()?.to_owned())
        })
    })
}

/// What "Incoming webhooks" and "Message attachments" document.
fn check(request: &ReceivedRequest) {
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", &*format!("/hooks/{PLANTED}"))
    );
    let message = json_of(request);
    assert_eq!(message["channel"], "alerts");
    check_message(&message);
}

fn check_message(message: &Json) {
    let attachment = &message["attachments"][0];
    for (pointer, max) in [("/fallback", 300), ("/title", 200), ("/footer", 600)] {
        within(attachment, pointer, max);
    }
    let colour = attachment["color"].as_str().unwrap();
    assert!(colour.len() == 7 && colour.starts_with('#'));
    for field in attachment["fields"].as_array().unwrap() {
        assert!(field["title"].is_string() && field["value"].is_string() && field["short"].is_boolean());
    }
    assert!(attachment.to_string().encode_utf16().count() <= request::MESSAGE_CHARS_MAX);
    within(message, "/props/card", request::MESSAGE_CHARS_MAX);
}

fn message(publication: &Publication) -> Json {
    let config = config::Config {
        url: Secret::new("https://x.example".to_owned()),
        channel: None,
        username: Some("Guard".to_owned()),
    };
    request::message(&config, publication, "the-key")
}

#[tokio::test]
async fn attachments_look_as_recorded() {
    let bytes = |publication: &Publication| serde_json::to_vec(&message(publication)).unwrap();
    layouts::recorded("mattermost", bytes).await;
}

#[tokio::test]
async fn a_log_has_no_markdown_and_an_endless_alert_fits() {
    let hostile = message(&layouts::hostile("mattermost:a").await);
    check_message(&hostile);
    let attachment = &hostile["attachments"][0];
    let text = attachment["text"].as_str().unwrap();
    assert!(
        !text.contains("[click](") && !text.contains("@everyone\\"),
        "{text}"
    );
    for field in attachment["fields"].as_array().unwrap() {
        let value = field["value"].as_str().unwrap();
        assert!(value.starts_with('`') && value.ends_with('`') && value.matches('`').count() == 2);
    }
    let endless = message(&layouts::endless("mattermost:a").await);
    check_message(&endless);
    let text = endless.to_string();
    assert!(
        text.contains("the whole alert") && text.contains("more fields"),
        "{text}"
    );
}

#[tokio::test]
async fn publishers_may_say_it_themselves() {
    let fields = json!({
        "@mattermost.text": "mine @here", "@mattermost.attachments": [], "@mattermost.priority": {"priority": "urgent"},
        "@mattermost._note": "not sent",
    });
    let message = message(&magic(publication(alert(1), "mattermost:a").await, fields));
    assert_eq!(
        (&message["text"], &message["attachments"]),
        (&json!("mine @here"), &json!([]))
    );
    assert_eq!(message["priority"], json!({"priority": "urgent"}));
    assert_eq!(message["username"], "Guard");
    assert!(message.get("_note").is_none());
}
