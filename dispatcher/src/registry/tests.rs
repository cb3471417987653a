use serde_json::json;
use streamalert_testkit::{Reply, WebhookReceiver};

use super::*;
use crate::outputs::fixtures::{alert, context, publication};

/// All services of StreamAlert.
const STREAMALERT_SERVICES: [&str; 21] = [
    "aws-cloudwatch-log",
    "aws-firehose",
    "aws-lambda",
    "aws-lambda-v2",
    "aws-s3",
    "aws-ses",
    "aws-sns",
    "aws-sqs",
    "carbonblack",
    "demisto",
    "github",
    "jira",
    "jira-v2",
    "komand",
    "pagerduty",
    "pagerduty-incident",
    "pagerduty-v2",
    "phantom",
    "slack",
    "teams",
    "victorops",
];

fn spec(name: &str, settings: serde_json::Value) -> OutputSpec {
    OutputSpec {
        name: name.parse().unwrap(),
        settings,
        origin: "streamalert.toml".to_owned(),
    }
}

fn load(specs: &[OutputSpec]) -> Result<OutputRegistry, RegistryError> {
    let dir = tempfile::tempdir().unwrap();
    OutputRegistry::load(specs, &context(dir.path()))
}

#[test]
fn the_history_is_always_there() {
    let registry = load(&[]).unwrap();
    assert_eq!(registry.names().collect::<Vec<_>>(), [&OutputName::history()]);
    assert!(registry.warnings().is_empty());
}

#[test]
fn all_services_of_streamalert_are_known() {
    let specs: Vec<OutputSpec> = STREAMALERT_SERVICES
        .iter()
        .map(|service| spec(&format!("{service}:sample"), json!(null)))
        .collect();
    let registry = load(&specs).unwrap();
    assert_eq!(registry.names().count(), 22);
    for warning in registry.warnings() {
        let text = warning.to_string();
        assert!(
            text.starts_with("streamalert.toml: output ") && text.contains("dead-letter store"),
            "{text}"
        );
        assert!(text.contains("no settings for"), "{text}");
    }
    // these need no settings
    for service in ["aws-firehose", "aws-cloudwatch-log"] {
        let warnings = registry.warnings().iter();
        assert!(
            warnings
                .into_iter()
                .all(|warning| warning.name.service() != service)
        );
    }
}

#[test]
fn stored_credentials_are_taken_and_settings_win() {
    let dir = tempfile::tempdir().unwrap();
    let stored = json!({"url": "https://hooks.example.com/x", "left_over": "1"});
    let name: OutputName = "slack:a".parse().unwrap();
    let credentials = [(name.clone(), stored.as_object().unwrap().clone())];
    let context = LoadContext {
        credentials: Arc::new(credentials.into()),
        ..context(dir.path())
    };
    let registry = OutputRegistry::load(&[spec("slack:a", json!(null))], &context).unwrap();
    assert!(registry.warnings().is_empty());
    let error = OutputRegistry::load(&[spec("slack:a", json!({"url": "ftp://x"}))], &context).unwrap_err();
    assert!(error.to_string().contains("must begin with"), "{error}");
}

#[test]
fn a_misspelt_field_of_stored_credentials_is_named_where_one_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let name: OutputName = "slack:a".parse().unwrap();
    let stored = json!({"ulr": "https://hooks.example.com/planted"});
    let context = LoadContext {
        credentials: Arc::new([(name, stored.as_object().unwrap().clone())].into()),
        ..context(dir.path())
    };
    let error = OutputRegistry::load(&[spec("slack:a", json!(null))], &context).unwrap_err();
    let line = error.to_string();
    assert!(
        line.contains("unknown field `ulr`, expected one of url"),
        "{line}"
    );
    assert!(!line.contains("planted"), "{line}");
}

#[test]
fn every_wrong_output_is_named_with_its_fault() {
    let error = load(&[
        spec("slak:a", json!({})),
        spec("slack:b", json!({"ulr": "https://x"})),
        spec("slack:c", json!({"url": "ftp://planted-secret"})),
        spec("slack:d", json!({"url": "planted secret without scheme"})),
        spec("webhook:e", json!({"url": {"env": "NOT_SET"}})),
        spec(
            "webhook:f",
            json!({"url": "http://x", "headers": {"bad name": "v"}}),
        ),
        spec(
            "webhook:g",
            json!({"url": "http://x", "headers": {"x": "planted\nsecret"}}),
        ),
        spec(
            "webhook:h",
            json!({"url": "http://x", "delivery": {"concurrency": 0}}),
        ),
        spec(
            "webhook:i",
            json!({"url": "http://x", "body_bytes_max": "planted-secret"}),
        ),
        spec("file:j", json!({"path": 7})),
        spec("aws-firehose:../k", json!(null)),
        spec("file:l", json!("path")),
    ])
    .unwrap_err();
    let lines: Vec<String> = error
        .problems
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    let named: Vec<&str> = error
        .problems
        .iter()
        .map(|problem| problem.name.as_str())
        .collect();
    let expected = [
        ("aws-firehose:../k", "descriptor"),
        ("file:j", "wrong type, expected text"),
        ("file:l", "must be a table"),
        ("slack:b", "unknown field `ulr`"),
        ("slack:c", "must begin with https://"),
        ("slack:d", "url cannot be read"),
        ("slak:a", "unknown service \"slak\""),
        ("webhook:e", "NOT_SET is not set"),
        ("webhook:f", "no name of a header"),
        ("webhook:g", "no header may have"),
        ("webhook:h", "concurrency must be at least 1"),
        ("webhook:i", "no whole number"),
    ];
    assert_eq!(named, expected.map(|(name, _)| name));
    for (line, (_, part)) in lines.iter().zip(expected) {
        assert!(line.contains(part), "{line}");
    }
    assert!(!error.to_string().contains("planted"), "{error}");
}

#[test]
fn a_name_without_settings_is_a_warning_and_settings_may_come_before_or_after_it() {
    let named = spec("slack:a", json!(null));
    let set = spec("slack:a", json!({"url": "https://hooks.example.com/x"}));
    let registry = load(std::slice::from_ref(&named)).unwrap();
    assert!(registry.warnings()[0].message.contains("no settings for slack:a"));
    for specs in [[named.clone(), set.clone()], [set, named]] {
        assert!(load(&specs).unwrap().warnings().is_empty());
    }
}

#[test]
fn delivery_settings_replace_the_defaults_of_the_service() {
    let settings = json!({"url": "https://x", "delivery": {"concurrency": 9, "dead_letter_after_hours": 1}});
    let registry = load(&[spec("slack:a", settings)]).unwrap();
    let options = registry.delivery_options(&"slack:a".parse().unwrap()).unwrap();
    assert_eq!(options.concurrency, 9);
    assert_eq!(options.dead_letter_after.as_secs(), 3600);
    assert_eq!(options.rate, (service("slack").unwrap().delivery)().rate);
}

#[test]
fn a_fingerprint_changes_with_settings_secrets_and_files_and_with_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let of_one = |name: &str, settings: serde_json::Value| {
        let registry = OutputRegistry::load(&[spec(name, settings)], &context(dir.path())).unwrap();
        registry.get(&name.parse().unwrap()).unwrap().fingerprint
    };
    let of = |settings: serde_json::Value| of_one("webhook:a", settings);
    write("url", "https://one.example");
    let from_file = || of(json!({"url": {"file": "url"}}));
    let first = from_file();
    assert_eq!(first, from_file());
    write("url", "https://two.example\n");
    let second = from_file();
    assert_ne!(first, second);
    assert_ne!(second, of(json!({"url": {"file": "url"}, "method": "PUT"})));
    let slack = |internal: bool| {
        of_one(
            "slack:a",
            json!({"url": "https://a.example", "allow_internal": internal}),
        )
    };
    assert_eq!(slack(true), slack(true));
    assert_ne!(slack(true), slack(false));
}

#[test]
fn one_broken_output_does_not_hide_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let specs = [
        spec("webhook:good", json!({"url": "https://a.example"})),
        spec("webhook:bad", json!({"uri": "https://a.example"})),
        spec("slack:bare", json!(null)),
    ];
    let (registry, problems) = OutputRegistry::load_each(&specs, &context(dir.path()));
    let names: Vec<&str> = registry.names().map(OutputName::as_str).collect();
    assert_eq!(names, ["aws-firehose:alerts", "slack:bare", "webhook:good"]);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].name.as_str(), "webhook:bad");
    assert!(registry.warnings()[0].message.contains("output add slack:bare"));
}

#[tokio::test]
async fn what_one_output_is_told_of_the_secrets_of_another_is_not_kept() {
    let receiver = WebhookReceiver::start(None).await;
    let told = "wrong key, not alerts/planted-key-of-another and not hunter22-planted";
    receiver.choose(move |_| Reply::status(403, told));
    let registry = load(&[
        spec("webhook:a", json!({"url": receiver.url("/a")})),
        spec(
            "webhook:b",
            json!({
                "url": "https://b.example.com/alerts/planted-key-of-another",
                "hmac_secret": "hunter22-planted",
            }),
        ),
    ])
    .unwrap();
    let output = Arc::clone(&registry.get(&"webhook:a".parse().unwrap()).unwrap().output);
    let publication = publication(alert(1), "webhook:a").await;
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    let error = output.send(&publication, "k", deadline).await.unwrap_err();
    assert_eq!(
        error.message,
        "http 403: wrong key, not alerts/[redacted] and not [redacted]"
    );
}
