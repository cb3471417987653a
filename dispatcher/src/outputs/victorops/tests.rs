use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

use super::*;
use crate::outputs::fixtures::{alert, magic, publication};
use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of, layouts, within};
use crate::{Publication, Secret};

pub(super) fn case() -> Case {
    let settings = |base: &str| {
        json!({
            "url": format!("{base}/integrations/generic/20131114/alert/{PLANTED}"), "routing_key": format!("r-{PLANTED}"),
            "victorops_api_id": PLANTED, "victorops_api_key": PLANTED,
        })
    };
    Case::Http(HttpCase {
        server: || Box::new(|_| Reply::status(200, r#"{"result": "success", "entity_id": "e"}"#)),
        // it says no by a word, not by the status
        refusal: |body| Reply::status(200, &json!({"result": "failure", "messages": body}).to_string()),
        body_bytes_max: request::ALERT_BYTES_MAX,
        ..HttpCase::new(settings, check, |request| {
            Some(json_of(request)["entity_id"].as_str()?.to_owned())
        })
    })
}

fn check(request: &ReceivedRequest) {
    let path = format!("/integrations/generic/20131114/alert/{PLANTED}/r-{PLANTED}");
    assert_eq!((request.method.as_str(), &request.path), ("POST", &path));
    assert_eq!(request.header("x-vo-api-id"), Some(PLANTED));
    assert_eq!(request.header("x-vo-api-key"), Some(PLANTED));
    check_alert(&json_of(request));
}

/// What "REST Endpoint integration" documents.
fn check_alert(alert: &Json) {
    assert!(["CRITICAL", "WARNING", "INFO"].contains(&alert["message_type"].as_str().unwrap()));
    within(alert, "/entity_id", 512);
    within(alert, "/entity_display_name", 255);
    within(alert, "/state_message", 10_000);
    assert_eq!(alert["monitoring_tool"], "StreamAlert");
    assert!(alert["state_start_time"].is_i64());
}

fn sent(publication: &Publication) -> Json {
    let secret = |text: &str| Secret::new(text.to_owned());
    let config = config::Config {
        url: secret("https://x.example/alert/key/"),
        api_id: secret("i"),
        api_key: secret("k"),
        routing_key: secret("r"),
    };
    let request = request::alert(&config, publication).unwrap();
    assert_eq!(request.url.expose(), "https://x.example/alert/key/r");
    let alert = serde_json::from_slice(&request.body).unwrap();
    check_alert(&alert);
    alert
}

#[tokio::test]
async fn every_incident_is_an_entity_of_its_own_and_has_its_record() {
    let mut described = alert(1);
    described.rule_description = "It happened.\nplaybook: https://wiki.example/p".into();
    let sent = sent(&publication(described, "victorops:a").await);
    assert_eq!(sent["entity_id"], format!("streamalert/a/{}", alert(1).id));
    assert_eq!(sent["entity_display_name"], "Cloudtrail root login: It happened.");
    assert_eq!(sent["record"]["eventName"], "ConsoleLogin");
    assert_eq!(sent["state_start_time"], 1_769_846_399);
    assert_eq!(sent["vo_annotate.u.Playbook"], "https://wiki.example/p");
}

#[tokio::test]
async fn publishers_may_take_over_but_not_end_incidents() {
    let fields = json!({
        "@victorops.message_type": "INFO", "@victorops.entity_display_name": "n\n".repeat(300),
        "@victorops.state_message": "m".repeat(20_000),
    });
    let alert_ = sent(&magic(publication(alert(1), "victorops:a").await, fields));
    assert_eq!(alert_["message_type"], "INFO");
    assert!(
        alert_["state_message"]
            .as_str()
            .unwrap()
            .ends_with("more characters)")
    );
    let odd = json!({"@victorops.message_type": "RECOVERY"});
    let alert_ = sent(&magic(publication(alert(1), "victorops:a").await, odd));
    assert_eq!(alert_["message_type"], "CRITICAL");
}

#[tokio::test]
async fn long_texts_are_cut_to_the_limits_and_what_logs_hold_means_nothing() {
    sent(&layouts::endless("victorops:a").await);
    // the record is data; what people read is text
    let hostile = sent(&layouts::hostile("victorops:a").await);
    for read in ["entity_display_name", "state_message"] {
        assert!(!hostile[read].as_str().unwrap().contains("https://"), "{hostile}");
    }
}
