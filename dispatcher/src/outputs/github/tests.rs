use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::config::Config;
use super::*;
use crate::outputs::fixtures::{alert, magic, problem, publication};
use crate::outputs::http::{Method, Request};
use crate::outputs::suite::{Case, HttpCase, PLANTED, Repeats, Server, json_of, layouts, within};
use crate::{Incident, IncidentAction, Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| {
        json!({
            "api": base, "repository": "example/alerts", "labels": "streamalert, security", "username": "sa",
            "access_token": PLANTED,
        })
    };
    Case::Http(HttpCase {
        server,
        busy: Reply::status(403, r#"{"message": "You have exceeded a secondary rate limit."}"#),
        refusal: |body| {
            let error =
                json!({"message": body, "errors": [], "documentation_url": "https://docs.github.com"});
            Reply::status(422, &error.to_string())
        },
        read: |request| {
            let issue = json_of(request);
            format!("{}\n{}", issue["title"], issue["body"].as_str().unwrap())
        },
        repeats: Repeats::Known,
        body_bytes_max: 300_000,
        ..HttpCase::new(settings, check, |request| {
            (request.method == "POST").then(|| marked(&json_of(request)))
        })
    })
}

/// Keeps issues, newest first.
fn server() -> Server {
    let mut issues: Vec<Json> = Vec::new();
    Box::new(move |request| {
        if request.method == "GET" {
            return Reply::status(200, &Json::Array(issues.clone()).to_string());
        }
        let mut issue = json_of(request);
        issue["number"] = json!(issues.len() + 1);
        issues.insert(0, issue.clone());
        Reply::status(201, &issue.to_string())
    })
}

/// The alert that an issue names.
fn marked(issue: &Json) -> String {
    let body = issue["body"].as_str().unwrap();
    let (_, rest) = body.split_once("alert 0").expect("the alert is named");
    rest[..35].to_owned()
}

/// What "Create an issue" and "List repository issues" document.
fn check(request: &ReceivedRequest) {
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("Bearer {PLANTED}"))
    );
    assert_eq!(request.header("accept"), Some("application/vnd.github+json"));
    assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
    match request.method.as_str() {
        "GET" => assert_eq!(
            request.path,
            "/repos/example/alerts/issues?state=all&sort=created&direction=desc&since=2026-01-31T06%3A59%3A59Z\
             &per_page=50&page=1"
        ),
        "POST" => {
            assert_eq!(request.path, "/repos/example/alerts/issues");
            let issue = json_of(request);
            within(&issue, "/title", 256);
            within(&issue, "/body", 65_536);
            assert_eq!(issue["labels"], json!(["streamalert", "security"]));
        }
        other => panic!("{other}"),
    }
}

fn config() -> Config {
    Config {
        api: Secret::new("https://api.example".to_owned()),
        access_token: Secret::new(PLANTED.to_owned()),
        owner: "o".to_owned(),
        name: "n".to_owned(),
        labels: Vec::new(),
    }
}

fn ask(incident: &Incident, publication: &Publication, answers: &[Answer]) -> Request {
    match response::next(&config(), incident, publication, answers) {
        Ok(Step::Ask(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// `count` issues, the last of which has this text.
fn page(count: usize, text: &str) -> Answer {
    let text_of = |n| if n + 1 == count { text } else { "" };
    let issues: Vec<Json> = (0..count)
        .map(|n| json!({"number": n, "body": text_of(n)}))
        .collect();
    Answer::of(200, &Json::Array(issues).to_string())
}

fn reference(incident: &Incident, publication: &Publication, answers: &[Answer]) -> Option<String> {
    match response::next(&config(), incident, publication, answers) {
        Ok(Step::Done(receipt)) => receipt.reference,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn pages_are_read_until_an_issue_names_the_alert_or_there_are_no_more() {
    let publication = publication(alert(1), "github:a").await;
    let incident = publication.incident();
    let mark = format!("x alert {}", alert(1).id);
    let full = || page(50, "");
    assert!(
        ask(&incident, &publication, &[full()])
            .url
            .expose()
            .ends_with("&page=2")
    );
    assert_eq!(
        reference(&incident, &publication, &[full(), page(3, &mark)]).as_deref(),
        Some("2")
    );
    for answers in [vec![full(), page(3, "")], vec![full(); response::PAGES_MAX]] {
        let create = ask(&incident, &publication, &answers);
        assert_eq!(
            (&create.method, create.url.expose()),
            (&Method::POST, "https://api.example/repos/o/n/issues")
        );
        assert!(answers.len() < GitHub(config()).steps_max());
    }
    let created = Answer::of(201, r#"{"number": 7}"#);
    assert_eq!(
        reference(&incident, &publication, &[page(0, ""), created]).as_deref(),
        Some("7")
    );
}

#[tokio::test]
async fn what_comes_later_becomes_a_comment_once() {
    let mut later = publication(alert(1), "github:a").await;
    let incident = Incident {
        key: "first".to_owned(),
        action: IncidentAction::Update,
    };
    let list = ask(&incident, &later, &[page(5, "alert first")]);
    let comments = "https://api.example/repos/o/n/issues/4/comments";
    assert!(list.method == Method::GET && list.url.expose().starts_with(comments));
    let none = Answer::of(200, r#"[{"body": "hello"}]"#);
    let add = ask(&incident, &later, &[page(5, "alert first"), none.clone()]);
    assert_eq!((&add.method, add.url.expose()), (&Method::POST, comments));
    let body: Json = serde_json::from_slice(&add.body).unwrap();
    let known = Answer::of(200, &json!([body]).to_string());
    later.reference = Some("4".to_owned());
    assert_eq!(reference(&incident, &later, &[known]).as_deref(), Some("4"));
    let added = Answer::of(201, "{}");
    assert_eq!(reference(&incident, &later, &[none, added]).as_deref(), Some("4"));
    let create = ask(&incident, &later, &[Answer::of(410, "{}")]);
    assert!(create.url.expose().ends_with("/issues"));
}

#[tokio::test]
async fn magic_fields_are_those_of_streamalert_and_the_alert_is_named_all_the_same() {
    let fields = json!({"@github.title": "t\n".repeat(300), "@github.body": "b".repeat(70_000)});
    let publication = magic(publication(alert(1), "github:a").await, fields);
    let issue = ask(&publication.incident(), &publication, &[page(0, "")]).body;
    let issue: Json = serde_json::from_slice(&issue).unwrap();
    within(&issue, "/title", 256);
    within(&issue, "/body", 65_536);
    assert!(
        issue["body"]
            .as_str()
            .unwrap()
            .ends_with(&format!("alert {}", alert(1).id))
    );
}

#[tokio::test]
async fn too_many_requests_are_told_by_403_and_a_bad_token_is_not() {
    let publication = publication(alert(1), "github:a").await;
    let incident = publication.incident();
    for (body, is_retryable) in [
        ("You have exceeded a secondary rate limit", true),
        ("API rate limit exceeded", true),
        ("Resource not accessible by personal access token", false),
    ] {
        let error = response::next(&config(), &incident, &publication, &[Answer::of(403, body)]).unwrap_err();
        assert_eq!(error.is_retryable(), is_retryable, "{body}");
    }
}

#[test]
fn a_repository_has_owner_and_name() {
    for wrong in ["alerts", "a/b/c", "/b", "a/", "a b/c", "https://github.com/a/b"] {
        let problem = problem("github:a", json!({"repository": wrong, "access_token": "t"}));
        assert!(problem.contains("must be like OWNER/NAME"), "{wrong}: {problem}");
    }
    assert_eq!(
        problem(
            "github:a",
            json!({"repository": "a-1/b_.c", "access_token": "t", "labels": ""})
        ),
        ""
    );
}

#[tokio::test]
async fn layouts_are_as_recorded_and_within_the_limits() {
    let create = |publication: &Publication| ask(&publication.incident(), publication, &[page(0, "")]).body;
    layouts::recorded("github", create).await;
    let hostile = String::from_utf8(create(&layouts::hostile("github:a").await)).unwrap();
    assert!(!hostile.contains('\u{202e}'), "{hostile}");
    let endless: Json = serde_json::from_slice(&create(&layouts::endless("github:a").await)).unwrap();
    within(&endless, "/title", 256);
    within(&endless, "/body", 65_536);
}
