use serde_json::{Value as Json, json};

use super::config::Config;
use super::plan::Plan;
use crate::outputs::SendError;
use crate::outputs::http::{Method, Request, url_with};

/// A page of incidents, users or notes is larger than other answers.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A GET of the REST API.
pub(super) fn get(config: &Config, path: &[&str], query: &[(&str, &str)]) -> Result<Request, SendError> {
    let url = url_with(&config.api, path, query)?;
    signed(config, Request::get(&url).reads(ANSWER_BYTES_MAX))
}

/// A request of the REST API that changes something, in the name of a user.
pub(super) fn change(
    config: &Config,
    method: Method,
    path: &[&str],
    body: &Json,
) -> Result<Request, SendError> {
    let url = url_with(&config.api, path, &[])?;
    signed(config, Request::json(method, &url, body))?.header("from", &config.email_from)
}

fn signed(config: &Config, request: Request) -> Result<Request, SendError> {
    request
        .secret_header("authorization", &format!("Token token={}", config.token.expose()))?
        .header("accept", "application/vnd.pagerduty+json;version=2")
}

/// What is to be changed about the incident that the event has opened. Assignment and escalation policy exclude each
/// other.
pub(super) fn update(config: &Config, plan: &Plan, assignee: Option<&str>, priority: Option<&str>) -> Json {
    let mut incident = json!({"type": "incident", "title": plan.title});
    match assignee {
        Some(id) => {
            let assignee = json!({"id": id, "type": "user_reference"});
            incident["assignments"] = json!([{"assignee": assignee}]);
        }
        None => {
            let id = plan.policy_id.as_deref().unwrap_or(&config.escalation_policy_id);
            incident["escalation_policy"] = json!({"id": id, "type": "escalation_policy_reference"});
        }
    }
    if let Some(id) = priority {
        incident["priority"] = json!({"id": id, "type": "priority_reference"});
    }
    if let Some(urgency) = plan.urgency {
        incident["urgency"] = json!(urgency);
    }
    json!({"incident": incident})
}

/// Asks all responders at once.
pub(super) fn responder_request(plan: &Plan, requester: &str, responders: &[String]) -> Json {
    let target = |id: &String| json!({"responder_request_target": {"id": id, "type": "user_reference"}});
    let targets: Vec<Json> = responders.iter().map(target).collect();
    json!({
        "requester_id": requester, "message": plan.responder_message, "responder_request_targets": targets,
    })
}
