use std::time::Duration;

use serde_json::{Value as Json, json};

use super::config::Config;
use super::plan::Plan;
use super::request;
use crate::outputs::http::{Answer, Method, Step};
use crate::outputs::pagerduty_v2::request::{Event, dedup_key};
use crate::outputs::{Receipt, SendError};
use crate::{Backoff, DeliveryOptions, IncidentAction, Publication, Rate};

/// What comes next: event, incident, notes; whom and what the rule names; update, responders, note.
pub(super) fn next(
    config: &Config,
    plan: &Plan,
    action: IncidentAction,
    publication: &Publication,
    answers: &[Answer],
) -> Result<Step, SendError> {
    let mut answers = answers.iter();
    let Some(event) = answers.next() else {
        let event = Event {
            url: &config.events_url,
            routing_key: &config.integration_key,
            publication,
            has_record: plan.has_record,
        };
        return Ok(Step::Ask(event.request()));
    };
    event.judge()?;
    let Some(found) = answers.next() else {
        let key = dedup_key(publication);
        return request::get(config, &["incidents"], &[("incident_key", &key)]).map(Step::Ask);
    };
    let found = found.json()?;
    let Some((id, incident)) = first_with_id(&found["incidents"], |_| true) else {
        return Err(SendError::retry("the incident of the event cannot be seen yet"));
    };
    let receipt = Receipt {
        reference: Some(id.to_owned()),
    };
    if plan.has_note() {
        let Some(notes) = answers.next() else {
            return request::get(config, &["incidents", id, "notes"], &[]).map(Step::Ask);
        };
        if is_noted(&notes.json()?, &plan.mark) {
            return Ok(Step::Done(receipt));
        }
    }
    let mut unknown = Vec::new();
    if action == IncidentAction::Open
        && let Some(request) = set_up(config, plan, id, incident, &mut answers, &mut unknown)?
    {
        return Ok(request);
    }
    let Some(note) = plan.note(&unknown) else {
        return Ok(Step::Done(receipt));
    };
    let Some(noted) = answers.next() else {
        let note = json!({"note": {"content": note}});
        return request::change(config, Method::POST, &["incidents", id, "notes"], &note).map(Step::Ask);
    };
    noted.judge()?;
    Ok(Step::Done(receipt))
}

/// Assigns the incident and asks responders; `None` when all that is done. Whom PagerDuty does not know comes into
/// `unknown`.
fn set_up<'a>(
    config: &Config,
    plan: &Plan,
    id: &str,
    incident: &Json,
    answers: &mut impl Iterator<Item = &'a Answer>,
    unknown: &mut Vec<String>,
) -> Result<Option<Step>, SendError> {
    let mut emails: Vec<&str> = plan.assigned_user.iter().map(String::as_str).collect();
    if !plan.responders.is_empty() {
        emails.push(&config.email_from);
        emails.extend(plan.responders.iter().map(String::as_str));
    }
    let mut users = Vec::new();
    for email in emails {
        let Some(answer) = answers.next() else {
            return request::get(config, &["users"], &[("query", email)])
                .map(|request| Some(Step::Ask(request)));
        };
        let user = user_with(&answer.json()?, email);
        if user.is_none() {
            unknown.push(email.to_owned());
        }
        users.push(user);
    }
    let mut users = users.into_iter();
    let assignee = plan.assigned_user.as_ref().and_then(|_| users.next().flatten());
    let requester = users.next().flatten();
    let priority = match &plan.priority {
        None => None,
        Some(name) => {
            let Some(answer) = answers.next() else {
                return request::get(config, &["priorities"], &[]).map(|request| Some(Step::Ask(request)));
            };
            let priorities = answer.json()?;
            let priority = first_with_id(&priorities["priorities"], |priority| priority["name"] == **name);
            if priority.is_none() {
                unknown.push(format!("priority {name}"));
            }
            priority.map(|(id, _)| id.to_owned())
        }
    };
    let Some(updated) = answers.next() else {
        let update = request::update(config, plan, assignee.as_deref(), priority.as_deref());
        return request::change(config, Method::PUT, &["incidents", id], &update)
            .map(|request| Some(Step::Ask(request)));
    };
    updated.judge()?;
    let responders: Vec<String> = users.flatten().filter(|user| !is_asked(incident, user)).collect();
    if let (Some(requester), false) = (requester, responders.is_empty()) {
        let Some(asked) = answers.next() else {
            let body = request::responder_request(plan, &requester, &responders);
            return request::change(
                config,
                Method::POST,
                &["incidents", id, "responder_requests"],
                &body,
            )
            .map(|request| Some(Step::Ask(request)));
        };
        asked.judge()?;
    }
    Ok(None)
}

/// The first object of a list that has an id and is as wanted.
fn first_with_id(list: &Json, wanted: impl Fn(&Json) -> bool) -> Option<(&str, &Json)> {
    let items = list.as_array()?.iter().filter(|item| wanted(item));
    items.filter_map(|item| Some((item["id"].as_str()?, item))).next()
}

/// The query finds names, too: the address must be that of the user. Answers that hide addresses have one user.
fn user_with(users: &Json, email: &str) -> Option<String> {
    let is = |user: &Json| match user["email"].as_str() {
        Some(known) => known.eq_ignore_ascii_case(email),
        None => users["users"].as_array().is_some_and(|users| users.len() == 1),
    };
    first_with_id(&users["users"], is).map(|(id, _)| id.to_owned())
}

fn is_noted(notes: &Json, mark: &str) -> bool {
    let has = |note: &Json| {
        note["content"]
            .as_str()
            .is_some_and(|content| content.contains(mark))
    };
    notes["notes"]
        .as_array()
        .is_some_and(|notes| notes.iter().any(has))
}

fn is_asked(incident: &Json, user: &str) -> bool {
    let asked = incident["incidents_responders"].as_array();
    asked.is_some_and(|asked| asked.iter().any(|responder| responder["user"]["id"] == *user))
}

/// Five requests a delivery of the 960 a minute that PagerDuty takes, and 120 events a minute.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 2,
        rate: Some(Rate {
            per_sec: 1.0,
            burst: 10,
        }),
        timeout: Duration::from_secs(30),
        // an incident that cannot be seen yet is no failure of PagerDuty, and is there within seconds
        backoff: Backoff {
            first: Duration::from_secs(3),
            max: Duration::from_secs(30),
        },
        circuit_failures: 50,
        ..DeliveryOptions::default()
    }
}
