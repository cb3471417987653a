use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, emulated, ministack};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, at_emulator, magic, publication, send};
use crate::outputs::suite::wire::{body_of, json_fault};
use crate::outputs::suite::{Case, HttpCase};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"queue": "alerts.fifo", "payload": "publication", "endpoint_url": base, "region": "eu-west-1"});
    let dedup_id = |request: &ReceivedRequest| {
        body_of(request)["MessageDeduplicationId"]
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
        busy: json_fault(400, "com.amazonaws.sqs#RequestThrottled", "Request is throttled."),
        refusal: |message| json_fault(400, "com.amazonaws.sqs#InvalidMessageContents", message),
        read: |request| body_of(request)["MessageBody"].as_str().unwrap().to_owned(),
        is_sdk: true,
        // the body is quoted once more
        body_bytes_max: 2 * request::MESSAGE_BYTES_MAX,
        ..HttpCase::new(settings, check, dedup_id)
    })
}

/// What the API reference says of `SendMessage`.
fn check(request: &ReceivedRequest) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.header("content-type"), Some("application/x-amz-json-1.0"));
    let body = body_of(request);
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

fn config(queue: &str, is_record: bool) -> config::Config {
    config::Config {
        queue: queue.to_owned(),
        is_record,
    }
}

#[tokio::test]
async fn a_queue_that_is_not_fifo_gets_no_ids_and_what_is_too_large_goes_without_its_record() {
    let publication = publication(
        alert_with_record(1, &json!({"a": "x".repeat(300_000)}).to_string()),
        "aws-sqs:a",
    )
    .await;
    for is_record in [true, false] {
        let message = request::message(&publication, "k", &config("q", is_record)).unwrap();
        assert!(
            message.body.contains("streamalert_truncated") && message.body.len() < request::MESSAGE_BYTES_MAX
        );
        assert_eq!((message.group, message.dedup_id), (None, None));
    }
    let fifo = |key: &str| request::message(&publication, key, &config("q.fifo", true)).unwrap();
    assert_eq!(fifo("k").dedup_id, fifo("k").dedup_id);
    assert_ne!(fifo("k").dedup_id, fifo("l").dedup_id);
}

#[tokio::test]
async fn a_message_is_the_record_unless_publishers_give_something_else() {
    let plain = publication(alert(1), "aws-sqs:a").await;
    let sent = |publication: &Publication, is_record: bool| -> Json {
        let message = request::message(publication, "k", &config("q", is_record)).unwrap();
        serde_json::from_str(&message.body).unwrap()
    };
    let record: Json = serde_json::from_slice(&alert(1).record).unwrap();
    assert_eq!(sent(&plain, true), record);
    assert_eq!(sent(&plain, false)["id"], alert(1).id.to_string());
    let magic = magic(plain, json!({"@aws-sqs.message_data": {"a": 1}}));
    assert_eq!(sent(&magic, true), json!({"a": 1}));
}

#[tokio::test]
async fn characters_that_queues_refuse_are_escaped() {
    let odd = json!({"a": "\u{ffff}\u{fffe}"}).to_string();
    let publication = publication(alert_with_record(1, &odd), "aws-sqs:a").await;
    let message = request::message(&publication, "k", &config("q", true)).unwrap();
    assert!(message.body.contains("\\uffff\\ufffe"), "{}", message.body);
}

#[tokio::test]
async fn a_message_comes_out_of_the_queue_once_however_often_it_is_sent() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let client = Client::new(&emulated(&emulator.endpoint(), &account).await);
    let fifo = aws_sdk_sqs::types::QueueAttributeName::FifoQueue;
    let queue = client
        .create_queue()
        .queue_name("alerts.fifo")
        .attributes(fifo, "true");
    let url = queue.send().await.unwrap().queue_url.unwrap();
    let name = "aws-sqs:a";
    // as in `conf/outputs.json` and in `streamalert.toml`
    let settings = [json!("alerts.fifo"), json!({"payload": "publication"})];
    let output = at_emulator(name, &settings, emulator, &account);
    for number in [1, 2, 1] {
        send(&*output, name, alert(number)).await.unwrap();
    }
    let mut ids = Vec::new();
    loop {
        let receive = client
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(10);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let body: Json = serde_json::from_str(message.body().unwrap()).unwrap();
            assert_eq!(body["record"]["eventName"], "ConsoleLogin");
            ids.push(body["id"].as_str().unwrap().to_owned());
            let handle = message.receipt_handle().unwrap();
            let delete = client.delete_message().queue_url(&url).receipt_handle(handle);
            delete.send().await.unwrap();
        }
    }
    assert_eq!(ids, [alert(1).id.to_string(), alert(2).id.to_string()]);
}
