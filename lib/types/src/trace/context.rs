use std::fmt;
use std::str::FromStr;

use crate::ids::Fields;
use crate::{Alert, Position, Record, Source};

/// A place in a trace, as in the `traceparent` header of W3C Trace Context
/// (<https://www.w3.org/TR/trace-context/>): trace, span, and whether it is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

/// Text that is not a `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent: {text:?}")]
pub struct TraceparentError {
    text: String,
}

const SAMPLED: u8 = 1;
/// `00-` + 32 + `-` + 16 + `-` + 2 characters.
const LENGTH: usize = 55;

impl Traceparent {
    /// The trace that this belongs to; never 0.
    #[must_use]
    pub const fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The span that is the parent of what follows; never 0.
    #[must_use]
    pub const fn span_id(self) -> u64 {
        self.span_id
    }

    /// Whether the caller keeps this trace.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The trace of the payload at `position` of `source`, at its first span: the payload was received. That of
    /// whoever sent it, below its span, where it came with one. Sampled, as all contexts made here are: a context is
    /// made only of what is kept.
    #[must_use]
    pub fn received(source: &Source, position: &Position) -> Self {
        let mut fields = Fields::new("trace");
        let trace_id = fields.position(source, position).finish();
        if let Some(caller) = position.caller() {
            let received = caller.child("receive", trace_id);
            return Self {
                flags: SAMPLED,
                ..received
            };
        }
        Self {
            trace_id,
            span_id: span_id(trace_id, 0, "receive", 0),
            flags: SAMPLED,
        }
    }

    /// Where the payload at `position` of `source` was classified.
    #[must_use]
    pub fn classified(source: &Source, position: &Position) -> Self {
        Self::received(source, position).child("classify", 0)
    }

    /// Where the rules were evaluated on `record`.
    #[must_use]
    pub fn evaluated(record: &Record) -> Self {
        Self::classified(&record.source, &record.position).child("rules", record.sub.into())
    }

    /// Where `alert` became durable, by itself or as a merged group; `None` when it has no trace.
    #[must_use]
    pub fn accepted(alert: &Alert) -> Option<Self> {
        let parent: Self = alert.traceparent.parse().ok()?;
        Some(parent.child("accept", alert.id.as_u128()))
    }

    /// A trace of its own, beside those of the records: `what` about `which`.
    #[must_use]
    pub fn apart(what: &str, which: Self) -> Self {
        let mut fields = Fields::new("trace-apart");
        let trace_id = fields
            .text(what)
            .bits(which.trace_id)
            .number(which.span_id)
            .finish();
        Self {
            trace_id,
            span_id: span_id(trace_id, 0, what, 0),
            flags: SAMPLED,
        }
    }

    /// A span below this one: step `what`, of which `which` tells it from others below the same parent.
    #[must_use]
    pub fn child(self, what: &str, which: u128) -> Self {
        Self {
            span_id: span_id(self.trace_id, self.span_id, what, which),
            ..self
        }
    }
}

fn span_id(trace_id: u128, parent: u64, what: &str, which: u128) -> u64 {
    let mut fields = Fields::new("span");
    let hash = fields
        .bits(trace_id)
        .number(parent)
        .text(what)
        .bits(which)
        .finish();
    // The lower half, in which the marks of a version 8 UUID make sure that it is not 0.
    u64::try_from(hash & u128::from(u64::MAX)).expect("64 bits are left")
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

impl FromStr for Traceparent {
    type Err = TraceparentError;

    /// Reads version 00, and of later versions the part that is like it, as the standard asks.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| TraceparentError {
            text: text.chars().take(2 * LENGTH).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Traceparent> {
    let bytes = text.as_bytes();
    let known = bytes.get(..LENGTH)?;
    let shape = known.iter().enumerate().all(|(at, byte)| match at {
        2 | 35 | 52 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    let end = match bytes.get(LENGTH) {
        None => true,
        Some(byte) => *byte == b'-' && &known[..2] != b"00",
    };
    if !shape || !end || &known[..2] == b"ff" {
        return None;
    }
    let trace_id = u128::from_str_radix(&text[3..35], 16).ok()?;
    let span_id = u64::from_str_radix(&text[36..52], 16).ok()?;
    let flags = u8::from_str_radix(&text[53..55], 16).ok()? & SAMPLED;
    (trace_id != 0 && span_id != 0).then_some(Traceparent {
        trace_id,
        span_id,
        flags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_example_of_the_standard_survives() {
        let parsed: Traceparent = EXAMPLE.parse().unwrap();
        assert_eq!(parsed.to_string(), EXAMPLE);
        assert!(parsed.is_sampled());
        assert_eq!(parsed.span_id(), 0xb7ad_6b71_6920_3331);
    }

    #[test]
    fn what_the_standard_calls_invalid_is_refused() {
        for text in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01",
        ] {
            assert!(text.parse::<Traceparent>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = EXAMPLE.replacen("00", "01", 1);
        assert_eq!(later.parse::<Traceparent>().unwrap().to_string(), EXAMPLE);
        assert!(format!("{later}-more").parse::<Traceparent>().is_ok());
        assert!(format!("{later}more").parse::<Traceparent>().is_err());
    }

    fn at(offset: u64) -> (Source, Position) {
        let source = Source {
            service: "kinesis".into(),
            resource: "stream".into(),
            cluster: None,
        };
        let position = Position {
            partition: "p".into(),
            sequence: crate::Sequence::Offset(offset),
        };
        (source, position)
    }

    #[test]
    fn the_same_place_has_the_same_trace_and_each_step_its_own_span() {
        let (source, position) = at(3);
        let received = Traceparent::received(&source, &position);
        assert_eq!(received, Traceparent::received(&source, &position));
        assert!(received.is_sampled());
        let classified = Traceparent::classified(&source, &position);
        assert_eq!(classified.trace_id(), received.trace_id());
        assert_ne!(classified.span_id(), received.span_id());
        assert_ne!(classified.child("rules", 0), classified.child("rules", 1));
        assert_ne!(classified.child("rules", 0), classified.child("accept", 0));
        let (_, next) = at(4);
        assert_ne!(
            Traceparent::received(&source, &next).trace_id(),
            received.trace_id()
        );
        assert_ne!(
            Traceparent::apart("send", classified).trace_id(),
            received.trace_id()
        );
    }

    #[test]
    fn a_made_context_survives_its_text() {
        let (source, position) = at(5);
        let context = Traceparent::received(&source, &position);
        assert_eq!(context.to_string().parse::<Traceparent>().unwrap(), context);
    }

    #[test]
    fn what_is_sent_as_part_of_a_trace_goes_on_with_it_and_keeps_its_name() {
        let (source, plain) = at(6);
        let caller: Traceparent = EXAMPLE.parse().unwrap();
        let called = Position {
            partition: Position::partition_called("p", caller),
            ..plain.clone()
        };
        assert_eq!((called.caller(), plain.caller()), (Some(caller), None));
        assert_eq!((called.partition_name(), plain.partition_name()), ("p", "p"));
        let received = Traceparent::received(&source, &called);
        assert_eq!(received.trace_id(), caller.trace_id());
        assert_ne!(received.span_id(), caller.span_id());
        let next = Position {
            sequence: crate::Sequence::Offset(7),
            ..called.clone()
        };
        assert_ne!(
            received,
            Traceparent::received(&source, &next),
            "each line its own"
        );
        let mut names = [Fields::new("x"), Fields::new("x")];
        let [one, other] = &mut names;
        assert_eq!(
            one.position(&source, &called).finish(),
            other.position(&source, &plain).finish()
        );
        let unsampled = EXAMPLE.replace("-01", "-00").parse().unwrap();
        let quiet = Position {
            partition: Position::partition_called("p", unsampled),
            ..plain
        };
        assert!(!quiet.caller().unwrap().is_sampled());
        assert!(
            Traceparent::received(&source, &quiet).is_sampled(),
            "what is kept is kept"
        );
    }

    #[test]
    fn a_partition_that_only_looks_like_one_with_a_trace_has_none() {
        let (_, plain) = at(1);
        for name in [
            "",
            ";traceparent=",
            ";traceparent=00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ü;traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333ü-1",
        ] {
            let position = Position {
                partition: name.into(),
                ..plain.clone()
            };
            assert_eq!((position.caller(), position.partition_name()), (None, name));
        }
    }
}
