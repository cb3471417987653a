use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

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

    /// The same place, kept from now on: a record that raises an alert keeps its trace.
    #[must_use]
    pub const fn sampled(self) -> Self {
        Self {
            flags: self.flags | SAMPLED,
            ..self
        }
    }
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

/// Makes trace and span ids. Equal seeds make equal ids in equal order.
#[derive(Debug)]
pub struct TraceIds {
    rng: Mutex<StdRng>,
}

impl TraceIds {
    /// Ids from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    /// The beginning of a new trace.
    #[must_use]
    pub fn root(&self, sampled: bool) -> Traceparent {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let trace_id = rng.random_range(1..=u128::MAX);
        Traceparent {
            trace_id,
            span_id: rng.random_range(1..=u64::MAX),
            flags: u8::from(sampled),
        }
    }

    /// A new span below `parent`.
    #[must_use]
    pub fn child(&self, parent: Traceparent) -> Traceparent {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        Traceparent {
            span_id: rng.random_range(1..=u64::MAX),
            ..parent
        }
    }
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

    #[test]
    fn a_child_stays_in_the_trace_and_seeds_decide_the_ids() {
        let ids = TraceIds::seeded(3);
        let root = ids.root(false);
        let child = ids.child(root);
        assert_eq!(child.trace_id(), root.trace_id());
        assert_ne!(child.span_id(), root.span_id());
        assert!(!child.is_sampled() && child.sampled().is_sampled());
        assert_eq!(TraceIds::seeded(3).root(false), root);
    }
}
