//! `pagerduty-incident:NAME`: an incident of PagerDuty that is assigned, prioritised and annotated.
//!
//! Follows developer.pagerduty.com as of 2025: "Events API v2", and of the REST API v2 "List incidents", "Update an
//! incident", "List notes for an incident", "Create a note on an incident", "Create a responder request for an
//! incident", "List users", "List priorities" (960 requests a minute, 429 above).
//! First goes the event of `pagerduty-v2`, with its magic fields; the incident that it opens is then changed. The rule's context may say, under `pagerduty-incident`,
//! `assigned_user`, `assigned_policy_id`, `incident_priority`, `with_record`, `note`, `responders` and
//! `responder_message`; publications may take over with `@pagerduty-incident.incident_title`, `.note` and `.urgency`
//! (`high`, `low`). Users whom PagerDuty does not know are named in the note. `service_name`, `service_id` and
//! `escalation_policy` are read for StreamAlert's sake and not needed.
//!
//! Idempotency: the event's `dedup_key` is `NAME:` and the id of the incident, and the last thing added is a note with the
//! alert's id: where it stands, all is done. An attempt that broke off between the request for responders and the note
//! asks only those responders again whom the incident does not list yet; with an empty `note` nothing tells, and the
//! incident is assigned again.
//!
//! Limits: an event over 512 KB is sent without the record, and says so. PagerDuty shows an incident some seconds after
//! its event; until then the delivery is tried again. Ten responders are asked at most, the note names the others.

mod config;
mod plan;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "pagerduty-incident",
    title: "PagerDuty (incidents)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = PagerDuty(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct PagerDuty(config::Config);

impl Api for PagerDuty {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        let plan = plan::Plan::of(parcel.publication);
        let incident = parcel.publication.incident();
        response::next(&self.0, &plan, incident.action, parcel.publication, answers)
    }

    fn steps_max(&self) -> usize {
        // event, incident, notes, assigned user, ourselves, priorities, update, request, note
        9 + plan::RESPONDERS_MAX
    }
}
