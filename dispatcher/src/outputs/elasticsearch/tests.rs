use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply, WebhookReceiver};

use super::*;
use crate::outputs::fixtures::{alert, context, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, Repeats, json_of};
use crate::{OutputRegistry, OutputSpec};

const CONFLICT: &str = r#"{"error":{"type":"version_conflict_engine_exception","reason":"document already exists"},"status":409}"#;

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": format!("{base}/es"), "index": "alerts", "api_key": PLANTED, "username": "u", "password": PLANTED});
    Case::Http(HttpCase {
        server: || {
            let mut known = BTreeSet::new();
            Box::new(move |request| {
                if known.insert(request.path.clone()) {
                    Reply::status(201, r#"{"_index":"alerts","result":"created"}"#)
                } else {
                    Reply::status(409, CONFLICT)
                }
            })
        },
        refusal: |body| {
            let error =
                json!({"error": {"type": "illegal_argument_exception", "reason": body}, "status": 400});
            Reply::status(400, &error.to_string())
        },
        repeats: Repeats::Known,
        body_bytes_max: 10 << 20,
        ..HttpCase::new(settings, check, |request| Some(request.path.clone()))
    })
}

/// What "Create a new document in the index" documents.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.method, "PUT");
    let id = request.path.strip_prefix("/es/alerts/_create/").unwrap();
    assert!(id.len() <= 512 && !id.contains(['/', '%', '?']), "{id}");
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("ApiKey {PLANTED}"))
    );
    let document = json_of(request);
    assert!(
        document["@timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert_eq!(document["event"]["kind"], "alert");
    assert_eq!(document["rule"]["name"], "cloudtrail_root_login");
}

async fn deliver(
    replies: Vec<Reply>,
    settings: Json,
) -> (Result<crate::Receipt, SendError>, Vec<ReceivedRequest>) {
    let receiver = WebhookReceiver::start(None).await;
    receiver.then(replies);
    let mut all = json!({"url": receiver.url(""), "index": "alerts"});
    all.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let name: streamalert_types::OutputName = "elasticsearch:a".parse().unwrap();
    let spec = OutputSpec {
        name: name.clone(),
        settings: all,
        origin: String::new(),
    };
    let dir = tempfile::tempdir().unwrap();
    let outputs = OutputRegistry::load(&[spec], &context(dir.path())).unwrap();
    let output = outputs.into_outputs().remove(&name).unwrap().output;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let publication = publication(alert(1), "elasticsearch:a").await;
    (
        output.send(&publication, "id/elasticsearch:a", deadline).await,
        receiver.requests(),
    )
}

#[tokio::test]
async fn a_record_that_the_index_cannot_hold_goes_as_text() {
    let trouble =
        r#"{"error":{"type":"document_parsing_exception","reason":"failed to parse field [record.n]"}}"#;
    let replies = vec![
        Reply::status(400, trouble),
        Reply::status(201, r#"{"result":"created"}"#),
    ];
    let (outcome, requests) = deliver(replies, json!({"pipeline": "p"})).await;
    outcome.unwrap();
    let [first, second] = [0, 1].map(|at| json_of(&requests[at]));
    assert_eq!(first["streamalert"]["record"]["eventName"], "ConsoleLogin");
    assert!(second["streamalert"].get("record").is_none());
    let text = second["streamalert"]["record_text"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Json>(text).unwrap(),
        first["streamalert"]["record"]
    );
    assert_eq!(requests[1].path, "/alerts/_create/id:elasticsearch:a?pipeline=p");

    // not for ever
    let replies = vec![Reply::status(400, trouble), Reply::status(400, trouble)];
    let (outcome, requests) = deliver(replies, json!({})).await;
    assert!(!outcome.unwrap_err().is_retryable() && requests.len() == 2);
}

#[tokio::test]
async fn a_user_signs_in_with_a_password() {
    let settings = json!({"username": "u", "password": "secret"});
    let replies = vec![Reply::status(201, r#"{"result":"created"}"#)];
    let (outcome, requests) = deliver(replies, settings).await;
    outcome.unwrap();
    // printf u:secret | base64
    assert_eq!(requests[0].header("authorization"), Some("Basic dTpzZWNyZXQ="));
}

#[test]
fn answers_mean_what_they_say() {
    let of = |status, body: &str| response::judge(&Answer::of(status, body));
    assert!(of(409, CONFLICT).is_ok());
    assert!(of(200, r#"{"result":"noop"}"#).is_ok());
    assert!(!of(409, "{}").unwrap_err().is_retryable());
    assert!(
        of(403, r#"{"error":{"type":"cluster_block_exception"}}"#)
            .unwrap_err()
            .is_retryable()
    );
    assert!(
        !of(403, r#"{"error":{"type":"security_exception"}}"#)
            .unwrap_err()
            .is_retryable()
    );
    assert!(
        of(429, r#"{"error":{"type":"es_rejected_execution_exception"}}"#)
            .unwrap_err()
            .is_retryable()
    );
    assert!(of(200, "<html>").unwrap_err().is_retryable());
}

#[test]
fn an_index_has_a_name_that_one_may_have() {
    let check = SERVICE.field("index").unwrap().check;
    for name in ["alerts", "logs-streamalert.alerts-default", "a+b"] {
        assert_eq!(check(name), Ok(()), "{name}");
    }
    for name in ["", "Alerts", "_x", "a/b", "a b", "a*", "a,b"] {
        assert!(check(name).is_err(), "{name}");
    }
}
