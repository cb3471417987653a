use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};
use crate::outputs::http::{Method, Request};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts, within};
use crate::{IncidentAction, Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": base, "api_key": PLANTED, "responders": "team:security", "tags": "streamalert"});
    Case::Http(HttpCase {
        server: || {
            Box::new(|_| {
                let taken = json!({"result": "Request will be processed", "took": 0.1, "requestId": "r"});
                Reply::status(202, &taken.to_string())
            })
        },
        refusal: |body| {
            let error = json!({"message": body, "took": 0.0, "requestId": "r"});
            Reply::status(422, &error.to_string())
        },
        body_bytes_max: 100_000,
        ..HttpCase::new(settings, check, |request| {
            Some(json_of(request)["alias"].as_str()?.to_owned())
        })
    })
}

fn check(request: &ReceivedRequest) {
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/v2/alerts")
    );
    let key = format!("GenieKey {PLANTED}");
    assert_eq!(request.header("authorization"), Some(&*key));
    check_alert(&json_of(request));
}

/// What "Alert API" documents of "Create Alert".
fn check_alert(alert: &Json) {
    within(alert, "/message", 130);
    within(alert, "/alias", 512);
    within(alert, "/description", 15_000);
    within(alert, "/entity", 512);
    within(alert, "/source", 100);
    assert!(config::PRIORITIES.contains(&alert["priority"].as_str().unwrap()));
    let tags = alert["tags"].as_array().unwrap();
    assert!(tags.len() <= 20 && tags.iter().all(|tag| tag.as_str().unwrap().chars().count() <= 50));
    let details = alert["details"].as_object().unwrap();
    let chars =
        |(name, value): (&String, &Json)| name.chars().count() + value.as_str().unwrap().chars().count();
    assert!(details.iter().map(chars).sum::<usize>() <= 8000);
    for responder in alert["responders"].as_array().into_iter().flatten() {
        assert!(["team", "user", "schedule", "escalation"].contains(&responder["type"].as_str().unwrap()));
        assert!(
            ["id", "name", "username"]
                .iter()
                .any(|by| responder[by].is_string())
        );
    }
}

fn opsgenie() -> Opsgenie {
    Opsgenie(config::Config {
        url: Secret::new("https://api.example".to_owned()),
        api_key: Secret::new(PLANTED.to_owned()),
        responders: Vec::new(),
        tags: vec!["streamalert".to_owned()],
        priority: "P4".to_owned(),
    })
}

fn ask(action: IncidentAction, publication: &Publication, answers: &[Answer]) -> Request {
    match response::next(&opsgenie().0, action, publication, answers) {
        Ok(Step::Ask(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn created(publication: &Publication) -> Json {
    let alert = serde_json::from_slice(&ask(IncidentAction::Open, publication, &[]).body).unwrap();
    check_alert(&alert);
    alert
}

#[tokio::test]
async fn an_alert_says_what_happened_and_how_bad_it_is() {
    let alert_ = created(&publication(alert(1), "opsgenie:a").await);
    assert_eq!(
        alert_["message"],
        "Cloudtrail root login: Somebody used the root account."
    );
    assert_eq!(alert_["alias"], format!("streamalert:a:{}", alert(1).id));
    assert_eq!(alert_["priority"], "P4");
    assert_eq!(alert_["details"]["eventName"], "ConsoleLogin");

    let mut bad = alert(1);
    bad.rule_description = "It is bad.\nseverity: critical".into();
    assert_eq!(created(&publication(bad, "opsgenie:a").await)["priority"], "P1");
}

#[tokio::test]
async fn publishers_may_take_over_and_nonsense_is_left_out() {
    let fields = json!({
        "@opsgenie.message": "m\n".repeat(200), "@opsgenie.description": "d", "@opsgenie.priority": "P2",
        "@opsgenie.tags": ["t", 7], "@opsgenie.details": {"n": 1, "deep": {"a": []}}, "@opsgenie.entity": "e",
        "@opsgenie.responders": [{"type": "user", "username": "a@b.c"}, {"type": "team"}, "x"],
    });
    let alert_ = created(&magic(publication(alert(1), "opsgenie:a").await, fields));
    assert!(alert_["message"].as_str().unwrap().ends_with("more characters)"));
    assert_eq!(
        (&alert_["description"], &alert_["priority"], &alert_["tags"]),
        (&json!("d"), &json!("P2"), &json!(["t"]))
    );
    assert_eq!(
        (&alert_["details"]["n"], &alert_["entity"]),
        (&json!("1"), &json!("e"))
    );
    assert_eq!(
        alert_["responders"],
        json!([{"type": "user", "username": "a@b.c"}])
    );

    let odd = json!({"@opsgenie.priority": "P9"});
    assert_eq!(
        created(&magic(publication(alert(1), "opsgenie:a").await, odd))["priority"],
        "P4"
    );
}

#[tokio::test]
async fn what_is_long_is_cut_to_the_limits() {
    let record: serde_json::Map<_, _> = (0..40)
        .map(|n| (format!("f{n}"), json!("é".repeat(5000))))
        .collect();
    let alert_ = created(&publication(alert_with_record(1, &json!(record).to_string()), "opsgenie:a").await);
    assert!(
        alert_["description"]
            .as_str()
            .unwrap()
            .contains("the whole alert")
    );

    let tags: Vec<String> = (0..30).map(|n| format!("{n}{}", "x".repeat(60))).collect();
    let fields = json!({"@opsgenie.tags": tags});
    let alert_ = created(&magic(publication(alert(1), "opsgenie:a").await, fields));
    assert_eq!(alert_["tags"].as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn what_comes_later_becomes_a_note_once() {
    let publication = publication(alert(1), "opsgenie:a").await;
    let update = IncidentAction::Update;
    let list = ask(update, &publication, &[]);
    let alias = format!("streamalert:a:{}", alert(1).id);
    let path = format!("https://api.example/v2/alerts/{alias}/notes?identifierType=alias");
    assert!(
        list.method == Method::GET && list.url.expose().starts_with(&path),
        "{:?}",
        list.url.expose()
    );
    let none = Answer::of(200, r#"{"data": [{"note": "something else"}]}"#);
    let add = ask(update, &publication, std::slice::from_ref(&none));
    assert_eq!((&add.method, add.url.expose()), (&Method::POST, &*path));
    let added = Answer::of(202, "{}");
    let done = response::next(&opsgenie().0, update, &publication, &[none, added]);
    assert!(matches!(done, Ok(Step::Done(_))));

    let note: Json = serde_json::from_slice(&add.body).unwrap();
    let known = Answer::of(200, &json!({"data": [note]}).to_string());
    assert!(matches!(
        response::next(&opsgenie().0, update, &publication, &[known]),
        Ok(Step::Done(_))
    ));
    // an alert that is gone is opened anew
    let gone = ask(update, &publication, &[Answer::of(404, "{}")]);
    assert_eq!(gone.url.expose(), "https://api.example/v2/alerts");
}

#[test]
fn responders_must_be_of_a_known_kind() {
    let problem =
        crate::outputs::fixtures::problem("opsgenie:a", json!({"api_key": "k", "responders": ["group:x"]}));
    assert!(problem.contains("group:x is not like team:NAME"), "{problem}");
    let problem =
        crate::outputs::fixtures::problem("opsgenie:a", json!({"api_key": "k", "priority": "high"}));
    assert!(problem.contains("priority: must be one of P1"), "{problem}");
}

#[tokio::test]
async fn layouts_are_as_recorded_and_within_the_limits() {
    layouts::recorded("opsgenie", |publication| {
        ask(IncidentAction::Open, publication, &[]).body
    })
    .await;
    created(&layouts::endless("opsgenie:a").await);
    created(&layouts::hostile("opsgenie:a").await);
}
