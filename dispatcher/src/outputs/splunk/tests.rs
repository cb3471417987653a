use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of};

pub(super) fn case() -> Case {
    let settings =
        |base: &str| json!({"url": base, "token": PLANTED, "index": "security", "channel": "0a-0b"});
    let identity =
        |request: &ReceivedRequest| Some(json_of(request)["fields"]["idempotency_key"].as_str()?.to_owned());
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(200, r#"{"text":"Success","code":0}"#)),
        busy: Reply::status(503, r#"{"text":"Server is busy","code":9}"#),
        refusal: |body| Reply::status(400, &json!({"text": body, "code": 6}).to_string()),
        ..HttpCase::new(settings, check, identity)
    })
}

/// What "Format events for HTTP Event Collector" documents.
fn check(request: &ReceivedRequest) {
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/services/collector/event")
    );
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("Splunk {PLANTED}"))
    );
    assert_eq!(request.header("x-splunk-request-channel"), Some("0a-0b"));
    let event = json_of(request);
    assert_eq!(event["time"], "1769846399.000");
    assert_eq!(
        (&event["index"], &event["sourcetype"]),
        (&json!("security"), &json!("streamalert:alert"))
    );
    assert!(event["event"]["id"].is_string());
    // indexed fields are flat
    assert!(event["fields"].as_object().unwrap().values().all(Json::is_string));
}

#[test]
fn codes_of_the_collector_are_explained() {
    let refused = |status: u16, body: &str| response::judge(&Answer::of(status, body)).unwrap_err();
    let error = refused(
        400,
        r#"{"text":"Incorrect index","code":7,"invalid-event-number":0}"#,
    );
    assert!(
        !error.is_retryable() && error.message.contains("may not write to this index"),
        "{error}"
    );
    assert!(
        refused(403, r#"{"text":"Invalid token","code":4}"#)
            .message
            .contains("not known")
    );
    for (status, body) in [
        (503, r#"{"text":"Server is busy","code":9}"#),
        (200, "<html>"),
        (200, "{}"),
    ] {
        assert!(refused(status, body).is_retryable(), "{status} {body}");
    }
}
