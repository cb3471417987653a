use std::time::Duration;

use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, emulated, ministack};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, context, publication};
use crate::outputs::suite::{Case, HttpCase};
use crate::registry::{OutputRegistry, OutputSpec};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"queue": "alerts.fifo", "endpoint_url": base, "region": "eu-west-1"});
    let dedup_id = |request: &ReceivedRequest| {
        body(request)["MessageDeduplicationId"]
            .as_str()
            .map(str::to_owned)
    };
    Case::Http(HttpCase {
        server: || {
            Box::new(|request| match request.header("x-amz-target") {
                Some("AmazonSQS.GetQueueUrl") => Reply::status(
                    200,
                    r#"{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/1/alerts.fifo"}"#,
                ),
                _ => Reply::status(200, r#"{"MessageId":"m","SequenceNumber":"1"}"#),
            })
        },
        busy: fault(400, "com.amazonaws.sqs#RequestThrottled", "Request is throttled."),
        refusal: |message| fault(400, "com.amazonaws.sqs#InvalidMessageContents", message),
        read: |request| body(request)["MessageBody"].as_str().unwrap().to_owned(),
        is_sdk: true,
        // the body is quoted once more
        body_bytes_max: 2 * request::MESSAGE_BYTES_MAX,
        ..HttpCase::new(settings, check, dedup_id)
    })
}

fn fault(status: u16, kind: &str, message: &str) -> Reply {
    Reply::status(status, &json!({"__type": kind, "message": message}).to_string())
}

fn body(request: &ReceivedRequest) -> Json {
    serde_json::from_slice(&request.body).unwrap()
}

/// What the API reference says of `SendMessage`.
fn check(request: &ReceivedRequest) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.header("content-type"), Some("application/x-amz-json-1.0"));
    let body = body(request);
    match request.header("x-amz-target").unwrap() {
        "AmazonSQS.GetQueueUrl" => assert_eq!(body["QueueName"], "alerts.fifo"),
        "AmazonSQS.SendMessage" => {
            let message = body["MessageBody"].as_str().unwrap();
            assert!(message.len() <= request::MESSAGE_BYTES_MAX);
            let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            assert!(message.chars().all(allowed));
            for name in ["MessageDeduplicationId", "MessageGroupId"] {
                assert!((1..=128).contains(&body[name].as_str().unwrap().len()));
            }
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_queue_that_is_not_fifo_gets_no_ids_and_what_is_too_large_goes_without_its_record() {
    let publication = publication(
        alert_with_record(1, &json!({"a": "x".repeat(300_000)}).to_string()),
        "aws-sqs:a",
    )
    .await;
    let message = request::message(&publication, "k", false).unwrap();
    assert!(
        message.body.contains("streamalert_truncated") && message.body.len() < request::MESSAGE_BYTES_MAX
    );
    assert_eq!((message.group, message.dedup_id), (None, None));
    let fifo = request::message(&publication, "k", true).unwrap();
    assert_eq!(
        fifo.dedup_id,
        request::message(&publication, "k", true).unwrap().dedup_id
    );
    assert_ne!(
        fifo.dedup_id,
        request::message(&publication, "l", true).unwrap().dedup_id
    );
}

#[tokio::test]
async fn what_json_knows_and_sqs_refuses_is_escaped() {
    let publication = publication(alert_with_record(1, r#"{"a":"\uffff\ufffe"}"#), "aws-sqs:a").await;
    let message = request::message(&publication, "k", false).unwrap();
    assert!(message.body.contains("\\uffff\\ufffe"), "{}", message.body);
}

#[tokio::test]
async fn a_message_comes_out_of_the_queue_once_however_often_it_is_sent() {
    let Some(emulator) = ministack().await else { return };
    let (endpoint, account) = (emulator.endpoint(), account());
    let client = Client::new(&emulated(&endpoint, &account).await);
    let created = client
        .create_queue()
        .queue_name("alerts.fifo")
        .attributes(aws_sdk_sqs::types::QueueAttributeName::FifoQueue, "true")
        .send()
        .await
        .unwrap();
    let url = created.queue_url.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let context = crate::LoadContext {
        aws: Arc::new(move |access| {
            let account = account.clone();
            Box::pin(async move { emulated(&access.endpoint_url.unwrap(), &account).await })
        }),
        ..context(dir.path())
    };
    let name: streamalert_types::OutputName = "aws-sqs:a".parse().unwrap();
    let spec = |settings: Json| OutputSpec {
        name: name.clone(),
        settings,
        origin: String::new(),
    };
    // as in `conf/outputs.json` and in `streamalert.toml`
    let specs = [
        spec(json!("alerts.fifo")),
        spec(json!({"endpoint_url": endpoint})),
    ];
    let output = OutputRegistry::load(&specs, &context)
        .unwrap()
        .into_outputs()
        .remove(&name)
        .unwrap()
        .output;
    let deadline = Instant::now() + Duration::from_secs(30);
    for number in [1, 2, 1] {
        let publication = publication(alert(number), "aws-sqs:a").await;
        output
            .send(&publication, &alert(number).id.to_string(), deadline)
            .await
            .unwrap();
    }
    let mut ids = Vec::new();
    while let Some(messages) = client
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(10)
        .send()
        .await
        .unwrap()
        .messages
        .filter(|messages| !messages.is_empty())
    {
        for message in messages {
            let body: Json = serde_json::from_str(message.body().unwrap()).unwrap();
            assert_eq!(body["record"]["eventName"], "ConsoleLogin");
            ids.push(body["id"].as_str().unwrap().to_owned());
            let handle = message.receipt_handle().unwrap();
            client
                .delete_message()
                .queue_url(&url)
                .receipt_handle(handle)
                .send()
                .await
                .unwrap();
        }
    }
    assert_eq!(ids, [alert(1).id.to_string(), alert(2).id.to_string()]);
}
