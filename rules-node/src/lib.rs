//! The rules-node: evaluates every rule that applies to a record and hands what fired to the merger. Keeps no
//! state that matters: a batch that was not answered is evaluated again and gives the same alert ids.

mod node;
mod outcomes;
mod stats;
mod traces;

pub use node::{RulesNode, RulesNodeOptions, RulesNodeParts};
pub use outcomes::{Failure, Findings, FindingsMaker, Raised};
pub use stats::{RuleStats, SampleFailure, StatsBook};
