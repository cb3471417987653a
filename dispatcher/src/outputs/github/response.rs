use serde_json::Value as Json;

use super::config::Config;
use super::request::{self, PAGE_ITEMS, mark};
use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Incident, IncidentAction, Publication, Rate};

/// Pages of issues that are read at most.
pub(super) const PAGES_MAX: usize = 10;

/// What comes next: issues are read until one names the alert or its incident; then it is done, commented or created.
pub(super) fn next(
    config: &Config,
    incident: &Incident,
    publication: &Publication,
    answers: &[Answer],
) -> Result<Step, SendError> {
    let own = mark(&publication.alert.id.to_string());
    let of_incident = mark(&incident.key);
    let mut answers = answers.iter();
    // the issue of the incident
    let mut issue = publication
        .reference
        .clone()
        .filter(|_| incident.action == IncidentAction::Update);
    let mut page = 1;
    while issue.is_none() && page <= PAGES_MAX {
        let Some(answer) = answers.next() else {
            return request::issues(config, publication, page).map(Step::Ask);
        };
        let issues = read(answer)?;
        if let Some(number) = number_of(&issues, &own) {
            return Ok(done(number));
        }
        issue = number_of(&issues, &of_incident);
        if issues.as_array().is_none_or(|issues| issues.len() < PAGE_ITEMS) {
            break;
        }
        page += 1;
    }
    if let Some(number) = issue {
        let Some(answer) = answers.next() else {
            return request::comments(config, publication, &number).map(Step::Ask);
        };
        // an issue that is gone is made anew
        if !matches!(answer.status, 404 | 410) {
            let is_known = read(answer)?
                .as_array()
                .is_some_and(|comments| comments.iter().any(|comment| names(comment, &own)));
            if is_known {
                return Ok(done(number));
            }
            let Some(commented) = answers.next() else {
                return request::comment(config, publication, &number).map(Step::Ask);
            };
            judge(commented)?;
            return Ok(done(number));
        }
    }
    let Some(created) = answers.next() else {
        return request::create(config, publication).map(Step::Ask);
    };
    match read(created)?["number"].as_u64() {
        Some(number) => Ok(done(number.to_string())),
        None => Err(SendError::unsure("github did not say which issue it made")),
    }
}

fn names(item: &Json, mark: &str) -> bool {
    item["body"].as_str().is_some_and(|body| body.contains(mark))
}

fn number_of(issues: &Json, mark: &str) -> Option<String> {
    let named = issues.as_array()?.iter().find(|issue| names(issue, mark))?;
    named["number"].as_u64().map(|number| number.to_string())
}

fn done(number: String) -> Step {
    Step::Done(Receipt {
        reference: Some(number),
    })
}

fn read(answer: &Answer) -> Result<Json, SendError> {
    judge(answer)?;
    answer.json()
}

/// 403 is also GitHub's word for too many requests.
fn judge(answer: &Answer) -> Result<(), SendError> {
    let is_limited = || {
        let text = answer.text().to_ascii_lowercase();
        answer.retry_after.is_some() || text.contains("rate limit") || text.contains("abuse")
    };
    if answer.status == 403 && is_limited() {
        return Err(answer.retry());
    }
    answer.judge()
}

/// GitHub takes 500 requests that create content an hour, and wants them one after the other.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 1,
        rate: Some(Rate {
            per_sec: 0.13,
            burst: 40,
        }),
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
