use serde_json::Value as Json;

use super::config::Config;
use super::request;
use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Publication};

/// What comes next: is the artifact there? Is the container? Then what is missing is made.
pub(super) fn next(
    config: &Config,
    publication: &Publication,
    answers: &[Answer],
) -> Result<Step, SendError> {
    let mut answers = answers.iter();
    let Some(known) = answers.next() else {
        return request::search_artifact(config, publication).map(Step::Ask);
    };
    if let Some(id) = first_id(&read(known)?) {
        return Ok(done(id));
    }
    let Some(found) = answers.next() else {
        return request::search_container(config, publication).map(Step::Ask);
    };
    let container = match first_id(&read(found)?) {
        Some(id) => id,
        None => {
            let Some(created) = answers.next() else {
                return request::create_container(config, publication).map(Step::Ask);
            };
            made(created)?
        }
    };
    let Some(created) = answers.next() else {
        return request::create_artifact(config, publication, container).map(Step::Ask);
    };
    made(created).map(done)
}

/// Of the first that a query found.
fn first_id(found: &Json) -> Option<u64> {
    found["data"].as_array()?.first()?["id"].as_u64()
}

/// The id of what was made, or of what was there already and is therefore refused.
fn made(answer: &Answer) -> Result<u64, SendError> {
    let said: Option<Json> = serde_json::from_slice(&answer.body).ok();
    let existing = |said: &Json| {
        let of = |name: &str| said[name].as_u64();
        of("existing_container_id").or_else(|| of("existing_artifact_id"))
    };
    if let Some(id) = said.as_ref().and_then(existing) {
        return Ok(id);
    }
    let missing = || SendError::unsure("soar did not say what it made");
    read(answer)?["id"].as_u64().ok_or_else(missing)
}

/// Some refusals come with 200 and `"success": false` or `"failed": true`.
fn read(answer: &Answer) -> Result<Json, SendError> {
    let said = answer.json()?;
    if said["success"] == false || said["failed"] == true {
        return Err(answer.refusal());
    }
    Ok(said)
}

fn done(id: u64) -> Step {
    Step::Done(Receipt {
        reference: Some(id.to_string()),
    })
}

/// No limit is documented. Containers are made once if deliveries come one after the other.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 1,
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
