use super::config::Config;
use super::request;
use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, IncidentAction, Publication, Rate};

/// What comes next: a new alert is created; of what comes later the notes are read, and one is added.
pub(super) fn next(
    config: &Config,
    action: IncidentAction,
    publication: &Publication,
    answers: &[Answer],
) -> Result<Step, SendError> {
    let receipt = Receipt {
        reference: Some(request::alias(publication)),
    };
    let mut answers = answers.iter();
    if action == IncidentAction::Update {
        let Some(notes) = answers.next() else {
            return request::notes(config, publication).map(Step::Ask);
        };
        // one that is not there is opened below
        if notes.status != 404 {
            let mark = format!("alert {}", publication.alert.id);
            let notes = notes.json()?;
            let has =
                |note: &serde_json::Value| note["note"].as_str().is_some_and(|note| note.contains(&mark));
            if notes["data"]
                .as_array()
                .is_some_and(|notes| notes.iter().any(has))
            {
                return Ok(Step::Done(receipt));
            }
            let Some(added) = answers.next() else {
                return request::add_note(config, publication).map(Step::Ask);
            };
            added.judge()?;
            return Ok(Step::Done(receipt));
        }
    }
    // 202: it is taken; that is all that is said
    let Some(created) = answers.next() else {
        return request::create(config, publication).map(Step::Ask);
    };
    created.judge()?;
    Ok(Step::Done(receipt))
}

/// Opsgenie's limits depend on the plan and the number of users; the smallest is about this.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        rate: Some(Rate {
            per_sec: 2.0,
            burst: 20,
        }),
        ..DeliveryOptions::default()
    }
}
