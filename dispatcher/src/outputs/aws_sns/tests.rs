use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, emulated, ministack};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, at_emulator, magic, problem, publication, send};
use crate::outputs::suite::wire::{form, query_fault};
use crate::outputs::suite::{Case, HttpCase};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"topic": "alerts.fifo", "endpoint_url": base, "region": "eu-west-1"});
    let dedup_id = |request: &ReceivedRequest| form(request).remove("MessageDeduplicationId");
    Case::Http(HttpCase {
        server: || {
            Box::new(|_| {
                let result = "<PublishResult><MessageId>m</MessageId></PublishResult>";
                Reply::status(200, &format!("<PublishResponse>{result}</PublishResponse>"))
            })
        },
        busy: query_fault(429, "Throttled", "Rate exceeded"),
        refusal: |message| query_fault(400, "InvalidParameter", message),
        read: |request| form(request)["Message"].clone(),
        is_sdk: true,
        // what a query escapes is up to three times as long
        body_bytes_max: 3 * request::MESSAGE_BYTES_MAX,
        ..HttpCase::new(settings, check, dedup_id)
    })
}

/// What the API reference says of `Publish`.
fn check(request: &ReceivedRequest) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    let form = form(request);
    assert_eq!((&*form["Action"], &*form["Version"]), ("Publish", "2010-03-31"));
    // the region is that of the mock's client
    assert_eq!(form["TopicArn"], "arn:aws:sns:us-east-1:100000000000:alerts.fifo");
    let subject = &form["Subject"];
    assert!((1..100).contains(&subject.chars().count()) && !subject.contains(char::is_control));
    assert!((1..=262_144).contains(&form["Message"].len()));
    for name in ["MessageDeduplicationId", "MessageGroupId"] {
        assert!((1..=128).contains(&form[name].len()));
    }
    serde_json::from_str::<Json>(&form["Message"]).unwrap();
}

#[tokio::test]
async fn subject_and_message_are_those_of_streamalert_unless_publishers_give_others() {
    let plain = publication(alert(1), "aws-sns:a").await;
    let message = request::message(&plain, "k", false).unwrap();
    let subject = format!("cloudtrail_root_login triggered alert {}", alert(1).id);
    assert_eq!(
        (message.subject, message.group, message.dedup_id),
        (subject, None, None)
    );
    assert!(message.text.starts_with("{\n  \""), "{}", message.text);
    for (fields, subject) in [
        (json!({"@aws-sns.topic": "of\nStreamAlert"}), "of StreamAlert"),
        (
            json!({"@aws-sns.topic": "one", "@aws-sns.subject": "other"}),
            "other",
        ),
    ] {
        let magic = magic(plain.clone(), fields);
        assert_eq!(request::message(&magic, "k", false).unwrap().subject, subject);
    }
    let magic = magic(plain, json!({"@aws-sns.message": "come\nquick\u{7}\u{ffff}"}));
    let message = request::message(&magic, "k", false).unwrap();
    assert_eq!(message.text, "come\nquick\u{fffd}\u{fffd}");
}

#[tokio::test]
async fn what_is_too_long_loses_the_middle_of_its_subject_or_the_end_of_its_message() {
    let mut long = alert_with_record(1, &json!({"a": "x".repeat(300_000)}).to_string());
    long.rule_name = "r".repeat(200).into();
    let plain = publication(long, "aws-sns:a").await;
    let message = request::message(&plain, "k", false).unwrap();
    assert_eq!(message.subject.chars().count(), 99);
    assert!(
        message.subject.ends_with(&alert(1).id.to_string()),
        "{}",
        message.subject
    );
    assert!(message.text.contains("record left out"), "{}", message.text);
    let magic = magic(plain, json!({"@aws-sns.message": "😀".repeat(100_000)}));
    let text = request::message(&magic, "k", false).unwrap().text;
    assert!(text.len() <= 262_144 && text.len() > 261_000, "{}", text.len());
    assert!(text.ends_with("more characters)"));
}

#[test]
fn a_topic_is_that_of_its_arn_or_in_the_account_that_is_said() {
    let named = |name: &str| Topic::Named {
        name: name.to_owned(),
        account: "123456789012".to_owned(),
    };
    for (region, arn) in [
        ("eu-west-1", "arn:aws:sns:eu-west-1:123456789012:t"),
        ("cn-north-1", "arn:aws-cn:sns:cn-north-1:123456789012:t"),
        ("us-gov-west-1", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:t"),
    ] {
        assert_eq!(named("t").arn(region), arn);
        let topic = Topic::Arn(arn.to_owned());
        assert_eq!(
            (topic.arn("elsewhere"), topic.region()),
            (arn.to_owned(), Some(region))
        );
    }
    assert!(named("t.fifo").is_fifo() && !named("t").is_fifo());
    let problem = problem(
        "aws-sns:a",
        json!({"topic": "t", "account": "AWS_ACCOUNT_ID_GOES_HERE"}),
    );
    assert!(
        problem.contains("account: must be the twelve digits"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_message_comes_out_of_a_queue_behind_the_topic_once_however_often_it_is_sent() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let config = emulated(&emulator.endpoint(), &account).await;
    let (sns, sqs) = (Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let fifo = aws_sdk_sqs::types::QueueAttributeName::FifoQueue;
    let queue = sqs
        .create_queue()
        .queue_name("behind.fifo")
        .attributes(fifo, "true");
    let queue = queue.send().await.unwrap().queue_url.unwrap();
    let topic = sns
        .create_topic()
        .name("alerts.fifo")
        .attributes("FifoTopic", "true");
    let topic = topic.send().await.unwrap().topic_arn.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    let endpoint = format!("arn:aws:sqs:us-east-1:{account}:behind.fifo");
    subscribe.endpoint(endpoint).send().await.unwrap();
    let name = "aws-sns:topic";
    // as in `conf/outputs.json`, with the account of `conf/global.json`
    let output = at_emulator(name, &[json!("alerts.fifo")], emulator, &account);
    for number in [1, 2, 1] {
        send(&*output, name, alert(number)).await.unwrap();
    }
    let mut ids = Vec::new();
    loop {
        let receive = sqs.receive_message().queue_url(&queue).max_number_of_messages(10);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let envelope: Json = serde_json::from_str(message.body().unwrap()).unwrap();
            let body: Json = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
            let id = body["id"].as_str().unwrap().to_owned();
            assert_eq!(
                envelope["Subject"],
                format!("cloudtrail_root_login triggered alert {id}")
            );
            assert_eq!(body["record"]["eventName"], "ConsoleLogin");
            ids.push(id);
            let handle = message.receipt_handle().unwrap();
            let delete = sqs.delete_message().queue_url(&queue).receipt_handle(handle);
            delete.send().await.unwrap();
        }
    }
    assert_eq!(ids, [alert(1).id.to_string(), alert(2).id.to_string()]);
}
