use serde_json::json;
use streamalert_testkit::ReceivedRequest;

use crate::outputs::suite::{Case, HttpCase, PLANTED, json_of};

pub(super) fn case() -> Case {
    let settings = |base: &str| json!({"url": format!("{base}/v2/triggers/{PLANTED}/events"), "komand_auth_token": PLANTED});
    Case::Http(HttpCase::new(settings, check, |request| {
        let event = json_of(request);
        Some(format!(
            "{} {}",
            event["data"]["id"],
            request.header("idempotency-key")?
        ))
    }))
}

fn check(request: &ReceivedRequest) {
    let path = format!("/v2/triggers/{PLANTED}/events");
    assert_eq!((request.method.as_str(), &request.path), ("POST", &path));
    assert_eq!(request.header("authorization"), Some(PLANTED));
    assert_eq!(request.header("x-api-key"), Some(PLANTED));
    let event = json_of(request);
    assert_eq!(event["data"]["rule_name"], "cloudtrail_root_login");
    assert_eq!(event.as_object().unwrap().len(), 1);
}
