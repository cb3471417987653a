use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts};
use crate::{Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": base, "token": PLANTED, "chat_id": "-1001234567890", "message_thread_id": 7});
    let identity = |request: &ReceivedRequest| {
        let text = json_of(request)["text"].as_str()?.to_owned();
        Some(text.rsplit_once("alert ")?.1.to_owned())
    };
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(200, r#"{"ok":true,"result":{"message_id":42,"date":1}}"#)),
        refusal: |body| {
            let error = json!({"ok": false, "error_code": 400, "description": body});
            Reply::status(400, &error.to_string())
        },
        ..HttpCase::new(settings, check, identity)
    })
}

/// What `sendMessage` documents.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, format!("/bot{PLANTED}/sendMessage"));
    let message = json_of(request);
    assert_eq!(message["chat_id"], "-1001234567890");
    assert_eq!(message["message_thread_id"], 7);
    check_message(&message);
}

/// Reads the HTML as Telegram does: every tag is known and closed, every entity is known, and the text is not too long.
fn check_message(message: &Json) -> String {
    assert_eq!(message["parse_mode"], "HTML");
    let mut rest = message["text"].as_str().unwrap();
    let (mut open, mut text) = (Vec::new(), String::new());
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("</") {
            let (name, after) = after.split_once('>').unwrap();
            assert_eq!(open.pop(), Some(name));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('<') {
            let (tag, after) = after.split_once('>').unwrap();
            let name = tag.split(' ').next().unwrap();
            assert!(["b", "i", "a", "code", "pre"].contains(&name), "{tag}");
            assert!(
                open.last().is_none_or(|outer| *outer == "pre"),
                "{name} in {open:?}"
            );
            open.push(name);
            rest = after;
        } else {
            let (entity, after) = rest.split_once(';').unwrap();
            text.push_str(match entity {
                "&amp" => "&",
                "&lt" => "<",
                "&gt" => ">",
                "&quot" => "\"",
                other => panic!("an entity {other}"),
            });
            rest = after;
        }
    }
    text.push_str(rest);
    assert!(open.is_empty());
    let units = text.encode_utf16().count();
    assert!((1..=request::TEXT_UNITS_MAX).contains(&units), "{units}");
    text
}

fn message(publication: &Publication) -> Json {
    let config = config::Config {
        url: Secret::new("https://x.example".to_owned()),
        token: Secret::new(PLANTED.to_owned()),
        chat_id: "@alerts".to_owned(),
        message_thread_id: None,
    };
    request::message(&config, publication, Form::Html)
}

#[tokio::test]
async fn messages_look_as_recorded() {
    let bytes = |publication: &Publication| serde_json::to_vec(&message(publication)).unwrap();
    layouts::recorded("telegram", bytes).await;
}

#[tokio::test]
async fn a_log_has_no_markup_and_an_endless_alert_fits() {
    check_message(&message(&layouts::hostile("telegram:a").await));
    let text = check_message(&message(&layouts::endless("telegram:a").await));
    assert!(
        text.contains("the whole alert") && text.contains("more fields"),
        "{text}"
    );
}

#[tokio::test]
async fn publishers_may_say_it_themselves_but_not_to_whom() {
    let fields = json!({
        "@telegram.text": "<b>mine</b>", "@telegram.disable_notification": true, "@telegram.chat_id": "@other",
    });
    let message = message(&magic(publication(alert(1), "telegram:a").await, fields));
    assert_eq!(
        (&message["text"], &message["chat_id"]),
        (&json!("<b>mine</b>"), &json!("@alerts"))
    );
    assert_eq!(message["disable_notification"], true);
}

#[tokio::test]
async fn what_telegram_cannot_read_is_sent_as_it_is() {
    let telegram = Telegram(config::Config {
        url: Secret::new("https://x.example".to_owned()),
        token: Secret::new(PLANTED.to_owned()),
        chat_id: "@alerts".to_owned(),
        message_thread_id: None,
    });
    let fields = json!({"@telegram.text": "a < b", "@telegram.parse_mode": "MarkdownV2"});
    let publication = magic(publication(alert(1), "telegram:a").await, fields);
    let parcel = Parcel {
        publication: &publication,
        key: "the-key",
        now: "2026-01-31T08:00:00.000000Z".parse().unwrap(),
    };
    let asked = |answers: &[Answer]| match telegram.step(&parcel, answers) {
        Ok(Step::Ask(request)) => serde_json::from_slice::<Json>(&request.body).unwrap(),
        other => panic!("{other:?}"),
    };
    let unreadable = Answer::of(
        400,
        r#"{"ok":false,"description":"Bad Request: can't parse entities: x"}"#,
    );
    assert_eq!(asked(&[])["parse_mode"], "MarkdownV2");
    let plain = asked(std::slice::from_ref(&unreadable));
    assert_eq!(plain["text"], "a < b");
    assert!(plain.get("parse_mode").is_none());
    let twice = telegram.step(&parcel, &[unreadable.clone(), unreadable]);
    assert!(!twice.unwrap_err().is_retryable());

    let long = json!({"@telegram.text": "<b>x</b>".repeat(1000)});
    let long = message(&magic(publication.clone(), long));
    assert!(long["text"].as_str().unwrap().ends_with("more characters)"));
    assert!(long.get("parse_mode").is_none());
}

#[test]
fn a_wait_is_read_from_the_body_and_the_message_remembered() {
    let busy = Answer::of(
        429,
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":5}}"#,
    );
    let crate::SendErrorKind::Retry { after } = response::judge(&busy).unwrap_err().kind else {
        panic!("not to be tried again")
    };
    assert_eq!(after, Some(std::time::Duration::from_secs(5)));
    match response::judge(&Answer::of(200, r#"{"ok":true,"result":{"message_id":42}}"#)).unwrap() {
        Step::Done(receipt) => assert_eq!(receipt.reference.as_deref(), Some("42")),
        other => panic!("{other:?}"),
    }
    let moved = Answer::of(
        400,
        r#"{"ok":false,"description":"group","parameters":{"migrate_to_chat_id":-100}}"#,
    );
    assert!(
        response::judge(&moved)
            .unwrap_err()
            .message
            .contains("set chat_id to -100")
    );
}
