use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Timestamp, Traceparent};

/// What kind of work a span is, as OpenTelemetry tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Work inside of a service.
    Internal,
    /// Something is sent that another takes later.
    Producer,
    /// Something is taken that another has sent.
    Consumer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// Text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// A whole number.
    Number(i64),
    /// A truth value.
    Flag(bool),
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for SpanValue {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for SpanValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// A piece of work that has ended. Holds nothing out of records but names of their fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where it is.
    pub context: Traceparent,
    /// The span above it, in the same trace; `None` for the first.
    pub parent: Option<Traceparent>,
    /// The service that did it: `classifier`, `rules-node`, `merger` or `dispatcher`.
    pub service: &'static str,
    /// What was done; few different names.
    pub name: Cow<'static, str>,
    /// What kind of work it was.
    pub kind: SpanKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// What else is known about it, by OpenTelemetry's names where there are such.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Spans that this one comes of or goes along with, in other traces or branches.
    pub links: Vec<Traceparent>,
    /// Why it failed, in one line; `None` when it did not.
    pub error: Option<String>,
}

/// Takes ended spans. Never waits: what it cannot take it drops, and counts.
pub trait SpanSink: Send + Sync + 'static {
    /// Takes one.
    fn record(&self, span: Span);
}

/// What a service traces with. Without a sink nothing is traced, and nothing is spent on it. Clones are the same.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    sink: Arc<dyn SpanSink>,
    /// A record is kept when its number, mixed, is not above this.
    threshold: Option<u64>,
    /// Numbers given so far.
    numbers: AtomicU64,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracer").field(&self.is_on()).finish()
    }
}

impl Tracer {
    /// Traces into `sink`, and keeps about `ratio` (0 to 1) of the records that nothing comes of.
    #[must_use]
    pub fn new(sink: Arc<dyn SpanSink>, ratio: f64) -> Self {
        // 2^53 steps are finer than anybody counts, and exact in a float.
        const STEPS: f64 = 9_007_199_254_740_992.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 2^53"
        )]
        let threshold = (ratio > 0.0).then(|| ((ratio.min(1.0) * STEPS) as u64) << 11);
        // The product is 2^64 for a ratio of 1, of which the shift leaves 0.
        let threshold = threshold.map(|threshold| if ratio >= 1.0 { u64::MAX } else { threshold });
        Self(Some(Arc::new(Inner {
            sink,
            threshold,
            numbers: AtomicU64::new(0),
        })))
    }

    /// Whether anything is traced.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a span that has ended.
    pub fn record(&self, span: Span) {
        if let Some(inner) = &self.0 {
            inner.sink.record(span);
        }
    }

    /// Which of `count` ordinary records are kept, by their indexes. Spread evenly over all records there are, and
    /// by no pattern that records could share.
    #[must_use]
    pub fn sample(&self, count: usize) -> Vec<u32> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let Some(threshold) = inner.threshold else {
            return Vec::new();
        };
        let first = inner.numbers.fetch_add(count as u64, Ordering::Relaxed);
        (0..u32::try_from(count).unwrap_or(u32::MAX))
            .filter(|index| mixed(first.wrapping_add(u64::from(*index))) <= threshold)
            .collect()
    }
}

/// The output of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators) for state `number`.
const fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl SpanSink for Nowhere {
        fn record(&self, _: Span) {}
    }

    fn kept(ratio: f64) -> usize {
        let tracer = Tracer::new(Arc::new(Nowhere), ratio);
        (0..100).map(|_| tracer.sample(1_000).len()).sum()
    }

    #[test]
    fn about_the_ratio_of_the_records_is_kept() {
        assert_eq!(
            (kept(0.0), kept(1.0), kept(-1.0), kept(2.0)),
            (0, 100_000, 0, 100_000)
        );
        let (many, few) = (kept(0.5), kept(0.01));
        assert!((49_000..51_000).contains(&many), "{many}");
        assert!((900..1_100).contains(&few), "{few}");
    }

    #[test]
    fn without_a_sink_nothing_is_kept() {
        assert!(!Tracer::default().is_on());
        assert_eq!(Tracer::default().sample(1_000), []);
    }
}
