use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::config::Config;
use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};
use crate::outputs::http::Request;
use crate::outputs::suite::{Case, HttpCase, PLANTED, Repeats, Server, json_of, layouts};
use crate::{Incident, IncidentAction, Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": base, "token": PLANTED, "auth_id": "12"});
    Case::Http(HttpCase {
        server,
        refusal: |body| {
            Reply::status(
                400,
                &json!({"id": "bad_request", "status": 400, "detail": body}).to_string(),
            )
        },
        repeats: Repeats::Known,
        ..HttpCase::new(settings, check, |request| {
            (request.path == "/incident")
                .then(|| json_of(request)["dbotMirrorId"].as_str().unwrap().to_owned())
        })
    })
}

/// Keeps the mirror ids of incidents.
fn server() -> Server {
    let mut incidents: Vec<String> = Vec::new();
    Box::new(move |request| {
        let body = json_of(request);
        if request.path == "/incidents/search" {
            let query = body["filter"]["query"].as_str().unwrap();
            let found = incidents.iter().position(|id| query.contains(id.as_str()));
            let data: Vec<Json> = found.iter().map(|at| json!({"id": at.to_string()})).collect();
            return Reply::status(200, &json!({"total": data.len(), "data": data}).to_string());
        }
        incidents.push(body["dbotMirrorId"].as_str().unwrap().to_owned());
        Reply::status(
            201,
            &json!({"id": (incidents.len() - 1).to_string(), "version": 1}).to_string(),
        )
    })
}

fn check(request: &ReceivedRequest) {
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("authorization"), Some(PLANTED));
    assert_eq!(request.header("x-xdr-auth-id"), Some("12"));
    let body = json_of(request);
    match request.path.as_str() {
        "/incidents/search" => assert_eq!(body["filter"]["size"], 1),
        "/incident" => check_incident(&body),
        other => panic!("{other}"),
    }
}

/// What "Create single incident" documents.
fn check_incident(incident: &Json) {
    assert_eq!(incident["createInvestigation"], true);
    assert!(incident["name"].is_string() && incident["type"].is_string() && incident["details"].is_string());
    assert!((0.0..=4.0).contains(&incident["severity"].as_f64().unwrap()));
    for label in incident["labels"].as_array().unwrap() {
        assert!(label["type"].is_string() && label["value"].is_string());
    }
}

fn config() -> Config {
    Config {
        url: Secret::new("https://x.example/xsoar/public/v1".to_owned()),
        token: Secret::new(PLANTED.to_owned()),
        auth_id: None,
    }
}

fn ask(incident: &Incident, publication: &Publication, answers: &[Answer]) -> Request {
    match response::next(&config(), incident, publication, answers) {
        Ok(Step::Ask(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn created(publication: &Publication) -> Json {
    let create = ask(
        &publication.incident(),
        publication,
        &[Answer::of(200, r#"{"data": null}"#)],
    );
    assert_eq!(create.url.expose(), "https://x.example/xsoar/public/v1/incident");
    let incident = serde_json::from_slice(&create.body).unwrap();
    check_incident(&incident);
    incident
}

fn label<'a>(incident: &'a Json, name: &str) -> &'a str {
    let labels = incident["labels"].as_array().unwrap();
    let label = labels.iter().find(|label| label["type"] == name);
    label.unwrap_or_else(|| panic!("no {name} in {labels:?}"))["value"]
        .as_str()
        .unwrap()
}

#[tokio::test]
async fn an_incident_has_a_label_for_every_field() {
    let record = r#"{"a": {"b": [1, {"c": null}, true]}, "e": 1.5}"#;
    let incident = created(&publication(alert_with_record(1, record), "demisto:a").await);
    assert_eq!(
        (&incident["name"], &incident["severity"]),
        (&json!("cloudtrail_root_login"), &json!(0.0))
    );
    assert_eq!(incident["dbotMirrorId"], format!("streamalert-{}", alert(1).id));
    assert!(
        incident["details"]
            .as_str()
            .unwrap()
            .contains(&alert(1).id.to_string())
    );
    for (name, value) in [
        ("record.a.b[0]", "1"),
        ("record.a.b[1].c", "None"),
        ("record.a.b[2]", "True"),
        ("record.e", "1.5"),
        ("rule_name", "cloudtrail_root_login"),
    ] {
        assert_eq!(label(&incident, name), value);
    }
}

#[tokio::test]
async fn magic_fields_are_those_of_streamalert() {
    let fields = json!({
        "@demisto.incident_type": "Phishing", "@demisto.severity": "MED", "@demisto.owner": "me",
        "@demisto.details": "d", "@demisto.incident_name": "n", "@demisto.label_data": {"x": [{"y": 1}]},
    });
    let incident = created(&magic(publication(alert(1), "demisto:a").await, fields));
    assert_eq!(
        json!([
            incident["type"],
            incident["severity"],
            incident["owner"],
            incident["name"],
            incident["labels"]
        ]),
        json!(["Phishing", 2.0, "me", "n", [{"type": "x[0].y", "value": "1"}]])
    );
    assert_eq!(incident["details"], format!("d\n\nalert {}", alert(1).id));
    for (word, number) in [("informational", 0.5), ("high", 3.0), ("odd", 0.0)] {
        let fields = json!({"@demisto.severity": word});
        let incident = created(&magic(publication(alert(1), "demisto:a").await, fields));
        assert_eq!(incident["severity"], number);
    }
    let mut bad = alert(1);
    bad.rule_description = "It is bad.\nseverity: critical".into();
    assert_eq!(created(&publication(bad, "demisto:a").await)["severity"], 4.0);
}

#[tokio::test]
async fn labels_there_is_no_room_for_are_counted() {
    let record = json!({"list": vec!["x".repeat(1000); 2000]}).to_string();
    let incident = created(&publication(alert_with_record(1, &record), "demisto:a").await);
    let note = label(&incident, "streamalert_truncated");
    assert!(
        note.contains("more fields, the whole alert") && incident.to_string().len() < 400_000,
        "{note}"
    );
}

#[tokio::test]
async fn what_comes_later_becomes_an_entry_of_the_incident() {
    let mut later = publication(alert(1), "demisto:a").await;
    let incident = Incident {
        key: "first".to_owned(),
        action: IncidentAction::Update,
    };
    let search = ask(&incident, &later, &[]);
    assert!(String::from_utf8_lossy(&search.body).contains(r#"details:\"alert first\""#));
    let entry = ask(
        &incident,
        &later,
        &[Answer::of(200, r#"{"data": [{"id": "7"}]}"#)],
    );
    assert!(entry.url.expose().ends_with("/entry"));
    let body: Json = serde_json::from_slice(&entry.body).unwrap();
    assert_eq!(body["investigationId"], "7");
    later.reference = Some("8".to_owned());
    let body: Json = serde_json::from_slice(&ask(&incident, &later, &[]).body).unwrap();
    assert_eq!(body["investigationId"], "8");
}

#[tokio::test]
async fn long_texts_are_cut_to_the_limits() {
    let incident = created(&layouts::endless("demisto:a").await);
    assert!(incident["details"].as_str().unwrap().chars().count() <= 20_000);
    assert!(incident["name"].as_str().unwrap().chars().count() <= 500);
    assert!(incident.to_string().len() < 1 << 20);
}
