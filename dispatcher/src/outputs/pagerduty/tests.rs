use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::http::Answer;
use crate::outputs::pagerduty_v2::request::EVENT_BYTES_MAX;
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts, within};
use crate::{Publication, Secret};

const PATH: &str = "/generic/2010-04-15/create_event.json";

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": format!("{base}{PATH}"), "service_key": PLANTED});
    Case::Http(HttpCase {
        server: || {
            Box::new(|_| {
                let taken = json!({"status": "success", "message": "Event processed", "incident_key": "k"});
                Reply::status(200, &taken.to_string())
            })
        },
        busy: Reply::status(403, "Forbidden"),
        refusal: |body| {
            let errors =
                json!({"status": "invalid event", "message": body, "errors": ["Service key is invalid"]});
            Reply::status(400, &errors.to_string())
        },
        body_bytes_max: EVENT_BYTES_MAX,
        ..HttpCase::new(settings, check, |request| {
            Some(json_of(request)["incident_key"].as_str()?.to_owned())
        })
    })
}

fn check(request: &ReceivedRequest) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", PATH));
    check_event(&json_of(request));
}

/// What "Events API v1" documents.
fn check_event(event: &Json) {
    assert_eq!(event["service_key"], PLANTED);
    assert_eq!(event["event_type"], "trigger");
    within(event, "/incident_key", 255);
    within(event, "/description", 1024);
    assert!(event["details"].is_object());
    for context in event
        .get("contexts")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        match context["type"].as_str().unwrap() {
            "link" => assert!(context["href"].is_string() && context["text"].is_string()),
            "image" => assert!(context["src"].is_string()),
            other => panic!("{other}"),
        }
    }
}

fn event(publication: &Publication) -> Json {
    let config = config::Config {
        url: Secret::new("https://x.example".to_owned()),
        service_key: Secret::new(PLANTED.to_owned()),
    };
    let event = serde_json::from_slice(&request::event(&config, publication).body).unwrap();
    check_event(&event);
    event
}

#[tokio::test]
async fn an_event_is_streamalerts_with_a_key_that_tells_repetitions() {
    let event = event(&publication(alert(1), "pagerduty:a").await);
    assert_eq!(event["incident_key"], format!("a:{}", alert(1).id));
    assert_eq!(
        event["description"],
        "StreamAlert Rule Triggered - cloudtrail_root_login"
    );
    assert_eq!(event["client"], "streamalert");
    assert_eq!(event["details"]["record"]["eventName"], "ConsoleLogin");
    assert!(event.get("contexts").is_none() && event.get("client_url").is_none());
}

#[tokio::test]
async fn magic_fields_of_streamalert_are_honoured_and_contexts_that_cannot_be_read_left_out() {
    let fields = json!({
        "@pagerduty.description": "d".repeat(2000), "@pagerduty.details": {"a": 1},
        "@pagerduty.client_url": "https://x", "@pagerduty.contexts": [
            {"type": "link", "href": "https://l", "text": "l", "more": 1}, {"type": "image", "src": "https://i"},
            {"type": "link", "href": "https://l"}, {"type": "image"}, {"type": "other"}, {}, 7,
        ],
    });
    let event_ = event(&magic(publication(alert(1), "pagerduty:a").await, fields));
    assert!(
        event_["description"]
            .as_str()
            .unwrap()
            .ends_with("more characters)")
    );
    assert_eq!(event_["details"], json!({"a": 1}));
    assert_eq!(event_["client_url"], "https://x");
    assert_eq!(
        event_["contexts"],
        json!([
            {"type": "link", "href": "https://l", "text": "l"}, {"type": "image", "src": "https://i"},
        ])
    );
}

#[tokio::test]
async fn without_contexts_of_a_publisher_the_playbook_is_linked() {
    let mut described = alert(1);
    described.rule_description = "It happened.\nplaybook: https://wiki.example/p".into();
    let event = event(&publication(described, "pagerduty:a").await);
    assert_eq!(
        event["contexts"],
        json!([{"type": "link", "href": "https://wiki.example/p", "text": "Playbook"}])
    );
}

#[test]
fn too_many_requests_are_told_by_403() {
    assert!(response::judge(&Answer::of(403, "")).unwrap_err().is_retryable());
    assert!(!response::judge(&Answer::of(400, "")).unwrap_err().is_retryable());
}

#[tokio::test]
async fn long_texts_are_cut_to_the_limits() {
    event(&layouts::endless("pagerduty:a").await);
}
