use serde_json::Value as Json;

use super::config::Config;
use super::request;
use crate::outputs::http::{Answer, Request, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Incident, IncidentAction, Publication, Rate};

/// Where an alert goes.
enum Target {
    /// Onto the issue with this key.
    Issue(String),
    New,
    /// That is to be asked first.
    Ask(Request),
}

/// What comes next: is it there already? If not, is there an issue that it belongs to? Then comment or create.
pub(in crate::outputs) fn next(
    config: &Config,
    incident: &Incident,
    publication: &Publication,
    answers: &[Answer],
) -> Result<Step, SendError> {
    let mut answers = answers.iter();
    let Some(known) = answers.next() else {
        return request::search_id(config, &publication.alert.id.to_string()).map(Step::Ask);
    };
    if let Some(key) = first_key(&known.json()?, |_| true) {
        return Ok(done(key));
    }
    match target(config, incident, publication, &mut answers)? {
        Target::Ask(request) => return Ok(Step::Ask(request)),
        Target::New => {}
        Target::Issue(key) => {
            let Some(commented) = answers.next() else {
                return request::comment(config, publication, &key).map(Step::Ask);
            };
            // an issue that is gone, or closed to comments: what happened needs a new one
            if !matches!(commented.status, 400 | 403 | 404) {
                commented.judge()?;
                return Ok(done(key));
            }
        }
    }
    let Some(created) = answers.next() else {
        return request::create(config, publication).map(Step::Ask);
    };
    match created.json()?["key"].as_str() {
        Some(key) => Ok(done(key.to_owned())),
        None => Err(SendError::unsure("jira did not say which issue it made")),
    }
}

fn target<'a>(
    config: &Config,
    incident: &Incident,
    publication: &Publication,
    answers: &mut impl Iterator<Item = &'a Answer>,
) -> Result<Target, SendError> {
    let found = match (incident.action, &publication.reference) {
        (IncidentAction::Update, Some(key)) => Some(key.clone()),
        (IncidentAction::Update, None) => {
            let Some(found) = answers.next() else {
                return request::search_id(config, &incident.key).map(Target::Ask);
            };
            first_key(&found.json()?, |_| true)
        }
        (IncidentAction::Open, _) if config.aggregates => {
            let summary = request::summary(publication);
            let Some(found) = answers.next() else {
                return request::search_summary(config, &summary).map(Target::Ask);
            };
            first_key(&found.json()?, |issue| issue["fields"]["summary"] == *summary)
        }
        (IncidentAction::Open, _) => None,
    };
    Ok(found.map_or(Target::New, Target::Issue))
}

fn first_key(found: &Json, wanted: impl Fn(&Json) -> bool) -> Option<String> {
    let issues = found["issues"].as_array()?;
    let key = |issue: &Json| issue["key"].as_str().map(str::to_owned);
    issues.iter().filter(|issue| wanted(issue)).find_map(key)
}

fn done(key: String) -> Step {
    Step::Done(Receipt { reference: Some(key) })
}

/// Data Center has no limit unless its administrator sets one; the Cloud's are not documented as numbers.
pub(in crate::outputs) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 2,
        rate: Some(Rate {
            per_sec: 2.0,
            burst: 10,
        }),
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
