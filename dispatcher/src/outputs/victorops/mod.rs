//! `victorops:NAME`: an alert of Splunk On-Call, which was VictorOps, through its REST endpoint.
//!
//! Follows Splunk's "REST Endpoint integration for Splunk On-Call" as of 2025: `message_type`, `entity_id`,
//! `entity_display_name`, `state_message`, `state_start_time`, `monitoring_tool`, and any further field, here `record` as
//! StreamAlert sends it, `rule`, `alert` and `vo_annotate` links (annotations).
//! Publications may take over with `@victorops.message_type` (`CRITICAL`, `WARNING`, `INFO`), `.entity_display_name` and
//! `.state_message`; StreamAlert had no magic fields here.
//!
//! Idempotency: `entity_id` is `streamalert/NAME/` and the id of the incident. Splunk On-Call adds an alert about a known
//! entity to the incident that is open, so a repeated delivery pages nobody twice; it stands in the timeline twice.
//! (StreamAlert called every alert `streamalert/alert`, so that all went into one incident.)
//!
//! Limits: none are documented. A message is cut to 10,000 characters, and an alert over 256 KiB is sent without the
//! record; both say so.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "victorops",
    title: "Splunk On-Call (VictorOps)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Public,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = VictorOps(config::Config::read(settings)?);
    Ok(Arc::new(HttpOutput::new(api, settings.poster()?)))
}

struct VictorOps(config::Config);

impl Api for VictorOps {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::alert(&self.0, parcel.publication).map(Step::Ask),
            [answer, ..] => response::judge(answer),
        }
    }
}
