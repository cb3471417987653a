use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, emulated, ministack};
use streamalert_testkit::{ReceivedRequest, Reply};
use streamalert_types::Timestamp;

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, at_emulator, problem, publication, send};
use crate::outputs::suite::wire::{body_of, json_fault};
use crate::outputs::suite::{Case, HttpCase, Server};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"endpoint_url": base, "region": "eu-west-1"});
    let identity = |request: &ReceivedRequest| match action(request) {
        "PutLogEvents" => Some(message(request)["id"].as_str().unwrap().to_owned()),
        _ => None,
    };
    Case::Http(HttpCase {
        server,
        busy: json_fault(400, "ThrottlingException", "Rate exceeded"),
        refusal: |message| json_fault(400, "InvalidParameterException", message),
        read: |request| message(request).to_string(),
        is_sdk: true,
        // the event is quoted
        body_bytes_max: 2 * request::EVENT_BYTES_MAX,
        ..HttpCase::new(settings, check, identity)
    })
}

fn action(request: &ReceivedRequest) -> &str {
    let target = request.header("x-amz-target").unwrap();
    target.strip_prefix("Logs_20140328.").unwrap()
}

fn message(request: &ReceivedRequest) -> Json {
    let body = body_of(request);
    serde_json::from_str(body["logEvents"][0]["message"].as_str().unwrap()).unwrap()
}

/// Has neither group nor stream until they are made.
fn server() -> Server {
    let (mut group, mut stream) = (false, false);
    Box::new(move |request| {
        let missing = || json_fault(400, "ResourceNotFoundException", "It does not exist.");
        match action(request) {
            "PutLogEvents" if stream => Reply::status(200, r#"{"nextSequenceToken":"1"}"#),
            "CreateLogGroup" if group => json_fault(400, "ResourceAlreadyExistsException", "It is there."),
            "CreateLogGroup" => {
                group = true;
                Reply::status(200, "")
            }
            "CreateLogStream" if group => {
                stream = true;
                Reply::status(200, "")
            }
            _ => missing(),
        }
    })
}

/// What the API reference says of the three actions.
fn check(request: &ReceivedRequest) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.header("content-type"), Some("application/x-amz-json-1.1"));
    let body = body_of(request);
    assert_eq!(body["logGroupName"], "/streamalert/alerts");
    if action(request) == "CreateLogGroup" {
        return;
    }
    assert_eq!(body["logStreamName"], "a");
    if action(request) == "PutLogEvents" {
        let events = body["logEvents"].as_array().unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["timestamp"], 1_769_846_399_000_i64);
        assert!(events[0]["message"].as_str().unwrap().len() + 26 <= 1 << 20);
    }
}

#[tokio::test]
async fn an_old_alert_and_one_of_the_future_are_logged_under_the_time_of_their_delivery() {
    let publication = publication(alert(1), "aws-cloudwatch-log:a").await;
    let at = |now: &str| {
        let now: Timestamp = now.parse().unwrap();
        let event = request::event(&publication, now).unwrap();
        (event.timestamp, now.as_micros() / 1000)
    };
    assert_eq!(at("2026-01-31T19:00:00.000000Z").0, 1_769_846_399_000);
    for now in ["2026-01-31T20:00:00.000000Z", "2026-01-31T07:00:00.000000Z"] {
        let (logged, now) = at(now);
        assert_eq!(logged, now);
    }
}

#[tokio::test]
async fn an_event_has_the_whole_of_the_batch_and_no_byte_more() {
    let of = async |bytes: usize| {
        let record = json!({"a": "x".repeat(bytes)}).to_string();
        let publication = publication(alert_with_record(1, &record), "aws-cloudwatch-log:a").await;
        let event = request::event(&publication, "2026-01-31T08:00:00.000000Z".parse().unwrap());
        event.unwrap().message
    };
    let around = of(0).await.len();
    let largest = request::EVENT_BYTES_MAX - around;
    assert_eq!(of(largest).await.len(), request::EVENT_BYTES_MAX);
    let cut = of(largest + 1).await;
    assert!(cut.contains("record left out: 1048551 bytes"), "{cut}");
}

#[test]
fn names_that_are_none_are_refused() {
    for (field, value) in [("log_group", "a:b"), ("log_group", ""), ("log_stream", "a*")] {
        let problem = problem("aws-cloudwatch-log:a", json!({field: value}));
        // an empty text counts as none given
        assert_eq!(problem.contains(field), !value.is_empty(), "{problem}");
    }
}

#[tokio::test]
async fn alerts_are_read_back_out_of_a_log_that_was_not_there() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let client = Client::new(&emulated(&emulator.endpoint(), &account).await);
    let name = "aws-cloudwatch-log:security";
    // as in `conf/outputs.json`, which only lists it
    let output = at_emulator(name, &[Json::Null], emulator, &account);
    for number in [2, 1] {
        let mut alert = alert(number);
        // within what CloudWatch takes
        alert.created = "2026-01-31T07:00:00.000000Z".parse().unwrap();
        send(&*output, name, alert).await.unwrap();
    }
    let events = client
        .get_log_events()
        .log_group_name("/streamalert/alerts")
        .log_stream_name("security")
        .start_from_head(true)
        .send()
        .await
        .unwrap();
    let messages = events.events().iter().map(|event| event.message().unwrap());
    let messages: Vec<Json> = messages.map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(messages.len(), 2);
    for (message, number) in messages.iter().zip([2, 1]) {
        assert_eq!(message["id"], alert(number).id.to_string());
        assert_eq!(message["record"]["eventName"], "ConsoleLogin");
    }
}
