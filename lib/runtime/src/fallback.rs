//! The pairs that native evaluation left: to CPython, batched, and back into their place.

use streamalert_detect::{EvaluateOptions, KillReason, RecordOutcome, RuleOutcome, RuleResult, RuntimeError};
use streamalert_python::PairRecord;

use crate::generation::Generation;
use crate::verdict::Judged;

/// Evaluates what fell back and answers all outcomes, in the order of the records and of the rules.
pub(crate) async fn complete(
    generation: &Generation,
    judged: Vec<Judged>,
    options: EvaluateOptions,
) -> Result<Vec<RecordOutcome>, RuntimeError> {
    if generation.without_python() {
        return Ok(judged.into_iter().map(unanswered).collect());
    }
    let mut pairs = Vec::new();
    for one in &judged {
        if !one.fallbacks.is_empty() {
            pairs.push(PairRecord {
                record: one.record.clone(),
                rules: one.fallbacks.clone().into_boxed_slice(),
            });
        }
    }
    let answers = if pairs.is_empty() {
        Vec::new()
    } else {
        generation.pool().await?.evaluate_pairs(pairs, options).await?
    };
    let mut answers = answers.into_iter();
    let outcomes = judged.into_iter().map(|mut one| {
        if !one.fallbacks.is_empty()
            && let Some(answer) = answers.next()
        {
            one.results.extend(answer.results);
            one.sort();
        }
        RecordOutcome {
            record: one.record,
            results: one.results,
        }
    });
    Ok(outcomes.collect())
}

/// What is left for a CPython that is not there.
fn unanswered(mut one: Judged) -> RecordOutcome {
    for rule in std::mem::take(&mut one.fallbacks) {
        let why = "native evaluation failed".to_owned();
        let outcome = RuleOutcome::Killed(KillReason::NoPython { why });
        one.results.push(RuleResult { rule, outcome });
    }
    one.sort();
    RecordOutcome {
        record: one.record,
        results: one.results,
    }
}
