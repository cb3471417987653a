use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{account, emulated, ministack};
use streamalert_testkit::{ReceivedRequest, Reply};
use streamalert_types::{Alert, OutputName};

use super::*;
use crate::outputs::fixtures::{alert, at_emulator, context, send};
use crate::outputs::suite::wire::s3_fault;
use crate::outputs::suite::{Case, HttpCase, Repeats, Server, json_of};
use crate::registry::{LoadContext, OutputRegistry, OutputSpec};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"bucket": "alerts", "endpoint_url": base, "region": "eu-west-1"});
    Case::Http(HttpCase {
        server,
        busy: s3_fault(503, "SlowDown", "Please reduce your request rate."),
        refusal: |message| s3_fault(400, "InvalidRequest", message),
        repeats: Repeats::Known,
        is_sdk: true,
        body_bytes_max: 8 << 20,
        ..HttpCase::new(settings, check, |request| Some(request.path.clone()))
    })
}

/// Keeps objects, and puts none where one is.
fn server() -> Server {
    let mut kept = BTreeSet::new();
    Box::new(move |request| match kept.insert(request.path.clone()) {
        true => Reply::status(200, ""),
        false => s3_fault(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions did not hold",
        ),
    })
}

/// What the API reference says of `PutObject`.
fn check(request: &ReceivedRequest) {
    assert_eq!(request.method, "PUT");
    let key = request.path.strip_prefix("/alerts/alerts/dt%3D2026-01-31-07/");
    let key = key.and_then(|key| key.strip_suffix(".json?x-id=PutObject"));
    assert!(
        key.is_some_and(|key| key.starts_with("kinesis_stream_")),
        "{}",
        request.path
    );
    assert_eq!(request.header("if-none-match"), Some("*"));
    let body = json_of(request);
    assert!(request.path.contains(body["id"].as_str().unwrap()));
}

#[test]
fn a_key_is_as_with_streamalert_but_that_every_attempt_has_the_same() {
    let alert = alert(1);
    assert_eq!(
        request::object_key("alerts", &alert),
        format!(
            "alerts/dt=2026-01-31-07/kinesis_stream_cloudtrail_root_login_{}.json",
            alert.id
        )
    );
    let long: Arc<str> = "é\n".repeat(500).into();
    let odd = Alert {
        rule_name: Arc::clone(&long),
        source_entity: Arc::clone(&long),
        source_service: long,
        ..alert
    };
    let key = request::object_key(&"p".repeat(200), &odd);
    assert!(
        key.len() <= 1024 && !key.contains('\n') && key.contains("é_é_"),
        "{key}"
    );
    assert!(request::object_key("", &odd).starts_with("dt="));
}

#[tokio::test]
async fn an_alert_is_read_back_once_however_often_it_is_sent() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let client = client(&emulated(&emulator.endpoint(), &account).await);
    let bucket = format!("alerts-{account}");
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    let versioned = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
        .build();
    let versioning = client.put_bucket_versioning().bucket(&bucket);
    versioning
        .versioning_configuration(versioned)
        .send()
        .await
        .unwrap();
    let name = "aws-s3:bucket";
    // as in `conf/outputs.json`
    let output = at_emulator(name, &[json!(bucket)], emulator, &account);
    for number in [1, 2, 1] {
        send(&*output, name, alert(number)).await.unwrap();
    }
    let versions = client
        .list_object_versions()
        .bucket(&bucket)
        .send()
        .await
        .unwrap();
    assert_eq!(versions.versions().len(), 2);
    let key = request::object_key("alerts", &alert(1));
    let object = client.get_object().bucket(&bucket).key(key).send().await.unwrap();
    assert_eq!(object.content_type(), Some("application/json"));
    let body: Json = serde_json::from_slice(&object.body.collect().await.unwrap().into_bytes()).unwrap();
    assert_eq!(body["id"], alert(1).id.to_string());
    assert_eq!(body["record"]["eventName"], "ConsoleLogin");
}

#[tokio::test]
async fn without_a_region_nothing_is_sent_and_the_setting_is_named() {
    let name: OutputName = "aws-s3:a".parse().unwrap();
    let context = LoadContext {
        aws: Arc::new(|_| Box::pin(async { SdkConfig::builder().build() })),
        ..context(Path::new("."))
    };
    let spec = OutputSpec {
        name: name.clone(),
        settings: json!({"bucket": "alerts"}),
        origin: "test".to_owned(),
    };
    let mut outputs = OutputRegistry::load(&[spec], &context).unwrap().into_outputs();
    let output = outputs.remove(&name).unwrap().output;
    let error = send(&*output, name.as_str(), alert(1)).await.unwrap_err();
    assert!(!error.may_have_happened && !error.is_retryable(), "{error:?}");
    assert!(
        error.message.contains("set aws.region in streamalert.toml"),
        "{error:?}"
    );
}
