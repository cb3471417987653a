use std::collections::BTreeMap;

use rskafka::chrono::DateTime;
use rskafka::record::Record;
use streamalert_value::Value;

use crate::outputs::SendError;
use crate::{Publication, to_json};

/// The record about `publication`, of at most `bytes_max` bytes before it is compressed.
pub(super) fn record(publication: &Publication, key: &str, bytes_max: usize) -> Result<Record, SendError> {
    let whole = record_of(publication, key, &publication.body);
    let bytes = whole.approximate_size();
    if bytes <= bytes_max {
        return Ok(whole);
    }
    shortened(publication, key, bytes, bytes_max)
}

/// The same without what is large.
pub(super) fn shortened(
    publication: &Publication,
    key: &str,
    whole_bytes: usize,
    bytes_max: usize,
) -> Result<Record, SendError> {
    let short = record_of(publication, key, &publication.shortened(whole_bytes, bytes_max));
    if short.approximate_size() > bytes_max {
        return Err(SendError::permanent(format!(
            "record of {whole_bytes} bytes, over the limit of {bytes_max} even without the alert's record"
        )));
    }
    Ok(short)
}

fn record_of(publication: &Publication, key: &str, body: &Value) -> Record {
    let incident = publication.incident().key;
    let mut headers = BTreeMap::from([
        ("content-type".to_owned(), b"application/json".to_vec()),
        ("idempotency-key".to_owned(), key.as_bytes().to_vec()),
        ("incident".to_owned(), incident.clone().into_bytes()),
    ]);
    if let Some(trace) = &publication.traceparent {
        headers.insert("traceparent".to_owned(), trace.to_string().into_bytes());
    }
    let created = DateTime::from_timestamp_micros(publication.alert.created.as_micros());
    Record {
        key: Some(incident.into_bytes()),
        value: Some(to_json(body)),
        headers,
        timestamp: created.unwrap_or_default(),
    }
}

/// Which of `count` partitions a key belongs to: as the producers of Kafka itself choose.
pub(super) fn place(key: &[u8], count: usize) -> usize {
    let hash = murmur2(key) & 0x7fff_ffff;
    (hash as usize).checked_rem(count).unwrap_or_default()
}

/// MurmurHash2 with the seed of Kafka (`org.apache.kafka.common.utils.Utils.murmur2`).
pub(super) fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let last = rest
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}
