use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{OutputName, Position, Sequence, Source, Timestamp};

/// Text that is not an id of the form `xxxxxxxx-xxxx-8xxx-xxxx-xxxxxxxxxxxx`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: {text:?}")]
pub struct IdParseError {
    text: String,
}

macro_rules! uuid_like {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The 128 bits.
            #[must_use]
            pub const fn as_u128(self) -> u128 {
                self.0
            }

            /// From its 128 bits.
            #[must_use]
            pub const fn from_u128(bits: u128) -> Self {
                Self(bits)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_uuid(text).map(Self)
            }
        }
    };
}

uuid_like! {
    /// Names one alert for ever: a hash of the source position, the sub-record and the rule.
    AlertId
}
uuid_like! {
    /// Names one classified record: a hash of the source position and the sub-record.
    RecordId
}
uuid_like! {
    /// Names one merge group: a hash of the rule, the merge-key values and the group's first alert.
    GroupId
}
uuid_like! {
    /// Names one dead letter: a hash of what it is about, so that storing it twice stores it once.
    DeadLetterId
}

impl RecordId {
    /// The id of sub-record `sub` of the payload at `position` of `source`.
    #[must_use]
    pub fn new(source: &Source, position: &Position, sub: u32) -> Self {
        let mut hash = Fields::new("record");
        hash.position(source, position).number(u64::from(sub));
        Self(hash.finish())
    }
}

impl AlertId {
    /// The id of the alert that `rule` raises on record `record`.
    #[must_use]
    pub fn new(record: RecordId, rule: &str) -> Self {
        Self(Fields::new("alert").bits(record.0).text(rule).finish())
    }

    /// The id of the alert that tells a health event of `kind` about `subject`, while the rules of `version` run.
    #[must_use]
    pub fn of_health(kind: &str, subject: &str, version: &str) -> Self {
        let mut fields = Fields::new("health");
        fields.text(kind).text(subject).text(version);
        Self(fields.finish())
    }

    /// The id of the canary that `output` is to get at `moment`.
    #[must_use]
    pub fn of_canary(output: &OutputName, moment: Timestamp) -> Self {
        let mut fields = Fields::new("canary");
        fields.text(output.as_str()).text(&moment.to_string());
        Self(fields.finish())
    }

    /// The id of the alert that a closed merge group becomes.
    #[must_use]
    pub fn merged(group: GroupId) -> Self {
        Self(Fields::new("merged").bits(group.0).finish())
    }
}

impl GroupId {
    /// The id of the group that `first` opens. `key` is the canonical text of the merge-key values.
    #[must_use]
    pub fn new(rule: &str, key: &[u8], first: AlertId) -> Self {
        Self(Fields::new("group").text(rule).bytes(key).bits(first.0).finish())
    }
}

impl DeadLetterId {
    /// The id of the dead letter about `subject` (a payload, a sub-record, a delivery) for `reason`.
    #[must_use]
    pub fn new(source: &Source, position: &Position, sub: Option<u32>, reason: &str) -> Self {
        let mut hash = Fields::new("dead-letter");
        hash.position(source, position)
            .number(sub.map_or(u64::MAX, u64::from))
            .text(reason);
        Self(hash.finish())
    }

    /// The id of the dead letter for an alert that could not be delivered to `output`.
    #[must_use]
    pub fn for_delivery(alert: AlertId, output: &str) -> Self {
        Self(Fields::new("dead-delivery").bits(alert.0).text(output).finish())
    }
}

/// Length-prefixed hashing, so that no two different lists of fields have the same bytes.
pub(crate) struct Fields(blake3::Hasher);

impl Fields {
    pub(crate) fn new(kind: &str) -> Self {
        let mut fields = Self(blake3::Hasher::new());
        fields.text(kind);
        fields
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(crate) fn bits(&mut self, bits: u128) -> &mut Self {
        self.0.update(&bits.to_le_bytes());
        self
    }

    pub(crate) fn position(&mut self, source: &Source, position: &Position) -> &mut Self {
        self.text(&source.service)
            .text(&source.resource)
            .text(position.partition_name());
        match &position.sequence {
            Sequence::Offset(offset) => self.number(0).number(*offset),
            Sequence::Token(token) => self.number(1).text(token),
        }
    }

    /// The first 128 bits, marked as an RFC 9562 version 8 (custom) UUID.
    pub(crate) fn finish(&self) -> u128 {
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        u128::from_be_bytes(bytes)
    }
}

fn write_uuid(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let hex = format!("{bits:032x}");
    write!(
        f,
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

fn parse_uuid(text: &str) -> Result<u128, IdParseError> {
    let error = || IdParseError {
        text: text.to_owned(),
    };
    let bytes = text.as_bytes();
    let shape = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if !shape {
        return Err(error());
    }
    u128::from_str_radix(&text.replace('-', ""), 16).map_err(|_| error())
}

/// Names one batch on one stream; unique within the process that sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// Hands out batch ids in order.
#[derive(Debug, Default)]
pub struct BatchIds(AtomicU64);

impl BatchIds {
    /// The next id.
    pub fn next_id(&self) -> BatchId {
        BatchId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            service: "kinesis".into(),
            resource: "stream".into(),
            cluster: None,
        }
    }

    #[test]
    fn the_same_record_and_rule_always_give_the_same_alert_id() {
        let position = Position {
            partition: "shard-0".into(),
            sequence: Sequence::Offset(7),
        };
        let id = |sub, rule| AlertId::new(RecordId::new(&source(), &position, sub), rule);
        assert_eq!(id(0, "r"), id(0, "r"));
        assert_ne!(id(0, "r"), id(1, "r"));
        assert_ne!(id(0, "r"), id(0, "s"));
    }

    #[test]
    fn an_id_survives_its_text_form() {
        let id = AlertId::from_u128(0x0123_4567_89ab_8def_8123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01234567-89ab-8def-8123-456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("01234567-89ab".parse::<AlertId>().is_err());
    }
}
