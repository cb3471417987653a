use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::Publication;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts, within};

pub(super) fn case() -> Case {
    let settings =
        |base: &str| json!({"url": format!("{base}/v1/spaces/AAAA/messages?key=k0&token={PLANTED}")});
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(200, r#"{"name":"spaces/AAAA/messages/BBBB.BBBB"}"#)),
        refusal: |body| {
            let error = json!({"error": {"message": body, "code": 400, "status": "INVALID_ARGUMENT"}});
            Reply::status(400, &error.to_string())
        },
        body_bytes_max: request::MESSAGE_BYTES_MAX,
        ..HttpCase::new(settings, check, |request| Some(query(request, "requestId")))
    })
}

fn query(request: &ReceivedRequest, name: &str) -> String {
    let url = reqwest::Url::parse("http://x")
        .unwrap()
        .join(&request.path)
        .unwrap();
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// What "Build apps as webhooks" and `spaces.messages.create` document.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.method, "POST");
    assert!(request.path.starts_with("/v1/spaces/AAAA/messages?"));
    assert_eq!(
        (query(request, "key"), query(request, "token")),
        ("k0".to_owned(), PLANTED.to_owned())
    );
    assert_eq!(
        query(request, "messageReplyOption"),
        "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    );
    check_message(&json_of(request));
}

fn check_message(message: &Json) {
    within(message, "/thread/threadKey", 4000);
    let card = &message["cardsV2"][0]["card"];
    within(card, "/header/title", 200);
    let mut count = 0;
    for section in card["sections"].as_array().unwrap() {
        for widget in section["widgets"].as_array().unwrap() {
            count += 1;
            let (kind, content) = widget.as_object().unwrap().iter().next().unwrap();
            match kind.as_str() {
                "textParagraph" | "decoratedText" => within(content, "/text", 31_000),
                "buttonList" => {
                    for button in content["buttons"].as_array().unwrap() {
                        assert!(button["onClick"]["openLink"]["url"].is_string());
                    }
                }
                other => panic!("a widget {other}"),
            }
        }
    }
    assert!((1..=100).contains(&count));
}

fn message(publication: &Publication) -> Json {
    let bytes = request::message(publication);
    assert!(bytes.len() <= request::MESSAGE_BYTES_MAX, "{}", bytes.len());
    let message = serde_json::from_slice(&bytes).unwrap();
    check_message(&message);
    message
}

#[tokio::test]
async fn cards_look_as_recorded() {
    layouts::recorded("google-chat", request::message).await;
}

#[tokio::test]
async fn a_log_has_no_markup_and_an_endless_alert_fits() {
    let text = message(&layouts::hostile("google-chat:a").await).to_string();
    assert!(!text.contains("<b>") && !text.contains("<!channel>"), "{text}");
    let text = message(&layouts::endless("google-chat:a").await).to_string();
    assert!(
        text.contains("the whole alert") && text.contains("more fields"),
        "{text}"
    );
}

#[tokio::test]
async fn publishers_may_say_it_themselves() {
    let fields = json!({
        "@google-chat.text": "*mine*",
        "@google-chat.cardsV2": [{"cardId": "c", "card": {"header": {"title": "t"}}}],
    });
    let message: Json = serde_json::from_slice(&request::message(&magic(
        publication(alert(1), "google-chat:a").await,
        fields,
    )))
    .unwrap();
    assert_eq!(message["text"], "*mine*");
    assert_eq!(message["cardsV2"][0]["cardId"], "c");

    let fields =
        json!({"@google-chat.cardsV2": [{"cardId": "c", "card": {"header": {"title": "t".repeat(40_000)}}}]});
    let large = magic(publication(alert(1), "google-chat:a").await, fields);
    let large: Json = serde_json::from_slice(&request::message(&large)).unwrap();
    check_message(&large);
    assert!(large.to_string().contains("cards of the publisher are too large"));
}
