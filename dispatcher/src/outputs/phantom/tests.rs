use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::config::Config;
use super::*;
use crate::outputs::fixtures::{alert, publication};
use crate::outputs::http::Request;
use crate::outputs::suite::{Case, HttpCase, PLANTED, Repeats, Server, json_of, layouts, within};
use crate::{Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": base, "ph_auth_token": PLANTED});
    Case::Http(HttpCase {
        server,
        // it says no by a word, not by the status
        refusal: |body| Reply::status(200, &json!({"failed": true, "message": body}).to_string()),
        repeats: Repeats::Known,
        body_bytes_max: request::ARTIFACT_BYTES_MAX,
        ..HttpCase::new(settings, check, |request| {
            let is_artifact = request.method == "POST" && request.path == "/rest/artifact";
            is_artifact.then(|| {
                json_of(request)["source_data_identifier"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
        })
    })
}

/// Keeps containers by name and artifacts by identifier.
fn server() -> Server {
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    Box::new(move |request| {
        if request.method == "GET" {
            let found = ids.iter().filter(|(key, _)| request.path.contains(*key));
            let found: Vec<Json> = found.map(|(_, id)| json!({"id": id})).collect();
            return Reply::status(200, &json!({"count": found.len(), "data": found}).to_string());
        }
        let body = json_of(request);
        let key = match request.path.as_str() {
            "/rest/container" => format!("container?_filter_name=%22{}%22", body["name"].as_str().unwrap()),
            _ => format!("%22{}%22", body["source_data_identifier"].as_str().unwrap()),
        };
        let id = ids.len() + 1;
        ids.insert(key, id);
        Reply::status(200, &json!({"success": true, "id": id}).to_string())
    })
}

/// What "REST Containers" and "REST Artifact" document.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.header("ph-auth-token"), Some(PLANTED));
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", path) => assert!(path.ends_with("%22&page_size=1"), "{path}"),
        ("POST", "/rest/container") => within(&json_of(request), "/name", 255),
        ("POST", "/rest/artifact") => {
            let artifact = json_of(request);
            assert!(artifact["container_id"].is_u64());
            assert!(artifact["cef"].is_object() && artifact["data"].is_object());
            assert_eq!(artifact["label"], "Alert");
            within(&artifact, "/name", 255);
        }
        other => panic!("{other:?}"),
    }
}

fn next(publication: &Publication, answers: &[Answer]) -> Result<Step, SendError> {
    let config = Config {
        url: Secret::new("https://x.example".to_owned()),
        token: Secret::new(PLANTED.to_owned()),
    };
    response::next(&config, publication, answers)
}

fn ask(publication: &Publication, answers: &[Answer]) -> Request {
    match next(publication, answers) {
        Ok(Step::Ask(request)) => request,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_artifact_goes_into_the_container_of_its_rule() {
    let mut bad = alert(1);
    bad.rule_description = "It is bad.\nseverity: high".into();
    let publication = publication(bad, "phantom:a").await;
    let (none, found) = (
        Answer::of(200, r#"{"count": 0, "data": []}"#),
        Answer::of(200, r#"{"count": 1, "data": [{"id": 5}]}"#),
    );
    let container = ask(&publication, &[none.clone(), none.clone()]);
    assert!(container.url.expose().ends_with("/rest/container"));
    let container: Json = serde_json::from_slice(&container.body).unwrap();
    assert_eq!(container["name"], "cloudtrail_root_login");

    let made = Answer::of(200, r#"{"success": true, "id": 6}"#);
    // one that another has made meanwhile
    let there = Answer::of(
        400,
        r#"{"success": false, "failed": true, "message": "duplicate", "existing_container_id": 7}"#,
    );
    for (answers, id) in [
        (vec![none.clone(), found.clone()], 5),
        (vec![none.clone(), none.clone(), made.clone()], 6),
        (vec![none.clone(), none.clone(), there], 7),
    ] {
        let artifact: Json = serde_json::from_slice(&ask(&publication, &answers).body).unwrap();
        assert_eq!(
            (&artifact["container_id"], &artifact["severity"]),
            (&json!(id), &json!("high"))
        );
        assert_eq!(artifact["cef"]["eventName"], "ConsoleLogin");
        assert_eq!(artifact["data"]["rule_name"], "cloudtrail_root_login");
        assert_eq!(artifact["source_data_identifier"], alert(1).id.to_string());
    }
    for answers in [vec![found.clone()], vec![none, found, made]] {
        assert!(matches!(next(&publication, &answers), Ok(Step::Done(_))));
    }
}

#[tokio::test]
async fn long_texts_are_cut_to_the_limits() {
    let publication = layouts::endless("phantom:a").await;
    let none = || Answer::of(200, r#"{"count": 0, "data": []}"#);
    let made = Answer::of(200, r#"{"success": true, "id": 6}"#);
    for answers in [vec![none(), none()], vec![none(), none(), made]] {
        let request = ask(&publication, &answers);
        assert!(request.body.len() <= request::ARTIFACT_BYTES_MAX);
        within(&serde_json::from_slice(&request.body).unwrap(), "/name", 255);
    }
}
