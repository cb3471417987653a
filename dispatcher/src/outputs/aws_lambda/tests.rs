use std::time::Duration;

use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, ministack};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::config::{Config, Function, function};
use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, at_emulator, magic, publication, send};
use crate::outputs::suite::wire::{body_of, json_fault};
use crate::outputs::suite::{Case, HttpCase};

pub(in crate::outputs) fn case() -> Case {
    let settings = |base: &str| json!({"function": "respond:production", "payload": "publication", "endpoint_url": base, "region": "eu-west-1"});
    case_of(settings, |request| {
        check(
            request,
            "/2015-03-31/functions/respond/invocations?Qualifier=production",
        );
    })
}

pub(in crate::outputs) fn case_of(settings: fn(&str) -> Json, check: fn(&ReceivedRequest)) -> Case {
    let id = |request: &ReceivedRequest| Some(body_of(request)["id"].as_str()?.to_owned());
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(202, "")),
        busy: json_fault(429, "TooManyRequestsException", "Rate Exceeded."),
        refusal: |message| json_fault(400, "InvalidRequestContentException", message),
        is_sdk: true,
        body_bytes_max: request::PAYLOAD_BYTES_MAX,
        ..HttpCase::new(settings, check, id)
    })
}

/// What the API reference says of `Invoke`.
pub(in crate::outputs) fn check(request: &ReceivedRequest, path: &str) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", path));
    assert_eq!(request.header("x-amz-invocation-type"), Some("Event"));
    body_of(request);
}

#[test]
fn functions_are_named_in_every_form_of_the_api() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
    for (text, name, qualifier) in [
        ("f", "f", None),
        ("f:prod", "f", Some("prod")),
        ("123456789012:function:f", "123456789012:function:f", None),
        ("123456789012:function:f:7", "123456789012:function:f", Some("7")),
        (arn, arn, None),
        (&format!("{arn}:$LATEST"), arn, Some("$LATEST")),
    ] {
        let expected = Function {
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        };
        assert_eq!(Function::parse(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "a:",
        ":a",
        "a b",
        "arn:aws:lambda",
        "a:b:c:d:e",
        "a:b:c:d:e:f:g",
    ] {
        assert!(function(text).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_function_gets_the_record_unless_publishers_give_something_else() {
    let config = |is_record| Config {
        function: Function::parse("f").unwrap(),
        is_record,
        magic: &[("aws-lambda", "alert_data")],
    };
    let sent = |publication: &Publication, is_record: bool| -> Json {
        serde_json::from_str(&request::payload(publication, &config(is_record)).unwrap()).unwrap()
    };
    let plain = publication(alert(1), "aws-lambda:a").await;
    let record: Json = serde_json::from_slice(&alert(1).record).unwrap();
    assert_eq!(sent(&plain, true), record);
    assert_eq!(sent(&plain, false)["id"], alert(1).id.to_string());
    let magic = magic(plain, json!({"@aws-lambda.alert_data": {"a": [1]}}));
    for is_record in [true, false] {
        assert_eq!(sent(&magic, is_record), json!({"a": [1]}));
    }
    let huge = json!({"a": "x".repeat(request::PAYLOAD_BYTES_MAX)}).to_string();
    let huge = publication(alert_with_record(1, &huge), "aws-lambda:a").await;
    let sent = sent(&huge, true);
    assert!(sent["streamalert_truncated"].is_string(), "{sent}");
}

#[tokio::test]
async fn a_function_is_called_once_with_the_record() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let dir = tempfile::tempdir().unwrap();
    let calls = emulator.calls(&account);
    calls.create_function("respond", &dir.path().join("called")).await;
    let name = "aws-lambda:respond";
    // as in `conf/outputs.json`
    let arn = format!("arn:aws:lambda:us-east-1:{account}:function:respond");
    for function in ["respond", "respond:$LATEST", &arn] {
        let output = at_emulator(name, &[json!(function)], emulator, &account);
        send(&*output, name, alert(1)).await.unwrap();
    }
    let called = called(&dir.path().join("called"), 3).await;
    let record: Json = serde_json::from_slice(&alert(1).record).unwrap();
    assert_eq!(called, [record.clone(), record.clone(), record]);
}

/// What a function was called with, when it was called so often.
pub(in crate::outputs) async fn called(file: &std::path::Path, count: usize) -> Vec<Json> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= count {
            return text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
        }
        assert!(Instant::now() < deadline, "{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
