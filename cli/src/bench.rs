//! What `streamalert bench` measures: computing time, so that a busy machine disturbs little, and ratios between
//! things measured in turn within one run, so that its speed matters little.

mod alerts;
mod apart;
mod classify;
mod cloudtrail;
mod corpus;
mod cpu;
mod cpython;
mod deliver;
mod engine;
mod inputs;
mod lanes;
mod latency;
mod live;
mod machine;
mod merge;
mod native;
mod open_groups;
mod outputs_down;
mod passes;
mod reload;
mod rule_report;
mod rule_set;
mod rules;
mod store;
mod takeover;
mod workers;

pub(crate) use apart::apart;
pub(crate) use classify::classify;
pub(crate) use corpus::{CorpusOptions, Mix, corpus};
pub(crate) use deliver::deliver;
pub(crate) use inputs::Inputs;
pub(crate) use lanes::lanes;
pub(crate) use latency::latency;
pub(crate) use merge::merge;
pub(crate) use open_groups::open_groups;
pub(crate) use outputs_down::outputs_down;
pub(crate) use reload::reload;
pub(crate) use rule_set::{RuleSetOptions, rule_set};
pub(crate) use rules::{Path, Plan, engines, rules};
pub(crate) use store::store;
pub(crate) use takeover::takeover;

use streamalert_value::Value;

use crate::explain::{object, text};

/// What one stage came to.
pub(crate) struct Report {
    /// One object with the key `stage`.
    pub(crate) json: Value,
    /// The same as lines of text.
    pub(crate) lines: Vec<String>,
}

impl Report {
    /// A stage that could not be measured here, and why.
    pub(crate) fn skipped(stage: &str, reason: &str) -> Self {
        Self {
            json: object([("stage", text(stage)), ("skipped", text(reason))]),
            lines: vec![format!("{stage}: skipped: {reason}")],
        }
    }
}

/// A whole number as people read it: `1,234,567`.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(grouped(0.4), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1_000.0), "1,000");
        assert_eq!(grouped(12_345_678.2), "12,345,678");
    }
}
