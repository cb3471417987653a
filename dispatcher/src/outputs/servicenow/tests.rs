use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::config::{Config, Login};
use super::*;
use crate::outputs::fixtures::{alert, magic, problem, publication};
use crate::outputs::http::{Method, Request};
use crate::outputs::suite::{Case, HttpCase, PLANTED, Repeats, Server, json_of, layouts, within};
use crate::{Incident, IncidentAction, Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| {
        json!({
            "url": base, "username": "sa", "password": PLANTED, "api_key": PLANTED,
            "fields": r#"{"category": "security"}"#,
        })
    };
    Case::Http(HttpCase {
        server,
        refusal: |body| {
            let error = json!({"error": {"message": body, "detail": "ACL"}, "status": "failure"});
            Reply::status(403, &error.to_string())
        },
        read: |request| {
            let record = json_of(request);
            format!(
                "{}\n{}",
                record["short_description"],
                record["description"].as_str().unwrap()
            )
        },
        repeats: Repeats::Known,
        body_bytes_max: 20_000,
        ..HttpCase::new(settings, check, |request| {
            (request.method == "POST")
                .then(|| json_of(request)["correlation_id"].as_str().unwrap().to_owned())
        })
    })
}

/// Keeps records by their correlation id.
fn server() -> Server {
    let mut records = BTreeMap::new();
    Box::new(move |request| {
        if request.method == "GET" {
            let found = records.iter().filter(|(id, _)| request.path.contains(*id));
            let found: Vec<Json> = found
                .map(|(_, record): (&String, &Json)| record.clone())
                .collect();
            return Reply::status(200, &json!({"result": found}).to_string());
        }
        let id = json_of(request)["correlation_id"].as_str().unwrap().to_owned();
        let record = json!({"sys_id": format!("s{}", records.len()), "number": "INC1"});
        records.insert(id, record.clone());
        Reply::status(201, &json!({"result": record}).to_string())
    })
}

/// What "Table API" documents.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.header("x-sn-apikey"), Some(PLANTED));
    let (path, query) = request.path.split_once('?').unwrap();
    assert_eq!(path, "/api/now/table/incident");
    match request.method.as_str() {
        "GET" => assert!(
            query.starts_with("sysparm_query=correlation_id%3D") && query.ends_with("sysparm_limit=1")
        ),
        "POST" => {
            let record = json_of(request);
            within(&record, "/short_description", 160);
            within(&record, "/description", 4000);
            within(&record, "/correlation_id", 100);
            within(&record, "/correlation_display", 100);
            assert_eq!(record["category"], "security");
        }
        other => panic!("{other}"),
    }
}

fn config() -> Config {
    Config {
        url: Secret::new("https://x.example/".to_owned()),
        login: Login::Password {
            username: "sa".to_owned(),
            password: Secret::new("pw".to_owned()),
        },
        table: "sn_si_incident".to_owned(),
        fields: Default::default(),
    }
}

fn ask(incident: &Incident, publication: &Publication, answers: &[Answer]) -> Request {
    match response::next(&config(), incident, publication, answers) {
        Ok(Step::Ask(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn body(request: &Request) -> Json {
    serde_json::from_slice(&request.body).unwrap()
}

fn found(records: &Json) -> Answer {
    Answer::of(200, &json!({"result": records}).to_string())
}

#[tokio::test]
async fn a_record_says_what_happened_and_how_bad_it_is() {
    let mut bad = alert(1);
    bad.rule_description = "It is bad.\nseverity: medium".into();
    let publication = publication(bad, "servicenow:a").await;
    let fields =
        json!({"@servicenow.short_description": "s\n".repeat(200), "@servicenow.fields": {"impact": "1"}});
    let create = ask(&publication.incident(), &publication, &[found(&json!([]))]);
    assert!(
        create
            .url
            .expose()
            .starts_with("https://x.example/api/now/table/sn_si_incident?")
    );
    assert_eq!(create.headers["authorization"], "Basic c2E6cHc=");
    let record = body(&create);
    assert_eq!(record["short_description"], "Cloudtrail root login: It is bad.");
    assert_eq!(
        (&record["urgency"], &record["impact"]),
        (&json!("2"), &json!("2"))
    );

    let changed = magic(publication, fields);
    let record = body(&ask(&changed.incident(), &changed, &[found(&json!([]))]));
    assert!(
        record["short_description"]
            .as_str()
            .unwrap()
            .ends_with("more characters)")
    );
    assert_eq!(
        (&record["urgency"], &record["impact"]),
        (&json!("2"), &json!("1"))
    );
}

#[tokio::test]
async fn what_comes_later_becomes_a_work_note_once() {
    let publication = publication(alert(1), "servicenow:a").await;
    let incident = Incident {
        key: "first".to_owned(),
        action: IncidentAction::Update,
    };
    let search = ask(&incident, &publication, &[]);
    assert!(
        search
            .url
            .expose()
            .contains("sysparm_query=correlation_id%3Dfirst&")
    );
    let record = json!([{"sys_id": "s1", "correlation_display": "StreamAlert first"}]);
    let update = ask(&incident, &publication, &[found(&record)]);
    assert!(update.method == Method::PATCH && update.url.expose().contains("/sn_si_incident/s1?"));
    let changed = body(&update);
    assert!(changed["work_notes"].as_str().unwrap().contains("ConsoleLogin"));
    let known = json!([{"sys_id": "s1", "correlation_display": changed["correlation_display"]}]);
    let done = response::next(&config(), &incident, &publication, &[found(&known)]);
    assert!(matches!(done, Ok(Step::Done(_))));
    let create = ask(&incident, &publication, &[found(&json!([]))]);
    assert_eq!(
        (&create.method, body(&create)["correlation_id"].as_str()),
        (&Method::POST, Some("first"))
    );
}

#[test]
fn a_login_is_a_key_or_a_user_with_a_password() {
    let with = |more: Json| {
        let mut settings = json!({"url": "https://x.example"});
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        problem("servicenow:a", settings)
    };
    assert_eq!(with(json!({"api_key": "k"})), "");
    assert_eq!(with(json!({"username": "u", "password": "p"})), "");
    assert!(with(json!({"username": "u"})).contains("missing field `api_key`, or"));
    assert!(with(json!({"api_key": "k", "table": "a/b"})).contains("must be the name of a table"));
    assert!(with(json!({"api_key": "k", "fields": "[]"})).contains("fields: must be a dictionary"));
}

#[tokio::test]
async fn layouts_are_as_recorded_and_within_the_limits() {
    let create =
        |publication: &Publication| ask(&publication.incident(), publication, &[found(&json!([]))]).body;
    layouts::recorded("servicenow", create).await;
    let hostile = String::from_utf8(create(&layouts::hostile("servicenow:a").await)).unwrap();
    assert!(
        !hostile.contains("https://") && !hostile.contains('\u{202e}'),
        "{hostile}"
    );
    let endless: Json = serde_json::from_slice(&create(&layouts::endless("servicenow:a").await)).unwrap();
    within(&endless, "/short_description", 160);
    within(&endless, "/description", 4000);
}
