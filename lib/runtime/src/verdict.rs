//! From a native verdict to a rule's outcome.

use streamalert_detect::{KillReason, RuleIndex, RuleOutcome, RuleResult};
use streamalert_native::cx::Limit;
use streamalert_native::engine::Verdict;
use streamalert_types::Record;

use crate::generation::Generation;

/// What native evaluation knows of a record.
pub(crate) struct Judged {
    pub(crate) record: Record,
    pub(crate) results: Vec<RuleResult>,
    /// Rules that CPython is to evaluate.
    pub(crate) fallbacks: Vec<RuleIndex>,
}

impl Judged {
    pub(crate) fn suspend(&mut self, rule: RuleIndex) {
        self.results.push(RuleResult {
            rule,
            outcome: RuleOutcome::Suspended,
        });
    }

    /// Results in the order of the rules, wherever they come from.
    pub(crate) fn sort(&mut self) {
        self.results.sort_unstable_by_key(|result| result.rule);
    }
}

/// Notes what came of a pair.
pub(crate) fn judge(generation: &Generation, rule: RuleIndex, verdict: Verdict, into: &mut Judged) {
    let statistics = generation.statistics();
    let outcome = match verdict {
        Verdict::Fired(fired) => {
            statistics.matched(rule);
            RuleOutcome::Fired(fired)
        }
        Verdict::False => RuleOutcome::False,
        Verdict::NotRun => RuleOutcome::NotRun,
        Verdict::Exception(exception) => {
            statistics.raised(rule);
            RuleOutcome::Exception(exception)
        }
        Verdict::Fallback(departure) => {
            statistics.fell_back(rule, || generation.departed(rule, &departure));
            if !generation.without_python() {
                into.fallbacks.push(rule);
                return;
            }
            let why = generation.departed(rule, &departure).to_string();
            RuleOutcome::Killed(KillReason::NoPython { why })
        }
        Verdict::OverLimit(Limit::Fuel) => {
            let limit = generation.limits().fuel;
            generation.strike(rule, &format!("over its limit of {limit} steps"));
            RuleOutcome::Killed(KillReason::Steps { limit })
        }
        Verdict::OverLimit(Limit::Memory) => {
            let limit_bytes = generation.limits().arena_bytes as u64;
            generation.strike(rule, &format!("over its memory limit of {limit_bytes} bytes"));
            RuleOutcome::Killed(KillReason::Memory { limit_bytes })
        }
        Verdict::Panicked(text) => {
            // Ours to mend, and CPython's to answer meanwhile.
            tracing::error!(rule = %generation.name(rule), panic = %text, "native evaluation failed, please report this");
            generation.strike(rule, "native evaluation failed");
            into.fallbacks.push(rule);
            return;
        }
    };
    into.results.push(RuleResult { rule, outcome });
}
