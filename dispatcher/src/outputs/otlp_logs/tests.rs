use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::Secret;
use crate::outputs::fixtures::publication;
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": base, "headers": {"api-key": PLANTED}});
    let identity = |request: &ReceivedRequest| {
        let record = record_of(&json_of(request));
        Some(
            attribute(&record, "streamalert.idempotency_key")?
                .as_str()?
                .to_owned(),
        )
    };
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(200, "{}")),
        refusal: |body| Reply::status(400, &json!({"code": 3, "message": body}).to_string()),
        ..HttpCase::new(settings, check, identity)
    })
}

fn record_of(request: &Json) -> Json {
    request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].clone()
}

fn attribute(record: &Json, name: &str) -> Option<Json> {
    let attributes = record["attributes"].as_array()?;
    let found = attributes.iter().find(|attribute| attribute["key"] == name)?;
    let value = found["value"].as_object()?;
    assert_eq!(value.len(), 1, "a value is of one kind");
    value.values().next().cloned()
}

/// What OTLP/HTTP and the JSON encoding of Protobuf say.
fn check(request: &ReceivedRequest) {
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/v1/logs")
    );
    assert_eq!(request.header("api-key"), Some(PLANTED));
    check_export(&json_of(request));
}

fn check_export(export: &Json) {
    let resource = &export["resourceLogs"][0]["resource"]["attributes"][0];
    assert_eq!(resource["key"], "service.name");
    let record = record_of(export);
    for time in ["timeUnixNano", "observedTimeUnixNano"] {
        assert!(record[time].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000_000_000);
    }
    assert!((1..=24).contains(&record["severityNumber"].as_u64().unwrap()));
    assert!(record["body"]["stringValue"].is_string());
    for (id, digits) in [("traceId", 32), ("spanId", 16)] {
        let is_hex = |id: &str| id.len() == digits && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(record.get(id).is_none_or(|id| is_hex(id.as_str().unwrap())));
    }
    let mut names = std::collections::BTreeSet::new();
    for attribute in record["attributes"].as_array().unwrap() {
        assert!(
            names.insert(attribute["key"].as_str().unwrap()),
            "{attribute} is there twice"
        );
        let value = attribute["value"].as_object().unwrap();
        let kind = value.keys().next().unwrap();
        assert!(
            ["stringValue", "boolValue", "intValue"].contains(&kind.as_str()),
            "{kind}"
        );
    }
}

fn export(publication: &crate::Publication) -> Json {
    let config = config::Config {
        url: Secret::new("http://collector:4318/otlp/v1/logs".to_owned()),
        headers: Default::default(),
        service_name: "streamalert".to_owned(),
        body_bytes_max: 1 << 20,
    };
    let parcel = Parcel {
        publication,
        key: "the-key",
        now: "2026-01-31T08:00:00.000000Z".parse().unwrap(),
    };
    let request = request::export(&config, &parcel).unwrap();
    assert_eq!(request.url.expose(), "http://collector:4318/otlp/v1/logs");
    let export = serde_json::from_slice(&request.body).unwrap();
    check_export(&export);
    export
}

#[tokio::test]
async fn a_record_has_severity_trace_and_what_was_found() {
    let mut rich = layouts::rich("otlp-logs:a").await;
    rich.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        .parse()
        .ok();
    let record = record_of(&export(&rich));
    assert_eq!(
        (&record["severityNumber"], &record["severityText"]),
        (&json!(21), &json!("Critical"))
    );
    assert_eq!(record["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(record["spanId"], "b7ad6b7169203331");
    assert_eq!(
        record["body"]["stringValue"],
        "Cloudtrail root login: Somebody signed in to the console as root."
    );
    let found = attribute(&record, "streamalert.record").unwrap();
    let found: Json = serde_json::from_str(found.as_str().unwrap()).unwrap();
    assert_eq!(found["userIdentity"]["type"], "Root");
    assert_eq!(attribute(&record, "streamalert.staged"), Some(json!(false)));

    let merged = record_of(&export(&layouts::merged("otlp-logs:a").await));
    assert_eq!(attribute(&merged, "streamalert.merged"), Some(json!("12")));
}

#[tokio::test]
async fn a_publication_of_publishers_replaces_what_was_found() {
    let mut changed = publication(crate::outputs::fixtures::alert(1), "otlp-logs:a").await;
    changed.body = streamalert_value::Value::parse_json(br#"{"note": "kept", "@slack.text": "x"}"#).unwrap();
    let record = record_of(&export(&changed));
    assert_eq!(attribute(&record, "streamalert.note"), Some(json!("kept")));
    assert!(!record.to_string().contains("ConsoleLogin") && !record.to_string().contains("slack"));
}

#[test]
fn a_rejected_record_is_refused() {
    for rejected in [json!(1), json!("1")] {
        let body = json!({"partialSuccess": {"rejectedLogRecords": rejected, "errorMessage": "too old"}});
        let error = response::judge(&Answer::of(200, &body.to_string())).unwrap_err();
        assert!(!error.is_retryable() && error.message.contains("too old"));
    }
    let warned = json!({"partialSuccess": {"rejectedLogRecords": 0, "errorMessage": "please compress"}});
    assert!(response::judge(&Answer::of(200, &warned.to_string())).is_ok());
    assert!(response::judge(&Answer::of(204, "")).is_ok());
}
