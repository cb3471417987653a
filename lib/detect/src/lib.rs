//! Rules and alerts without a runtime: what a rule is, which rules apply to a record, what an evaluation may
//! answer, how an alert is made of it, threat intelligence, strikes against misbehaving rules, merging.
//!
//! Invariant: pure. Time comes in as an argument; nothing here blocks, spawns or reads a file.

mod alert;
pub mod merge;
mod outcome;
mod publishers;
mod rule;
mod rule_set;
mod runtime;
mod strikes;
mod threat_intel;

pub use alert::{AlertStamp, alert_item, build_alert, output_dict, output_dict_with_record};
pub use outcome::{Fired, KillReason, RecordOutcome, RuleException, RuleOutcome, RuleResult};
pub use publishers::{DEFAULT_PUBLISHER, PublisherPlan, publisher_names};
pub use rule::{DEFAULT_DESCRIPTION, RuleIndex, RuleInfo};
pub use rule_set::{RuleSet, RuleSetError};
pub use runtime::{EvaluateOptions, Fixtures, RuleRuntime, RuntimeError};
pub use strikes::{StrikeEffect, StrikePolicy, Strikes, Suspension};
pub use threat_intel::{IOC_KEY, NORMALIZATION_KEY, NetworkError, ThreatIntel, ThreatIntelOptions};
