mod mtls;

use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply, WebhookReceiver};
use tokio::time::Instant;

use super::*;
use crate::Secret;
use crate::outputs::fixtures::{alert, alert_with_record, context, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of};
use crate::registry::{OutputRegistry, OutputSpec};

pub(super) fn case() -> Case {
    let settings = |base: &str| {
        json!({
            "url": format!("{base}/services/T0/B0/{PLANTED}"), "hmac_secret": PLANTED,
            "headers": {"Authorization": format!("Bearer {PLANTED}")},
        })
    };
    let key = |request: &ReceivedRequest| request.header("idempotency-key").map(str::to_owned);
    Case::Http(HttpCase::new(settings, check, key))
}

fn check(request: &ReceivedRequest) {
    let path = format!("/services/T0/B0/{PLANTED}");
    assert_eq!((request.method.as_str(), &request.path), ("POST", &path));
    assert_eq!(request.signature, Some(Ok(())));
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("Bearer {PLANTED}"))
    );
    assert!(json_of(request)["id"].is_string());
}

fn made(settings: Json) -> Result<Arc<dyn Output>, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.pem"), "no certificate").unwrap();
    made_in(dir.path(), settings)
}

fn made_in(dir: &std::path::Path, settings: Json) -> Result<Arc<dyn Output>, String> {
    let name: streamalert_types::OutputName = "webhook:a".parse().unwrap();
    let spec = OutputSpec {
        name: name.clone(),
        settings,
        origin: String::new(),
    };
    match OutputRegistry::load(&[spec], &context(dir)) {
        Ok(registry) => Ok(registry.into_outputs().remove(&name).unwrap().output),
        Err(error) => Err(error.to_string()),
    }
}

fn output(receiver: &WebhookReceiver, settings: Json) -> Arc<dyn Output> {
    let mut config: Json = json!({"url": receiver.url("/hook/planted-token")});
    let fields = settings.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(fields);
    made(config).unwrap()
}

fn soon() -> Instant {
    Instant::now() + std::time::Duration::from_secs(10)
}

#[tokio::test]
async fn a_request_carries_publication_headers_key_and_signature() {
    let receiver = WebhookReceiver::start(Some("planted-hmac")).await;
    let settings = json!({
        "headers": {"Authorization": {"env": "PLANTED"}, "X-Team": "blue"},
        "hmac_secret": "planted-hmac",
    });
    let output = output(&receiver, settings);
    output
        .send(&publication(alert(1), "webhook:a").await, "the-key", soon())
        .await
        .unwrap();
    let request = receiver.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/hook/planted-token")
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("authorization"), Some("planted-env-secret"));
    assert_eq!(request.header("x-team"), Some("blue"));
    assert_eq!(request.header("idempotency-key"), Some("the-key"));
    assert_eq!(request.signature, Some(Ok(())));
    let body: Json = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["record"]["eventName"], "ConsoleLogin");
    // the helper for receivers agrees, at the time of the fixture's clock
    let now: streamalert_types::Timestamp = "2026-01-31T08:00:00.000000Z".parse().unwrap();
    let secret = Secret::new("planted-hmac".to_owned());
    let header = request.header(SIGNATURE_HEADER).unwrap();
    let tolerance = std::time::Duration::from_secs(1);
    assert_eq!(
        verify(
            &secret,
            header,
            &request.body,
            now.as_micros() / 1_000_000,
            tolerance
        ),
        Ok(())
    );
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed_and_a_content_type_may_be_chosen() {
    let receiver = WebhookReceiver::start(None).await;
    let output = output(
        &receiver,
        json!({"headers": {"content-type": "application/vnd.x+json"}}),
    );
    output
        .send(&publication(alert(1), "webhook:a").await, "k", soon())
        .await
        .unwrap();
    let request = receiver.requests().remove(0);
    assert_eq!(request.header(SIGNATURE_HEADER), None);
    assert_eq!(request.header("content-type"), Some("application/vnd.x+json"));
}

#[tokio::test]
async fn a_body_over_the_limit_loses_its_record_and_says_so() {
    let receiver = WebhookReceiver::start(None).await;
    let output = output(&receiver, json!({"body_bytes_max": 2000}));
    let record = format!("{{\"a\":\"{}\"}}", "x".repeat(5000));
    let large = publication(alert_with_record(1, &record), "webhook:a").await;
    output.send(&large, "k", soon()).await.unwrap();
    let request = receiver.requests().remove(0);
    assert!(request.body.len() <= 2000);
    let body: Json = serde_json::from_slice(&request.body).unwrap();
    assert!(body.get("record").is_none());
    assert_eq!(body["rule_name"], "cloudtrail_root_login");
    let note = body["streamalert_truncated"].as_str().unwrap();
    assert!(
        note.contains("over the limit of 2000") && note.contains(&large.alert.id.to_string()),
        "{note}"
    );

    let mut wordy = alert(2);
    wordy.rule_description = "x".repeat(5000).into();
    let error = output
        .send(&publication(wordy, "webhook:a").await, "k", soon())
        .await
        .unwrap_err();
    assert!(!error.is_retryable() && error.message.contains("even without its record"));
}

#[tokio::test]
async fn an_answer_whose_body_breaks_off_is_an_answer() {
    let receiver = WebhookReceiver::start(None).await;
    receiver.then([Reply::ResetMidBody]);
    let output = output(&receiver, json!({}));
    output
        .send(&publication(alert(1), "webhook:a").await, "k", soon())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_do_tls_is_tried_again_and_its_url_is_not_shown() {
    let receiver = WebhookReceiver::start(None).await;
    let url = receiver.url("/planted-token").replace("http://", "https://");
    let output = output(&receiver, json!({"url": url}));
    let error = output
        .send(&publication(alert(1), "webhook:a").await, "k", soon())
        .await
        .unwrap_err();
    assert!(error.is_retryable() && !error.may_have_happened(), "{error}");
    assert!(
        !error.message.contains("planted") && !error.message.contains("127.0.0.1"),
        "{error}"
    );
    assert_eq!(receiver.count(), 0);
}

#[test]
fn certificates_must_be_in_their_files() {
    for (settings, says) in [
        (
            json!({"url": "https://x", "ca_file": "bad.pem"}),
            "no certificate",
        ),
        (
            json!({"url": "https://x", "client_file": "bad.pem"}),
            "no certificate",
        ),
        (
            json!({"url": "https://x", "ca_file": "nope.pem"}),
            "nope.pem cannot be read",
        ),
        (
            json!({"url": "https://x", "client_key_file": "bad.pem"}),
            "needs client_file",
        ),
        (json!({"url": "https://x", "method": "GET"}), "must be POST"),
    ] {
        let error = made(settings).err().unwrap();
        assert!(error.contains(says), "{error}");
    }
}
