use std::time::Duration;

use streamalert_types::Timestamp;

use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::aws::{compact, fitted};

/// An event may have 1 MiB, and so may a batch, in which every event counts 26 bytes more.
pub(super) const EVENT_BYTES_MAX: usize = (1 << 20) - 26;

/// An alert from before is logged under the time of its delivery: events that are older than the retention of the log
/// group, which is a day at least, are rejected.
const AGE_MAX: Duration = Duration::from_secs(12 * 3600);

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Milliseconds since 1970.
    pub(super) timestamp: i64,
    pub(super) message: String,
}

/// The event about `publication`, which is sent at `now`.
pub(super) fn event(publication: &Publication, now: Timestamp) -> Result<Event, SendError> {
    let created = publication.alert.created;
    // one of the future, by a clock that is wrong, is rejected, too
    let is_fresh = created <= now && now.since(created) < AGE_MAX;
    let time = if is_fresh { created } else { now };
    Ok(Event {
        timestamp: time.as_micros() / 1000,
        message: fitted(publication, &publication.body, EVENT_BYTES_MAX, compact)?,
    })
}
