use std::collections::BTreeSet;

use streamalert_store::MemoryStore;
use streamalert_types::{ManualClock, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

fn named(service: &str) -> Arc<Source> {
    Arc::new(Source {
        service: service.into(),
        resource: "r".into(),
        cluster: Some("prod".into()),
    })
}

async fn bound(change: impl FnOnce(&mut HttpOptions, &mut SourceLimits)) -> HttpSource {
    let address = "127.0.0.1:0".parse().unwrap();
    let mut options = HttpOptions::new(address, vec![named("kinesis"), named("s3")], "run-1");
    let mut limits = SourceLimits::default();
    change(&mut options, &mut limits);
    let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
    let context = SourceContext {
        checkpoints: Arc::new(MemoryStore::new()),
        clock,
        limits,
    };
    HttpSource::bind(options, context).await.unwrap()
}

/// Sends one request and reads the whole answer.
async fn send(address: SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n");
    stream
        .write_all(format!("{head}{headers}\r\n{body}").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn post(source: &HttpSource, headers: &str, body: &str) -> tokio::task::JoinHandle<String> {
    let (address, headers, body) = (source.address(), headers.to_owned(), body.to_owned());
    tokio::spawn(async move { send(address, "/v1/logs/kinesis/r", &headers, &body).await })
}

async fn take(source: &mut HttpSource) -> Payload {
    source.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_request_is_answered_when_every_line_of_it_is_acknowledged() {
    let mut source = bound(|_, _| {}).await;
    let answer = post(&source, "", "one\n\ntwo\r\nthree");
    let payloads = [
        take(&mut source).await,
        take(&mut source).await,
        take(&mut source).await,
    ];
    let bodies: Vec<_> = payloads.iter().map(|payload| &payload.body[..]).collect();
    assert_eq!(bodies, [&b"one"[..], b"two", b"three"]);
    assert_eq!(payloads[0].source, named("kinesis"), "with its cluster");
    let [one, two, three] = payloads;
    three.token.ack();
    one.token.ack();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!answer.is_finished(), "one line is not durable");
    assert_eq!(source.progress().payloads_open, 1);
    two.token.ack();
    let answer = answer.await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"accepted\":3}\n"),
        "{answer}"
    );
    assert_eq!(
        source.progress(),
        SourceProgress {
            payloads_read: 3,
            bytes_read: 11,
            ..SourceProgress::default()
        }
    );
}

#[tokio::test]
async fn an_object_is_one_payload_and_an_empty_body_is_accepted() {
    let mut source = bound(|_, _| {}).await;
    let address = source.address();
    let answer = tokio::spawn(async move { send(address, "/v1/logs/s3/r", "", "{}\n{}\n").await });
    let object = take(&mut source).await;
    assert_eq!(
        (object.form, &object.body[..]),
        (PayloadForm::Object, &b"{}\n{}\n"[..])
    );
    object.token.ack();
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(
        post(&source, "", "")
            .await
            .unwrap()
            .ends_with("{\"accepted\":0}\n")
    );
}

#[tokio::test]
async fn positions_repeat_for_the_same_key_and_body_only() {
    let mut source = bound(|_, _| {}).await;
    let mut seen = BTreeSet::new();
    let key = "idempotency-key: k\r\n";
    for (headers, body, fresh) in [
        (key, "a", true),
        (key, "a", false),
        (key, "b", true),
        ("", "a", true),
        ("", "a", true),
    ] {
        let answer = post(&source, headers, body);
        let payload = take(&mut source).await;
        assert_eq!(
            seen.insert(payload.position.to_string()),
            fresh,
            "{}",
            payload.position
        );
        payload.token.ack();
        assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn without_room_the_sender_is_told_to_come_again() {
    let mut source = bound(|options, _| options.requests_max = 1).await;
    let first = post(&source, "", "one");
    let payload = take(&mut source).await;
    let second = post(&source, "", "two").await.unwrap();
    assert!(
        second.starts_with("HTTP/1.1 503") && second.contains("retry-after: 1"),
        "{second}"
    );
    payload.token.ack();
    assert!(first.await.unwrap().starts_with("HTTP/1.1 200"));
    let third = post(&source, "", "three");
    take(&mut source).await.token.ack();
    assert!(
        third.await.unwrap().starts_with("HTTP/1.1 200"),
        "there is room again"
    );

    let mut source = bound(|_, limits| limits.bytes_open_max = 10_000).await;
    let first = post(&source, "", &"x".repeat(5_000));
    let payload = take(&mut source).await;
    assert!(
        post(&source, "", &"x".repeat(5_000))
            .await
            .unwrap()
            .starts_with("HTTP/1.1 503"),
        "bytes count, too"
    );
    payload.token.ack();
    assert!(first.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_is_not_durable_in_time_is_refused_and_its_room_comes_back() {
    let mut source = bound(|options, _| {
        options.answer_timeout = Duration::from_millis(50);
        options.requests_max = 1;
    })
    .await;
    let answer = post(&source, "", "one\ntwo");
    let held = [take(&mut source).await, take(&mut source).await];
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 503"));
    assert!(
        post(&source, "", "x").await.unwrap().starts_with("HTTP/1.1 503"),
        "it is still being worked on"
    );
    drop(held);
    assert_eq!(source.progress().payloads_open, 0, "given up");
    let answer = post(&source, "", "three");
    take(&mut source).await.token.ack();
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let source = bound(|options, _| options.body_bytes_max = 100).await;
    let answer = send(source.address(), "/v1/logs/sns/r", "", "x").await;
    assert!(
        answer.starts_with("HTTP/1.1 404") && answer.contains("kinesis:r, s3:r"),
        "{answer}"
    );
    assert!(
        send(source.address(), "/", "", "x")
            .await
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        post(&source, "", &"x".repeat(101))
            .await
            .unwrap()
            .starts_with("HTTP/1.1 413")
    );
    assert!(
        post(&source, "content-encoding: gzip\r\n", "x")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 415")
    );
    let long = format!("idempotency-key: {}\r\n", "k".repeat(129));
    assert!(
        post(&source, &long, "x")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 400")
    );

    let mut stream = TcpStream::connect(source.address()).await.unwrap();
    let head = "POST /v1/logs/kinesis/r HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", 200, "x".repeat(200));
    stream
        .write_all(format!("{head}{chunk}").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 413"),
        "also when its length is not told: {answer}"
    );
}

#[tokio::test]
async fn a_line_over_the_limit_is_marked() {
    let mut source = bound(|_, limits| {
        limits.record_bytes_max = 10;
        limits.oversize_head_bytes = 4;
    })
    .await;
    let answer = post(&source, "", "short\n0123456789abc\n");
    take(&mut source).await.token.ack();
    let long = take(&mut source).await;
    assert_eq!(
        (&long.body[..], &long.form),
        (&b"0123"[..], &PayloadForm::Oversize { total_bytes: 13 })
    );
    long.token.ack();
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn finishing_answers_what_is_durable_and_refuses_the_rest() {
    let mut source = bound(|_, _| {}).await;
    let durable = post(&source, "", "one");
    let payload = take(&mut source).await;
    let waiting = post(&source, "", "two\nthree\nfour");
    let alone = post(&source, "", "five");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        source.progress().payloads_open,
        1,
        "what waits to be handed out is nobody's to acknowledge"
    );
    payload.token.ack();
    Box::new(source).finish().await.unwrap();
    assert!(durable.await.unwrap().starts_with("HTTP/1.1 200"));
    for refused in [waiting, alone] {
        let at_once = Duration::from_secs(20);
        let answer = tokio::time::timeout(at_once, refused).await;
        assert!(
            answer
                .expect("nobody waits for what is left")
                .unwrap()
                .starts_with("HTTP/1.1 503")
        );
    }
}

#[tokio::test]
async fn what_is_sent_as_part_of_a_trace_is_read_as_part_of_it_under_its_own_name() {
    let mut source = bound(|_, _| {}).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let next = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01";
    let mut names = Vec::new();
    for (headers, caller) in [
        (
            format!("traceparent: {trace}\r\nidempotency-key: k\r\n"),
            Some(trace),
        ),
        (
            format!("traceparent: {next}\r\nidempotency-key: k\r\n"),
            Some(next),
        ),
        ("idempotency-key: k\r\ntraceparent: 00-0\r\n".to_owned(), None),
        (
            format!("traceparent: {trace}\r\ntraceparent: {next}\r\nidempotency-key: k\r\n"),
            None,
        ),
    ] {
        let answer = post(&source, &headers, "one");
        let payload = take(&mut source).await;
        let found = payload.position.caller().map(|caller| caller.to_string());
        assert_eq!(found.as_deref(), caller);
        names.push(payload.position.partition_name().to_owned());
        payload.token.ack();
        assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
    }
    names.dedup();
    assert_eq!(names.len(), 1, "{names:?}");
}
