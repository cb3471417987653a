use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::config::{Config, Edition};
use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, magic, problem, publication};
use crate::outputs::http::{Method, Request};
use crate::outputs::suite::{Case, HttpCase, PLANTED, Repeats, Server, json_of, layouts, within};
use crate::{Incident, IncidentAction, Publication, Secret};

pub(super) fn case() -> Case {
    case_of(|request| check(request, "/rest/api/2/search"))
}

pub(in crate::outputs) fn case_of(check: fn(&ReceivedRequest)) -> Case {
    let settings = |base: &str| {
        json!({
            "url": base, "username": "sa", "password": PLANTED, "project_key": "SEC", "issue_type": "Task",
            "aggregate": "no", "ssl_verify": "yes", "aggregation_additional_jql": "",
            "additional_required_issue_fields": r#"{"customfield_1": {"value": "Low"}}"#,
        })
    };
    Case::Http(HttpCase {
        server,
        refusal: |body| Reply::status(400, &json!({"errorMessages": [body], "errors": {}}).to_string()),
        read: |request| format!("{}\n{}", json_of(request)["fields"]["summary"], text_of(request)),
        repeats: Repeats::Known,
        body_bytes_max: 200_000,
        ..HttpCase::new(settings, check, |request| {
            (request.method == "POST").then(|| id_of(&text_of(request)).to_owned())
        })
    })
}

/// Keeps descriptions by key, and finds them by the words in a query.
fn server() -> Server {
    let mut issues = BTreeMap::new();
    Box::new(move |request| {
        if request.method == "GET" {
            let found = issues.iter().filter(|(_, id)| request.path.contains(*id));
            let found: Vec<Json> = found.map(|(key, _)| json!({"key": key})).collect();
            return Reply::status(200, &json!({"issues": found}).to_string());
        }
        let key = format!("SEC-{}", issues.len() + 1);
        issues.insert(key.clone(), id_of(&text_of(request)).to_owned());
        Reply::status(201, &json!({"id": "1", "key": key}).to_string())
    })
}

fn text_of(request: &ReceivedRequest) -> String {
    json_of(request)["fields"]["description"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The alert that a text names.
fn id_of(text: &str) -> &str {
    let (_, rest) = text.split_once("alert 0").expect("the alert is named");
    &rest[..35]
}

/// What "create issue" and "search" document.
pub(in crate::outputs) fn check(request: &ReceivedRequest, search: &str) {
    assert!(request.header("authorization").unwrap().starts_with("Basic c2E6"));
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match request.method.as_str() {
        "GET" => assert!(path == search && query.starts_with("jql=project+%3D+%22SEC%22+AND+")),
        "POST" => {
            assert_eq!(path, "/rest/api/2/issue");
            let body = json_of(request);
            assert_eq!(body["fields"]["project"]["key"], "SEC");
            assert_eq!(body["fields"]["issuetype"]["name"], "Task");
            assert_eq!(body["fields"]["customfield_1"]["value"], "Low");
            within(&body, "/fields/summary", 255);
            within(&body, "/fields/description", 32_767);
        }
        other => panic!("{other}"),
    }
}

fn config(aggregates: bool) -> Config {
    Config {
        edition: Edition::DataCenter,
        url: Secret::new("https://jira.example/base/".to_owned()),
        username: "sa".to_owned(),
        password: Secret::new(PLANTED.to_owned()),
        project_key: "S\"EC".to_owned(),
        issue_type: "Task".to_owned(),
        aggregates,
        additional_jql: Some("created > -1w".to_owned()),
        fields: Default::default(),
    }
}

fn ask(config: &Config, incident: &Incident, publication: &Publication, answers: &[Answer]) -> Request {
    match response::next(config, incident, publication, answers) {
        Ok(Step::Ask(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn body(request: &Request) -> Json {
    serde_json::from_slice(&request.body).unwrap()
}

/// The JQL of a search.
fn jql(request: &Request) -> String {
    let url = reqwest::Url::parse(request.url.expose()).unwrap();
    url.query_pairs()
        .find(|(name, _)| name == "jql")
        .unwrap()
        .1
        .into_owned()
}

fn found(keys: &[&str]) -> Answer {
    let issue = |key: &&str| json!({"key": key, "fields": {"summary": "StreamAlert cloudtrail_root_login"}});
    let issues: Vec<Json> = keys.iter().map(issue).collect();
    Answer::of(200, &json!({"issues": issues}).to_string())
}

#[tokio::test]
async fn an_issue_is_made_when_no_text_names_the_alert() {
    let publication = publication(alert(1), "jira:a").await;
    let (config, incident) = (config(false), publication.incident());
    let id = alert(1).id;
    let search = ask(&config, &incident, &publication, &[]);
    assert_eq!(
        jql(&search),
        format!(r#"project = "S\"EC" AND (description ~ "\"alert {id}\"" OR comment ~ "\"alert {id}\"")"#)
    );
    let create = ask(&config, &incident, &publication, &[found(&[])]);
    assert_eq!(
        (&create.method, create.url.expose()),
        (&Method::POST, "https://jira.example/base/rest/api/2/issue")
    );
    let fields = body(&create)["fields"].clone();
    assert_eq!(fields["summary"], "StreamAlert cloudtrail_root_login");
    assert!(
        fields["description"]
            .as_str()
            .unwrap()
            .contains(&format!("alert {id}"))
    );
    let created = Answer::of(201, r#"{"id": "1", "key": "SEC-7"}"#);
    for answers in [vec![found(&[]), created], vec![found(&["SEC-7"])]] {
        match response::next(&config, &incident, &publication, &answers) {
            Ok(Step::Done(receipt)) => assert_eq!(receipt.reference.as_deref(), Some("SEC-7")),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn aggregated_alerts_become_comments_on_the_issue_with_the_same_summary() {
    let publication = publication(alert(1), "jira:a").await;
    let (config, incident) = (config(true), publication.incident());
    let search = ask(&config, &incident, &publication, &[found(&[])]);
    assert_eq!(
        jql(&search),
        r#"project = "S\"EC" AND summary ~ "\"StreamAlert cloudtrail_root_login\"" AND (created > -1w) ORDER BY created DESC"#
    );
    let similar = Answer::of(
        200,
        r#"{"issues": [{"key": "SEC-1", "fields": {"summary": "StreamAlert cloudtrail_root_login x"}}]}"#,
    );
    let create = ask(&config, &incident, &publication, &[found(&[]), similar]);
    assert!(create.url.expose().ends_with("/issue"));
    let comment = ask(&config, &incident, &publication, &[found(&[]), found(&["SEC-2"])]);
    assert!(comment.url.expose().ends_with("/issue/SEC-2/comment"));
    assert!(
        body(&comment)["body"]
            .as_str()
            .unwrap()
            .contains(&alert(1).id.to_string())
    );
    // an issue that cannot be commented on
    let answers = [found(&[]), found(&["SEC-2"]), Answer::of(404, "{}")];
    assert!(
        ask(&config, &incident, &publication, &answers)
            .url
            .expose()
            .ends_with("/issue")
    );
    let answers = [found(&[]), found(&["SEC-2"]), Answer::of(503, "{}")];
    let error = response::next(&config, &incident, &publication, &answers).unwrap_err();
    assert!(error.is_retryable());
}

#[tokio::test]
async fn what_comes_later_becomes_a_comment_on_the_issue_of_the_incident() {
    let mut later = publication(alert(1), "jira:a").await;
    let incident = Incident {
        key: "first".to_owned(),
        action: IncidentAction::Update,
    };
    let config = config(true);
    assert!(jql(&ask(&config, &incident, &later, &[found(&[])])).contains("alert first"));
    let comment = ask(&config, &incident, &later, &[found(&[]), found(&["SEC-3"])]);
    assert!(comment.url.expose().ends_with("/issue/SEC-3/comment"));
    let create = ask(&config, &incident, &later, &[found(&[]), found(&[])]);
    assert!(create.url.expose().ends_with("/issue"));
    later.reference = Some("SEC-4".to_owned());
    let comment = ask(&config, &incident, &later, &[found(&[])]);
    assert!(comment.url.expose().ends_with("/issue/SEC-4/comment"));
}

#[tokio::test]
async fn magic_fields_are_those_of_streamalert_and_the_alert_is_named_all_the_same() {
    let fields = json!({
        "@jira.issue_summary": "A\n\"b\\c\" summary".repeat(30), "@jira.description": "d".repeat(40_000),
        "@jira.additional_fields": {"labels": ["x"], "issuetype": {"name": "Bug"}},
    });
    for name in ["jira:a", "jira-v2:a"] {
        let publication = magic(publication(alert(1), name).await, fields.clone());
        let incident = publication.incident();
        let fields = body(&ask(&config(false), &incident, &publication, &[found(&[])]))["fields"].clone();
        within(&fields, "/summary", 255);
        within(&fields, "/description", 32_767);
        let description = fields["description"].as_str().unwrap();
        assert!(
            description.ends_with(&format!("alert {}", alert(1).id))
                && description.contains("more characters")
        );
        assert_eq!(
            (&fields["labels"], &fields["issuetype"]["name"]),
            (&json!(["x"]), &json!("Bug"))
        );
        let jql = jql(&ask(&config(true), &incident, &publication, &[found(&[])]));
        assert!(
            !jql.contains('\n') && jql.contains(r#"~ "\"A  b c  summary"#),
            "{jql}"
        );
    }
    let own = json!({"@jira.issue_summary": "theirs", "@jira-v2.issue_summary": "ours"});
    assert_eq!(
        request::summary(&magic(publication(alert(1), "jira-v2:a").await, own)),
        "ours"
    );
}

#[tokio::test]
async fn a_large_alert_is_cut_to_the_limit() {
    let record = json!({"blob": "{noformat}".repeat(20_000)}).to_string();
    let publication = publication(alert_with_record(1, &record), "jira:a").await;
    let create = body(&ask(
        &config(false),
        &publication.incident(),
        &publication,
        &[found(&[])],
    ));
    within(&create, "/fields/description", 32_767);
}

#[test]
fn settings_are_those_of_streamalert() {
    let with = |name: &str, value: &str| {
        let mut settings = json!({
            "url": "https://jira.example", "username": "u", "password": "p", "project_key": "K", "issue_type": "T",
            "aggregate": "yes", "aggregation_additional_jql": "", "ssl_verify": "no",
            "additional_required_issue_fields": "",
        });
        settings[name] = json!(value);
        problem("jira:a", settings)
    };
    assert_eq!(with("aggregate", "YES"), "");
    assert!(with("aggregate", "maybe").contains("aggregate: must be yes or no"));
    assert!(with("additional_required_issue_fields", "[]").contains("must be a dictionary"));
    assert!(with("additional_required_issue_fields", "{").contains("must be JSON"));
    assert!(with("password", "").contains("password"));
}

#[tokio::test]
async fn layouts_are_as_recorded_and_within_the_limits() {
    let create = |publication: &Publication| {
        ask(
            &config(false),
            &publication.incident(),
            publication,
            &[found(&[])],
        )
        .body
    };
    layouts::recorded("jira", create).await;
    let endless: Json = serde_json::from_slice(&create(&layouts::endless("jira:a").await)).unwrap();
    within(&endless, "/fields/summary", 255);
    within(&endless, "/fields/description", 32_767);
}
