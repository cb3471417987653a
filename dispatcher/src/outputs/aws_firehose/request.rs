use streamalert_types::Timestamp;

use crate::Publication;
use crate::outputs::aws::{compact, fitted};
use crate::outputs::{SendError, jsonl};

/// Where an alert of `created` goes: `alerts/dt=2026-01-31-07/alerts.jsonl`.
pub(super) fn object_key(stream: &str, created: Timestamp) -> String {
    let hour = jiff::Timestamp::from_microsecond(created.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{stream}/dt={}/{stream}.jsonl", hour.strftime("%Y-%m-%d-%H"))
}

/// The line to append, newline included.
pub(super) fn line(publication: &Publication, key: &str) -> Vec<u8> {
    jsonl::line(&publication.body, key)
}

/// What a record of a delivery stream may have: 1,000 KiB.
pub(super) const RECORD_BYTES_MAX: usize = 1000 << 10;

/// Records of one request.
pub(super) const BATCH_RECORDS_MAX: usize = 500;

/// Bytes of the records of one request, which may have 4 MiB when they are in Base64.
pub(super) const BATCH_BYTES_MAX: usize = 3 << 20;

/// The record of a delivery stream: the publication as StreamAlert sends it, newline included.
pub(super) fn record(publication: &Publication) -> Result<Vec<u8>, SendError> {
    let mut line = fitted(publication, &publication.body, RECORD_BYTES_MAX - 1, compact)?.into_bytes();
    line.push(b'\n');
    Ok(line)
}

/// How many of records with these sizes go into the next request; one at least, if there is one.
pub(super) fn batch_records(sizes: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fits = |(at, size): &(usize, usize)| {
        bytes += size;
        *at == 0 || (*at < BATCH_RECORDS_MAX && bytes <= BATCH_BYTES_MAX)
    };
    sizes.enumerate().take_while(fits).count()
}
