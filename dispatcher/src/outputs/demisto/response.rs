use serde_json::Value as Json;

use super::config::Config;
use super::request;
use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Incident, IncidentAction, Publication};

/// What comes next: the incident is looked for, then made, or gets an entry.
pub(super) fn next(
    config: &Config,
    incident: &Incident,
    publication: &Publication,
    answers: &[Answer],
) -> Result<Step, SendError> {
    let mut answers = answers.iter();
    let known = match (incident.action, &publication.reference) {
        (IncidentAction::Update, Some(id)) => Some(id.clone()),
        _ => {
            let Some(found) = answers.next() else {
                return request::search(config, &incident.key).map(Step::Ask);
            };
            let found = found.json()?;
            let first = found["data"].as_array().and_then(|incidents| incidents.first());
            first.and_then(id_of)
        }
    };
    match (known, incident.action) {
        (Some(id), IncidentAction::Open) => Ok(done(id)),
        (Some(id), IncidentAction::Update) => {
            let Some(added) = answers.next() else {
                return request::entry(config, publication, &id).map(Step::Ask);
            };
            added.judge()?;
            Ok(done(id))
        }
        (None, _) => {
            let Some(created) = answers.next() else {
                return request::create(config, publication).map(Step::Ask);
            };
            match id_of(&created.json()?) {
                Some(id) => Ok(done(id)),
                None => Err(SendError::unsure("xsoar did not say which incident it made")),
            }
        }
    }
}

/// Ids are texts; some versions write them as numbers.
fn id_of(incident: &Json) -> Option<String> {
    match &incident["id"] {
        Json::String(id) if !id.is_empty() => Some(id.clone()),
        Json::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn done(id: String) -> Step {
    Step::Done(Receipt { reference: Some(id) })
}

/// No limit is documented. Every incident starts a playbook, which is what takes long.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
