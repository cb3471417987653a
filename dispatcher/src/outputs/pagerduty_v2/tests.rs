use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};
use streamalert_value::Value;

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, within};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": format!("{base}/v2/enqueue"), "routing_key": PLANTED});
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(202, r#"{"status":"success","message":"Event processed"}"#)),
        refusal: |body| {
            let errors =
                json!({"status": "invalid event", "message": body, "errors": ["'routing_key' is missing"]});
            Reply::status(400, &errors.to_string())
        },
        body_bytes_max: request::EVENT_BYTES_MAX,
        ..HttpCase::new(settings, check, |request| {
            Some(json_of(request)["dedup_key"].as_str()?.to_owned())
        })
    })
}

/// What "Send an Event to PagerDuty" documents.
fn check(request: &ReceivedRequest) {
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/v2/enqueue")
    );
    check_event(&json_of(request));
}

fn check_event(event: &Json) {
    assert_eq!(event["routing_key"], PLANTED);
    assert_eq!(event["event_action"], "trigger");
    within(event, "/dedup_key", 255);
    within(event, "/payload/summary", 1024);
    within(event, "/payload/source", 255);
    assert!(
        ["critical", "error", "warning", "info"].contains(&event["payload"]["severity"].as_str().unwrap())
    );
    assert!(
        event["payload"]["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert!(event["payload"]["custom_details"].is_object());
    for (list, needs) in [("images", "src"), ("links", "href")] {
        for item in event.get(list).and_then(Json::as_array).into_iter().flatten() {
            assert!(item[needs].is_string());
        }
    }
}

fn event(publication: &Publication) -> Json {
    let secret = |text: &str| crate::Secret::new(text.to_owned());
    let config = config::Config {
        url: secret("https://x.example"),
        routing_key: secret(PLANTED),
    };
    let event = PagerDuty(config).event(publication).request().body;
    let event = serde_json::from_slice(&event).unwrap();
    check_event(&event);
    event
}

#[tokio::test]
async fn an_event_says_what_happened_and_holds_the_record() {
    let event = event(&publication(alert(1), "pagerduty-v2:a").await);
    assert_eq!(event["dedup_key"], format!("a:{}", alert(1).id));
    assert_eq!(
        event["payload"]["summary"],
        "StreamAlert Rule Triggered - cloudtrail_root_login"
    );
    assert_eq!(event["payload"]["source"], "cloudtrail:events");
    assert_eq!(
        event["payload"]["custom_details"]["record"]["eventName"],
        "ConsoleLogin"
    );
}

#[tokio::test]
async fn magic_fields_of_streamalert_are_honoured_and_nonsense_in_them_is_left_out() {
    let fields = json!({
        "@pagerduty-v2.summary": "s".repeat(3000), "@pagerduty-v2.severity": "info",
        "@pagerduty-v2.custom_details": {"a": 1}, "@pagerduty-v2.client_url": "https://x",
        "@pagerduty-v2.links": [{"href": "https://l"}, {"text": "no href"}, 7], "@pagerduty-v2.images": "none",
        "@pagerduty-v2.component": "c", "@pagerduty-v2.group": null,
    });
    let event_ = event(&magic(publication(alert(1), "pagerduty-v2:a").await, fields));
    assert!(
        event_["payload"]["summary"]
            .as_str()
            .unwrap()
            .ends_with("more characters)")
    );
    assert_eq!(event_["payload"]["custom_details"], json!({"a": 1}));
    assert_eq!(
        (&event_["payload"]["severity"], &event_["payload"]["component"]),
        (&json!("info"), &json!("c"))
    );
    assert_eq!(event_["links"], json!([{"href": "https://l"}]));
    assert!(event_.get("images").is_none() && event_["payload"].get("group").is_none());

    let loud = json!({"@pagerduty-v2.severity": "very bad"});
    let event_ = event(&magic(publication(alert(1), "pagerduty-v2:a").await, loud));
    assert_eq!(event_["payload"]["severity"], "critical");
}

#[tokio::test]
async fn what_the_rule_says_of_severity_and_playbook_is_passed_on() {
    let rule_description = "severity: medium\nplaybook: https://wiki.example/root\n".into();
    let alert = streamalert_types::Alert {
        rule_description,
        ..alert(1)
    };
    let event = event(&publication(alert, "pagerduty-v2:a").await);
    assert_eq!(event["payload"]["severity"], "warning");
    assert_eq!(
        event["links"],
        json!([{"href": "https://wiki.example/root", "text": "Playbook"}])
    );
}

#[tokio::test]
async fn what_a_publisher_removed_does_not_come_back_and_what_is_too_large_is_left_out() {
    let mut changed = publication(alert(1), "pagerduty-v2:a").await;
    changed.body = Value::Map(
        [("note".to_owned(), Value::Str("kept".to_owned()))]
            .into_iter()
            .collect(),
    );
    let details = event(&changed)["payload"]["custom_details"].clone();
    assert_eq!(details, json!({"note": "kept"}));

    let record = json!({"blob": "x".repeat(600_000)}).to_string();
    let large = event(&publication(alert_with_record(1, &record), "pagerduty-v2:a").await);
    let details = &large["payload"]["custom_details"];
    assert!(details.get("record").is_none() && details["streamalert_truncated"].is_string());
}
