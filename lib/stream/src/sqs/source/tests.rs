use std::time::Duration;

use streamalert_aws::FaultKind;

use super::*;
use crate::sqs::played::Played;

fn named(service: &str, resource: &str) -> Arc<Source> {
    Arc::new(Source {
        service: service.into(),
        resource: resource.into(),
        cluster: Some("prod".into()),
    })
}

fn options(content: SqsContent) -> SqsOptions {
    SqsOptions {
        queue: "queue".to_owned(),
        content,
        reading: QueueOptions::default(),
    }
}

fn source(queue: &Arc<Played>, limits: &SourceLimits) -> SqsSource {
    SqsSource::start(
        queue.clone(),
        options(SqsContent::Logs(named("sqs", "queue"))),
        limits,
    )
}

async fn take(source: &mut SqsSource) -> Payload {
    source.next().await.unwrap().unwrap()
}

fn message(body: &str, receives: u32) -> QueueMessage {
    QueueMessage {
        id: "id".to_owned(),
        receipt: "receipt".to_owned(),
        body: body.to_owned(),
        receives,
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_deleted_when_it_is_acknowledged_and_not_before() {
    let queue = Played::new();
    queue.send("a", "one");
    queue.send("b", "two");
    let mut source = source(&queue, &SourceLimits::default());
    let (one, two) = (take(&mut source).await, take(&mut source).await);
    assert_eq!((&one.body[..], &one.form), (&b"one"[..], &PayloadForm::Message));
    assert_eq!(one.position.to_string(), "queue@a");
    one.token.ack();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(queue.left(), ["b"]);
    assert_eq!(source.progress().payloads_open, 1);
    two.token.ack();
    Box::new(source).finish().await.unwrap();
    assert!(queue.left().is_empty(), "without waiting for others");
}

#[tokio::test(start_paused = true)]
async fn what_is_worked_on_for_long_stays_hidden_and_what_is_dropped_with_us_comes_to_light() {
    let queue = Played::new();
    queue.send("a", "one");
    let mut source = source(&queue, &SourceLimits::default());
    let payload = take(&mut source).await;
    queue.fail("sqs:ChangeMessageVisibility", FaultKind::Throttled);
    let again = tokio::time::timeout(Duration::from_secs(600), source.next()).await;
    assert!(
        again.is_err(),
        "not for ten minutes, although it is hidden for one only"
    );
    assert_eq!(queue.visible(), 0);
    let extended = queue.extended().len();
    assert!((29..=31).contains(&extended), "{extended}: every 20 s");
    drop(payload);
    Box::new(source).finish().await.unwrap();
    assert_eq!(
        (queue.visible(), queue.left().len()),
        (1, 1),
        "given back at once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_deletion_is_asked_again_and_to_a_receiving_comes_again() {
    let queue = Played::new();
    queue.send("a", "one");
    queue.fail("sqs:ReceiveMessage", FaultKind::Unknown);
    let mut source = source(&queue, &SourceLimits::default());
    let began = tokio::time::Instant::now();
    let payload = take(&mut source).await;
    assert!(
        began.elapsed() >= Duration::from_secs(59),
        "it was hidden by the answer that was lost"
    );
    queue.fail("sqs:DeleteMessage", FaultKind::Unknown);
    payload.token.ack();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((queue.left().len(), queue.calls("sqs:DeleteMessage")), (0, 2));
    queue.send("b", "two");
    assert_eq!(take(&mut source).await.body, "two", "and it goes on");
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_and_never_ends_the_source() {
    let queue = Played::new();
    for _ in 0..8 {
        queue.fail("sqs:ReceiveMessage", FaultKind::Throttled);
    }
    queue.send("a", "one");
    let mut source = source(&queue, &SourceLimits::default());
    let began = tokio::time::Instant::now();
    take(&mut source).await.token.ack();
    let waited = began.elapsed().as_millis();
    assert!(
        (22_500..46_500).contains(&waited),
        "{waited}: 0.2 s doubled, up to 20 s, each shortened by up to half"
    );
    for _ in 0..3 {
        queue.fail("sqs:DeleteMessage", FaultKind::Throttled);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_missing_or_denied_at_first_ends_the_source_with_the_action() {
    for kind in [FaultKind::NotFound, FaultKind::Denied, FaultKind::NoCredentials] {
        let queue = Played::new();
        queue.fail("sqs:ReceiveMessage", kind);
        let mut source = source(&queue, &SourceLimits::default());
        let error = source.next().await.unwrap_err();
        assert!(!error.is_retryable());
        let text = error.to_string();
        assert!(
            text.contains("sqs:queue") && text.contains("sqs:ReceiveMessage"),
            "{text}"
        );
        assert!(source.next().await.unwrap().is_none());
    }
    let queue = Played::new();
    queue.send("a", "one");
    let mut source = source(&queue, &SourceLimits::default());
    let one = take(&mut source).await;
    queue.fail("sqs:ReceiveMessage", FaultKind::Denied);
    queue.send("b", "two");
    assert_eq!(take(&mut source).await.body, "two", "later it is waited for");
    drop(one);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_received_without_room() {
    let queue = Played::new();
    for n in 0..30 {
        queue.send(&format!("{n:02}"), "x");
    }
    let limits = SourceLimits {
        payloads_open_max: 12,
        ..SourceLimits::default()
    };
    let mut source = source(&queue, &limits);
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push(take(&mut source).await);
    }
    assert!(
        tokio::time::timeout(Duration::from_secs(5), source.next())
            .await
            .is_err()
    );
    assert_eq!(queue.visible(), 18);
    held.pop().unwrap().token.ack();
    take(&mut source).await;
    let mut seen = held.len();
    for payload in held {
        payload.token.ack();
    }
    while seen < 28 {
        take(&mut source).await.token.ack();
        seen += 1;
    }
    assert_eq!(queue.visible(), 0);
}

#[test]
fn a_message_that_was_received_too_often_is_unreadable() {
    let logs = options(SqsContent::Logs(named("sqs", "queue")));
    assert_eq!(logs.read(message("x", 5)).form, PayloadForm::Message);
    let read = logs.read(message("x", 6));
    let reason = "message id was received 6 times and never finished".to_owned();
    assert_eq!(
        (read.form, &read.body[..]),
        (PayloadForm::Unreadable { reason }, &b"x"[..])
    );
}

#[test]
fn notifications_are_unwrapped_and_keep_their_own_id() {
    let arn = "arn:aws:sns:us-east-1:123456789012:";
    let envelope = |topic: &str, kind: &str| {
        format!(
            r#"{{"Type":"{kind}","MessageId":"m-1","TopicArn":"{arn}{topic}","Message":"{{\"a\":1}}","Timestamp":"2026-01-01T00:00:00.000Z"}}"#
        )
    };
    let topics = |names: &[&str]| {
        let topics = names
            .iter()
            .map(|name| (format!("{arn}{name}"), named("sns", name)));
        options(SqsContent::Notifications(topics.collect()))
    };
    let two = topics(&["one", "two"]);
    let read = two.read(message(&envelope("two", "Notification"), 1));
    assert_eq!(read.source, named("sns", "two"));
    assert_eq!(read.position.to_string(), format!("{arn}two@m-1"));
    assert_eq!(
        (&read.body[..], read.form),
        (&br#"{"a":1}"#[..], PayloadForm::Message)
    );
    for body in [
        envelope("three", "Notification"),
        envelope("one", "SubscriptionConfirmation"),
        "raw".into(),
    ] {
        let read = two.read(message(&body, 1));
        assert!(
            matches!(read.form, PayloadForm::Unreadable { .. }) && read.body == body,
            "{read:?}"
        );
    }
    let raw = topics(&["one"]).read(message("{\"raw\":1}", 1));
    assert_eq!(
        (raw.source, raw.form),
        (named("sns", "one"), PayloadForm::Message)
    );
    assert_eq!(raw.position.to_string(), "queue@id");
}
