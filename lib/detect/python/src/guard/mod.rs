//! Which records a rule can fire on at all, and the index made of that.

use std::sync::Arc;

use streamalert_detect::RuleSet;

use crate::cx::Cx;
use crate::program::Program;

/// For each log type, which rules are worth running on a record.
#[derive(Debug)]
pub struct Index {
    rules: Arc<RuleSet>,
}

impl Index {
    /// Finds out on which records each rule may fire or raise. `codes` gives each rule's place in the program.
    #[must_use]
    pub fn build(_program: &Program, rules: &Arc<RuleSet>, _codes: &[Option<u32>]) -> Self {
        Self { rules: rules.clone() }
    }

    /// Sets the bits of the rules that may fire or raise on this record; `bits` is all zero before.
    pub fn candidates(&self, _cx: &Cx<'_>, log_type: &str, bits: &mut [u64]) {
        for rule in self.rules.for_log_type(log_type) {
            if let Some(word) = bits.get_mut(rule.as_usize() / 64) {
                *word |= 1 << (rule.0 % 64);
            }
        }
    }
}
