use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};
use streamalert_value::Value;

use super::*;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::http::{Method, Request};
use crate::outputs::pagerduty_v2::request::EVENT_BYTES_MAX;
use crate::outputs::suite::{Case, HttpCase, PLANTED, Server, json_of};
use crate::{IncidentAction, Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| {
        json!({
            "api": base, "events_url": format!("{base}/v2/enqueue"), "token": PLANTED, "integration_key": PLANTED,
            "email_from": "sa@example.com", "escalation_policy_id": "PPOLICY", "service_name": "s",
        })
    };
    Case::Http(HttpCase {
        server,
        refusal: |body| {
            let error = json!({"error": {"code": 2001, "message": body, "errors": []}});
            Reply::status(400, &error.to_string())
        },
        body_bytes_max: EVENT_BYTES_MAX,
        ..HttpCase::new(settings, check, |request| {
            (request.path == "/v2/enqueue")
                .then(|| json_of(request)["dedup_key"].as_str().unwrap().to_owned())
        })
    })
}

fn server() -> Server {
    Box::new(|request| {
        let (status, body) = answer(request);
        Reply::status(status, &body.to_string())
    })
}

/// Answers as PagerDuty's documentation shows them.
fn answer(request: &ReceivedRequest) -> (u16, Json) {
    let path = request.path.split('?').next().unwrap();
    match (request.method.as_str(), path) {
        ("POST", "/v2/enqueue") => (202, json!({"status": "success", "message": "Event processed"})),
        ("GET", "/incidents") => (200, json!({"incidents": [{"id": "PINCIDENT"}], "more": false})),
        ("GET", "/incidents/PINCIDENT/notes") => (200, json!({"notes": [{"content": "something else"}]})),
        ("PUT", "/incidents/PINCIDENT") => (200, json!({"incident": {"id": "PINCIDENT"}})),
        ("POST", "/incidents/PINCIDENT/notes") => (200, json!({"note": {"id": "N"}})),
        other => panic!("{other:?}"),
    }
}

fn check(request: &ReceivedRequest) {
    if request.path == "/v2/enqueue" {
        return assert_eq!(json_of(request)["routing_key"], PLANTED);
    }
    let token = format!("Token token={PLANTED}");
    assert_eq!(request.header("authorization"), Some(&*token));
    assert_eq!(
        request.header("accept"),
        Some("application/vnd.pagerduty+json;version=2")
    );
    match request.method.as_str() {
        "GET" => assert!(request.body.is_empty()),
        "PUT" => {
            assert_eq!(request.header("from"), Some("sa@example.com"));
            let incident = &json_of(request)["incident"];
            assert!(incident["title"].is_string());
            assert!(incident.get("assignments").is_some() != incident.get("escalation_policy").is_some());
        }
        "POST" => {
            assert_eq!(request.header("from"), Some("sa@example.com"));
            assert!(json_of(request)["note"]["content"].is_string());
        }
        other => panic!("{other}"),
    }
}

fn config() -> config::Config {
    let secret = |text: &str| Secret::new(text.to_owned());
    config::Config {
        token: secret(PLANTED),
        integration_key: secret(PLANTED),
        email_from: "sa@example.com".to_owned(),
        escalation_policy_id: "PPOLICY".to_owned(),
        api: secret("https://api.example"),
        events_url: secret("https://events.example/v2/enqueue"),
    }
}

async fn with_context(context: Json) -> Publication {
    let mut alert = alert(1);
    let context = json!({"pagerduty-incident": context}).to_string();
    alert.context = Value::parse_json(context.as_bytes()).unwrap();
    publication(alert, "pagerduty-incident:a").await
}

/// Every request of an attempt that `answers` to each, and whether it was then done.
fn run(
    publication: &Publication,
    action: IncidentAction,
    answer: impl Fn(&Request) -> Answer,
) -> (Vec<Request>, Result<Receipt, SendError>) {
    let plan = plan::Plan::of(publication);
    let (mut requests, mut answers) = (Vec::new(), Vec::new());
    loop {
        match response::next(&config(), &plan, action, publication, &answers) {
            Ok(Step::Ask(request)) => {
                answers.push(answer(&request));
                requests.push(request);
            }
            Ok(Step::Done(receipt)) => return (requests, Ok(receipt)),
            Err(error) => return (requests, Err(error)),
        }
    }
}

use super::super::Receipt;

/// An account with some users and priorities and an empty incident.
fn account(request: &Request) -> Answer {
    let url = request.url.expose();
    let json = if url.contains("/users?query=") {
        let email = url.split('=').nth(1).unwrap().replace("%40", "@");
        match email.as_str() {
            "nobody@example.com" => json!({"users": []}),
            _ => {
                json!({"users": [{"id": "POTHER", "email": "x@example.com"}, {"id": format!("P-{email}"), "email": email}]})
            }
        }
    } else if url.ends_with("/priorities") {
        json!({"priorities": [{"id": "P1", "name": "P1"}, {"id": "PMAX", "name": "severe"}]})
    } else if url.contains("/incidents?incident_key=a%3A") {
        json!({"incidents": [{"id": "PI", "incidents_responders": [{"user": {"id": "P-asked@example.com"}}]}]})
    } else {
        json!({"notes": []})
    };
    Answer::of(200, &json.to_string())
}

fn body(request: &Request) -> Json {
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test]
async fn what_the_rule_wants_is_looked_up_and_set() {
    let publication = with_context(json!({
        "assigned_user": "boss@example.com", "incident_priority": "severe", "with_record": false,
        "responders": ["one@example.com", "nobody@example.com", "asked@example.com"], "responder_message": "Come",
    }))
    .await;
    let fields =
        json!({"@pagerduty-incident.incident_title": "A title", "@pagerduty-incident.urgency": "low"});
    let (requests, done) = run(&magic(publication, fields), IncidentAction::Open, account);
    assert_eq!(done.unwrap().reference.as_deref(), Some("PI"));
    assert_eq!(requests.len(), 12);
    assert!(
        body(&requests[0])["payload"]["custom_details"]
            .get("record")
            .is_none()
    );
    assert_eq!(
        body(&requests[9]),
        json!({"incident": {
            "type": "incident", "title": "A title", "urgency": "low",
            "assignments": [{"assignee": {"id": "P-boss@example.com", "type": "user_reference"}}],
            "priority": {"id": "PMAX", "type": "priority_reference"},
        }})
    );
    // who was asked before is not asked again, who is not known cannot be
    assert_eq!(
        body(&requests[10]),
        json!({
            "requester_id": "P-sa@example.com", "message": "Come",
            "responder_request_targets": [
                {"responder_request_target": {"id": "P-one@example.com", "type": "user_reference"}},
            ],
        })
    );
    let note = body(&requests[11])["note"]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        note.contains("Not known to PagerDuty: nobody@example.com"),
        "{note}"
    );
    assert!(note.ends_with(&format!("(alert {})", alert(1).id)), "{note}");
}

#[tokio::test]
async fn an_incident_that_has_our_note_is_left_alone() {
    let publication = with_context(json!({"note": "look at this", "responders": "one@example.com"})).await;
    let (requests, _) = run(&publication, IncidentAction::Open, account);
    let note = body(requests.last().unwrap())["note"].clone();
    let noted = |request: &Request| match request.url.expose().ends_with("/notes") {
        true => Answer::of(200, &json!({"notes": [note.clone()]}).to_string()),
        false => account(request),
    };
    let (requests, done) = run(&publication, IncidentAction::Open, noted);
    assert!(done.is_ok() && requests.len() == 3);
    assert!(requests[1..].iter().all(|request| request.method == Method::GET));
}

#[tokio::test]
async fn an_update_adds_a_note_and_changes_nothing() {
    let publication = with_context(json!({"assigned_user": "boss@example.com"})).await;
    let (requests, done) = run(&publication, IncidentAction::Update, account);
    assert!(done.is_ok() && requests.len() == 4);
    assert!(requests[3].url.expose().ends_with("/incidents/PI/notes") && requests[3].method == Method::POST);
}

#[tokio::test]
async fn an_incident_that_is_not_there_yet_is_looked_for_again() {
    let empty = |request: &Request| match request.url.expose().contains("/incidents?") {
        true => Answer::of(200, r#"{"incidents": []}"#),
        false => account(request),
    };
    let (_, done) = run(&with_context(json!({})).await, IncidentAction::Open, empty);
    assert!(done.unwrap_err().is_retryable());
}

#[tokio::test]
async fn an_empty_note_is_none_and_too_many_responders_are_named() {
    let publication = with_context(json!({"note": ""})).await;
    let (requests, done) = run(&publication, IncidentAction::Open, account);
    assert!(done.is_ok() && requests.len() == 3 && requests[2].method == Method::PUT);

    let many: Vec<String> = (0..30).map(|n| format!("u{n}@example.com")).collect();
    let (requests, done) = run(
        &with_context(json!({"responders": many})).await,
        IncidentAction::Open,
        account,
    );
    assert!(done.is_ok() && requests.len() <= PagerDuty(config()).steps_max());
    let note = body(requests.last().unwrap())["note"]["content"].to_string();
    assert!(note.contains("not asked: u10@example.com"), "{note}");
}

#[tokio::test]
async fn a_note_has_no_links_out_of_logs() {
    let hostile = crate::outputs::suite::layouts::hostile("pagerduty-incident:a").await;
    let (requests, _) = run(&hostile, IncidentAction::Open, account);
    let note = body(requests.last().unwrap())["note"]["content"].to_string();
    assert!(note.contains("hxxps://") && !note.contains("https://"), "{note}");
}
