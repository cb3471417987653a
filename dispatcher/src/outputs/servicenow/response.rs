use serde_json::Value as Json;

use super::config::Config;
use super::request;
use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Incident, IncidentAction, Publication, Rate};

/// What comes next: the record of the incident is looked for; then it is inserted, or gets a note.
pub(super) fn next(
    config: &Config,
    incident: &Incident,
    publication: &Publication,
    answers: &[Answer],
) -> Result<Step, SendError> {
    let mut answers = answers.iter();
    let Some(found) = answers.next() else {
        return request::search(config, incident).map(Step::Ask);
    };
    let found = found.json()?;
    let record = found["result"].as_array().and_then(|records| records.first());
    let known = record.and_then(|record| Some((record, record["sys_id"].as_str()?)));
    match (known, incident.action) {
        (None, _) => {
            let Some(created) = answers.next() else {
                return request::create(config, incident, publication).map(Step::Ask);
            };
            match created.json()?["result"]["sys_id"].as_str() {
                Some(id) => Ok(done(id)),
                None => Err(SendError::unsure("servicenow did not say which record it made")),
            }
        }
        (Some((_, id)), IncidentAction::Open) => Ok(done(id)),
        (Some((record, id)), IncidentAction::Update) => {
            if is_added(record, publication) {
                return Ok(done(id));
            }
            let Some(updated) = answers.next() else {
                return request::update(config, publication, id).map(Step::Ask);
            };
            updated.judge()?;
            Ok(done(id))
        }
    }
}

fn is_added(record: &Json, publication: &Publication) -> bool {
    record["correlation_display"] == *request::display(publication)
}

fn done(id: &str) -> Step {
    Step::Done(Receipt {
        reference: Some(id.to_owned()),
    })
}

/// An instance has no limit unless its administrator makes a rule.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        rate: Some(Rate {
            per_sec: 5.0,
            burst: 20,
        }),
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
