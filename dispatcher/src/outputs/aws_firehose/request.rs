use streamalert_types::Timestamp;

use crate::Publication;
use crate::outputs::jsonl;

/// Where an alert of `created` goes: `alerts/dt=2026-01-31-07/alerts.jsonl`.
pub(super) fn object_key(stream: &str, created: Timestamp) -> String {
    let hour = jiff::Timestamp::from_microsecond(created.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{stream}/dt={}/{stream}.jsonl", hour.strftime("%Y-%m-%d-%H"))
}

/// The line to append, newline included.
pub(super) fn line(publication: &Publication, key: &str) -> Vec<u8> {
    jsonl::line(&publication.body, key)
}
