use std::path::Path;
use std::time::Duration;

use aws_sdk_firehose::types::ExtendedS3DestinationConfiguration;
use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, emulated, ministack};
use streamalert_testkit::{ReceivedRequest, Reply, WebhookReceiver};
use tokio::time::Instant;

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, at_emulator, context, problem, publication, send};
use crate::outputs::suite::wire::{body_of, json_fault, unbase64};
use crate::outputs::suite::{Case, HttpCase, LinesCase};
use crate::{OutputRegistry, OutputSpec};

pub(super) fn case() -> Case {
    let lines = LinesCase {
        settings: || json!({"directory": "out"}),
        file: "out/a/dt=2026-01-31-07/a.jsonl",
    };
    let settings =
        |base: &str| json!({"delivery_stream": "alerts", "endpoint_url": base, "region": "eu-west-1"});
    let id = |request: &ReceivedRequest| Some(records(request)[0]["id"].as_str()?.to_owned());
    let stream = HttpCase {
        server: || Box::new(|request| taken(records(request).len())),
        busy: json_fault(503, "ServiceUnavailableException", "Slow down."),
        refusal: |message| json_fault(400, "InvalidArgumentException", message),
        read: |request| records(request)[0].to_string(),
        is_sdk: true,
        // Base64
        body_bytes_max: 2 * request::RECORD_BYTES_MAX,
        ..HttpCase::new(settings, check, id)
    };
    Case::Ways(vec![
        ("", Case::Lines(lines)),
        ("delivery-stream", Case::Http(stream)),
    ])
}

fn taken(count: usize) -> Reply {
    let entries = vec![json!({"RecordId": "1"}); count];
    Reply::status(
        200,
        &json!({"FailedPutCount": 0, "RequestResponses": entries}).to_string(),
    )
}

/// The lines of a request.
fn records(request: &ReceivedRequest) -> Vec<Json> {
    let body = body_of(request);
    let records = body["Records"].as_array().unwrap().iter();
    let line = |record: &Json| String::from_utf8(unbase64(record["Data"].as_str().unwrap())).unwrap();
    let parsed = |line: String| {
        assert!(line.len() <= 1_024_000 && line.ends_with('\n') && line.matches('\n').count() == 1);
        serde_json::from_str(&line).unwrap()
    };
    records.map(line).map(parsed).collect()
}

/// What the API reference says of `PutRecordBatch`.
fn check(request: &ReceivedRequest) {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.header("content-type"), Some("application/x-amz-json-1.1"));
    let target = request.header("x-amz-target");
    assert_eq!(target, Some("Firehose_20150804.PutRecordBatch"));
    assert_eq!(body_of(request)["DeliveryStreamName"], "alerts");
    assert!((1..=500).contains(&records(request).len()) && request.body.len() <= 4 << 20);
}

fn history(dir: &Path) -> LocalHistory {
    LocalHistory::new(dir.to_owned(), "alerts")
}

#[tokio::test]
async fn an_alert_goes_to_the_file_of_the_hour_of_its_creation() {
    let dir = tempfile::tempdir().unwrap();
    let mut later = alert(2);
    later.created = "2026-01-31T08:00:00.000000Z".parse().unwrap();
    for alert in [alert(1), later, alert(3)] {
        send(&history(dir.path()), "aws-firehose:alerts", alert)
            .await
            .unwrap();
    }
    let lines = |hour: &str| {
        let path = dir
            .path()
            .join(format!("alerts/dt=2026-01-31-{hour}/alerts.jsonl"));
        std::fs::read_to_string(path).unwrap().lines().count()
    };
    assert_eq!((lines("07"), lines("08")), (2, 1));
}

#[tokio::test]
async fn an_alert_that_a_former_process_wrote_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    for number in [1, 2, 1, 2] {
        send(&history(dir.path()), "aws-firehose:alerts", alert(number))
            .await
            .unwrap();
    }
    let text = std::fs::read_to_string(dir.path().join("alerts/dt=2026-01-31-07/alerts.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_request_has_what_it_may_have_and_one_record_at_least() {
    let count = |sizes: &[usize]| request::batch_records(sizes.iter().copied());
    assert_eq!((count(&[]), count(&[9 << 20])), (0, 1));
    assert_eq!((count(&[1; 501]), count(&[1 << 20; 4])), (500, 3));
    assert_eq!(count(&[1 << 20, 1 << 20, 1 << 20, 0, 1]), 4);
}

#[tokio::test]
async fn a_record_has_1000_kib_and_no_byte_more() {
    let of = async |bytes: usize| {
        let record = json!({"a": "x".repeat(bytes)}).to_string();
        let publication = publication(alert_with_record(1, &record), "aws-firehose:a").await;
        request::record(&publication).unwrap()
    };
    let largest = 1_024_000 - of(0).await.len();
    assert_eq!(of(largest).await.len(), 1_024_000);
    let cut = String::from_utf8(of(largest + 1).await).unwrap();
    assert!(cut.contains("record left out") && cut.ends_with('\n'), "{cut}");
}

#[tokio::test]
async fn alerts_that_wait_share_a_request_and_each_learns_what_became_of_it() {
    let receiver = WebhookReceiver::start(None).await;
    receiver.choose(|request| {
        let entry = |record: &Json| match record["id"].as_str().unwrap().ends_with("11") {
            true => json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}),
            false => json!({"RecordId": "1"}),
        };
        let entries: Vec<Json> = records(request).iter().map(entry).collect();
        Reply::status(
            200,
            &json!({"FailedPutCount": 1, "RequestResponses": entries}).to_string(),
        )
    });
    let spec = OutputSpec {
        name: "aws-firehose:alerts".parse().unwrap(),
        settings: json!({"delivery_stream": "alerts", "endpoint_url": receiver.url("")}),
        origin: "test".to_owned(),
    };
    let outputs = OutputRegistry::load(std::slice::from_ref(&spec), &context(Path::new("."))).unwrap();
    let output = outputs.into_outputs().remove(&spec.name).unwrap().output;
    let sends = (0..600).map(|number| {
        let output = &output;
        async move {
            (
                number,
                send(&**output, "aws-firehose:alerts", alert(number)).await,
            )
        }
    });
    for (number, result) in futures::future::join_all(sends).await {
        // ids are one more, in hexadecimal
        let refused = format!("{:x}", number + 1).ends_with("11");
        match result {
            Ok(_) => assert!(!refused, "{number}"),
            Err(error) => assert!(
                refused && error.is_retryable() && error.message.contains("Slow down."),
                "{number}: {error}"
            ),
        }
    }
    let counts: Vec<usize> = receiver
        .requests()
        .iter()
        .map(|request| records(request).len())
        .collect();
    assert!(
        counts.len() < 100 && counts.iter().sum::<usize>() == 600,
        "{counts:?}"
    );
}

#[test]
fn a_stream_and_a_directory_exclude_each_other() {
    let both = json!({"delivery_stream": "alerts", "directory": "out"});
    assert!(problem("aws-firehose:alerts", both).contains("exclude each other"));
}

#[tokio::test]
async fn alerts_are_read_back_where_the_stream_brings_them() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let config = emulated(&emulator.endpoint(), &account).await;
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    let bucket = format!("history-{account}");
    s3.create_bucket().bucket(&bucket).send().await.unwrap();
    let destination = ExtendedS3DestinationConfiguration::builder()
        .role_arn(format!("arn:aws:iam::{account}:role/firehose"))
        .bucket_arn(format!("arn:aws:s3:::{bucket}"));
    let firehose = aws_sdk_firehose::Client::new(&config);
    let stream = firehose
        .create_delivery_stream()
        .delivery_stream_name("team_alerts");
    let stream = stream.extended_s3_destination_configuration(destination.build().unwrap());
    Box::pin(stream.send()).await.unwrap();
    let name = "aws-firehose:team";
    // as in `conf/outputs.json`
    let output = at_emulator(name, &[json!("team_alerts")], emulator, &account);
    send(&*output, name, alert(1)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let key = loop {
        let listed = s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
        if let Some(object) = listed.contents().first() {
            break object.key().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let object = s3.get_object().bucket(&bucket).key(key).send().await.unwrap();
    let line = object.body.collect().await.unwrap().into_bytes();
    let line: Json = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["id"], alert(1).id.to_string());
    assert_eq!(line["record"]["eventName"], "ConsoleLogin");
}
