//! Records that hold many: the aggregation format of the Kinesis Producer Library.
//!
//! As its public description says (awslabs/amazon-kinesis-producer, `aggregation-format.md`): the magic bytes
//! F3 89 9A C2, a protocol buffer, and the MD5 digest of that buffer. Its message:
//!
//! ```text
//! message AggregatedRecord {
//!   repeated string partition_key_table     = 1;
//!   repeated string explicit_hash_key_table = 2;
//!   repeated Record records                 = 3;
//! }
//! message Record {
//!   required uint64 partition_key_index     = 1;
//!   optional uint64 explicit_hash_key_index = 2;
//!   required bytes  data                    = 3;
//!   repeated Tag    tags                    = 4;
//! }
//! ```
//!
//! The keys are passed over. They tell which shard a record was meant for, and after a split some of an aggregate
//! were meant for another shard than the one it lies in; nobody else will read them, so they are handed out.
//!
//! The wire format is read here rather than by a generated decoder, because a record of 10 MiB can hold five million
//! messages: they are cut out one by one when they are handed out.

use bytes::Bytes;
use md5::{Digest, Md5};

const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];
const DIGEST_BYTES: usize = 16;

/// Numbers of the fields that matter.
const RECORDS: u64 = 3;
const DATA: u64 = 3;

/// The records of an aggregate that are not taken yet, in order.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    message: Bytes,
}

impl Aggregate {
    /// Reads the data of a record. `None` when it is not an aggregate: it lacks the magic bytes, or the digest is
    /// wrong, or the message is broken. Then it is one record as it is.
    pub(super) fn read(data: &Bytes) -> Option<Self> {
        let rest = data.strip_prefix(&MAGIC)?;
        let (message, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST_BYTES)?)?;
        if Md5::digest(message).as_slice() != digest {
            return None;
        }
        let whole = Self {
            message: data.slice_ref(message),
        };
        let mut rest = whole.clone();
        while rest.take().ok()?.is_some() {}
        Some(whole)
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        // It was read to its end before.
        self.take().ok().flatten()
    }

    fn take(&mut self) -> Result<Option<Bytes>, Broken> {
        while let Some((number, value)) = field(&mut self.message)? {
            if number != RECORDS {
                continue;
            }
            let mut record = value.ok_or(Broken)?;
            let mut data = None;
            while let Some((number, value)) = field(&mut record)? {
                if number == DATA {
                    data = Some(value.ok_or(Broken)?);
                }
            }
            return data.map(Some).ok_or(Broken);
        }
        Ok(None)
    }
}

/// Not the message that it should be.
#[derive(Debug, PartialEq, Eq)]
struct Broken;

/// Cuts the next field off a message: its number, and its value where that is delimited by a length. `None` at the
/// end.
fn field(message: &mut Bytes) -> Result<Option<(u64, Option<Bytes>)>, Broken> {
    if message.is_empty() {
        return Ok(None);
    }
    let key = varint(message)?;
    let number = key >> 3;
    let value = match key & 7 {
        0 => varint(message).map(|_| None)?,
        1 => cut(message, 8).map(|_| None)?,
        2 => {
            let length = varint(message)?;
            Some(cut(message, length)?)
        }
        5 => cut(message, 4).map(|_| None)?,
        // Groups, which the format never had.
        _ => return Err(Broken),
    };
    if number == 0 {
        return Err(Broken);
    }
    Ok(Some((number, value)))
}

fn varint(message: &mut Bytes) -> Result<u64, Broken> {
    let mut value = 0;
    for (at, byte) in message.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            drop(message.split_to(at + 1));
            return Ok(value);
        }
    }
    Err(Broken)
}

fn cut(message: &mut Bytes, length: u64) -> Result<Bytes, Broken> {
    match usize::try_from(length) {
        Ok(length) if length <= message.len() => Ok(message.split_to(length)),
        _ => Err(Broken),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct WireAggregate {
        #[prost(string, repeated, tag = "1")]
        partition_keys: Vec<String>,
        #[prost(string, repeated, tag = "2")]
        hash_keys: Vec<String>,
        #[prost(message, repeated, tag = "3")]
        records: Vec<WireRecord>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct WireRecord {
        #[prost(uint64, required, tag = "1")]
        partition_key_index: u64,
        #[prost(uint64, optional, tag = "2")]
        hash_key_index: Option<u64>,
        #[prost(bytes = "vec", required, tag = "3")]
        data: Vec<u8>,
        #[prost(message, repeated, tag = "4")]
        tags: Vec<WireTag>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct WireTag {
        #[prost(string, required, tag = "1")]
        key: String,
        #[prost(string, optional, tag = "2")]
        value: Option<String>,
    }

    fn sealed(message: &[u8]) -> Bytes {
        let digest = Md5::digest(message);
        [&MAGIC[..], message, &digest[..]].concat().into()
    }

    /// An aggregate as the library makes it.
    pub(in crate::kinesis) fn aggregate<T: AsRef<[u8]>>(records: &[T]) -> Bytes {
        let records = records.iter().enumerate().map(|(at, data)| WireRecord {
            partition_key_index: 0,
            hash_key_index: (at % 2 == 1).then_some(0),
            data: data.as_ref().to_vec(),
            tags: vec![WireTag {
                key: "app".to_owned(),
                value: None,
            }],
        });
        let message = WireAggregate {
            partition_keys: vec!["key".to_owned()],
            hash_keys: vec!["340282366920938463463374607431768211455".to_owned()],
            records: records.collect(),
        };
        sealed(&message.encode_to_vec())
    }

    fn records(data: &Bytes) -> Option<Vec<Bytes>> {
        let mut aggregate = Aggregate::read(data)?;
        Some(std::iter::from_fn(|| aggregate.next()).collect())
    }

    #[test]
    fn what_lacks_the_magic_bytes_is_no_aggregate() {
        for data in ["", "plain", "{\"a\": 1}"] {
            assert_eq!(records(&Bytes::from_static(data.as_bytes())), None);
        }
    }

    #[test]
    fn an_aggregate_with_a_wrong_digest_or_a_broken_message_is_one_record() {
        let whole = aggregate(&["one", "two"]);
        let mut wrong = whole.to_vec();
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(records(&wrong.into()), None);
        for length in 0..whole.len() {
            assert_eq!(records(&whole.slice(..length)), None, "{length}");
        }
        // A record without data, a length beyond the end, a group, an endless number, a field 0.
        let broken: [&[u8]; 5] = [&[0x1A, 2, 8, 0], &[0x1A, 9, 1], &[0x1B], &[0xFF; 12], &[0x02, 0]];
        for message in broken {
            assert_eq!(records(&sealed(message)), None, "{message:?}");
        }
    }

    #[test]
    fn an_aggregate_of_nothing_holds_nothing() {
        assert_eq!(records(&aggregate::<&str>(&[])), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn what_is_aggregated_comes_out_again_in_order(bodies in vec(vec(any::<u8>(), 0..40), 0..20)) {
            let found = records(&aggregate(&bodies)).unwrap();
            prop_assert_eq!(found, bodies);
        }

        #[test]
        fn hostile_messages_are_refused_or_read_within_their_bounds(message in vec(any::<u8>(), 0..200)) {
            if let Some(found) = records(&sealed(&message)) {
                let total: usize = found.iter().map(Bytes::len).sum();
                prop_assert!(total <= message.len());
            }
        }
    }
}
