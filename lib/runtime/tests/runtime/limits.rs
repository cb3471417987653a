//! Rules that loop, fill memory, end their process or meet a failure of ours: each costs its own outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use streamalert_detect::{EvaluateOptions, KillReason, RuleOutcome, RuleRuntime};
use streamalert_types::{Clock, ManualClock, Timestamp};

use crate::support::{Repo, outcome, record, start, statistics, trace, traced};

const GOOD: &str = "
@rule(logs=['a:b'])
def good(rec):
    return rec.get('x') == 1
";

const ENDLESS: &str = "
@rule(logs=['a:b'])
def endless(rec):
    while rec['loop']:
        pass
    return True
";

#[tokio::test]
async fn a_rule_that_loops_is_ended_struck_suspended_and_runs_again_later() {
    let repo = Repo::with_rules(&format!("{ENDLESS}{GOOD}"));
    let clock = ManualClock::at(Timestamp::EPOCH);
    let mut options = repo.options();
    options.limits.fuel = 10_000;
    options.python.clock = Arc::new(clock.clone());
    let suspend_for = options.python.limits.strikes.suspend_for;
    let runtime = start(options).await;
    let looping = r#"{"loop": true, "x": 1}"#;
    for strike in 1..=3 {
        let answer = traced(&runtime, looping).await;
        assert!(
            matches!(
                outcome(&runtime, &answer, "endless"),
                RuleOutcome::Killed(KillReason::Steps { limit: 10_000 })
            ),
            "{answer:?}"
        );
        assert!(matches!(
            outcome(&runtime, &answer, "good"),
            RuleOutcome::Fired(_)
        ));
        assert_eq!(runtime.health().strikes, strike);
    }
    let suspended = runtime.health().suspended;
    assert_eq!(suspended.len(), 1);
    assert!(suspended[0].reason.contains("10000 steps"), "{suspended:?}");
    assert_eq!(suspended[0].until, Timestamp::EPOCH.plus(suspend_for));
    // Not even on a record on which it would behave.
    let harmless = r#"{"loop": false, "x": 1}"#;
    assert_eq!(
        trace(&runtime, harmless).await,
        ["endless=suspended", "good=true"]
    );
    clock.advance(suspend_for + Duration::from_secs(1));
    assert_eq!(trace(&runtime, harmless).await, ["endless=true", "good=true"]);
    assert!(runtime.health().suspended.is_empty());
}

#[tokio::test]
async fn within_a_batch_too_a_suspended_rule_sees_no_further_record() {
    let repo = Repo::with_rules(&format!("{ENDLESS}{GOOD}"));
    let mut options = repo.options();
    options.limits.fuel = 10_000;
    let runtime = start(options).await;
    let records = (0..10)
        .map(|_| record("a:b", r#"{"loop": true, "x": 1}"#))
        .collect();
    let outcomes = runtime
        .evaluate(records, EvaluateOptions::default())
        .await
        .unwrap();
    let words: Vec<String> = outcomes
        .iter()
        .map(|answer| outcome(&runtime, answer, "endless").trace_word())
        .collect();
    assert_eq!(words[..3], ["killed"; 3]);
    assert_eq!(words[3..], ["suspended"; 7]);
    assert_eq!(statistics(&runtime, "good").matches, 10);
}

#[tokio::test]
async fn a_rule_that_fills_memory_is_ended_and_its_neighbour_is_not() {
    let source = "
@rule(logs=['a:b'])
def greedy(rec):
    return len(rec['s'] * 1000000000) > 0
";
    let repo = Repo::with_rules(&format!("{source}{GOOD}"));
    let runtime = repo.start().await;
    let answer = traced(&runtime, r#"{"s": "text", "x": 1}"#).await;
    assert!(
        matches!(
            outcome(&runtime, &answer, "greedy"),
            RuleOutcome::Killed(KillReason::Memory { .. })
        ),
        "{answer:?}"
    );
    assert!(matches!(
        outcome(&runtime, &answer, "good"),
        RuleOutcome::Fired(_)
    ));
    assert_eq!(runtime.health().strikes, 1);
}

#[tokio::test]
async fn an_exception_is_an_answer_and_no_strike() {
    let source = "
@rule(logs=['a:b'])
def raises(rec):
    return rec['missing'] == 1
";
    let repo = Repo::with_rules(&format!("{source}{GOOD}"));
    let runtime = repo.start().await;
    for _ in 0..5 {
        assert_eq!(
            trace(&runtime, r#"{"x": 1}"#).await,
            ["raises=exception:KeyError", "good=true"]
        );
    }
    assert_eq!(runtime.health().strikes, 0);
    assert_eq!(statistics(&runtime, "raises").exceptions, 5);
}

#[tokio::test]
async fn a_rule_that_ends_its_worker_costs_its_own_outcome() {
    let source = "
import os

@rule(logs=['a:b'])
def leaves(rec):
    os._exit(7)
";
    let repo = Repo::with_rules(&format!("{source}{GOOD}"));
    let runtime = repo.start().await;
    for _ in 0..2 {
        let answer = traced(&runtime, r#"{"x": 1}"#).await;
        assert!(
            matches!(
                outcome(&runtime, &answer, "leaves"),
                RuleOutcome::Killed(KillReason::Exit(7))
            ),
            "{answer:?}"
        );
        assert!(matches!(
            outcome(&runtime, &answer, "good"),
            RuleOutcome::Fired(_)
        ));
    }
    runtime.shutdown().await;
}

/// A clock that panics in one call: a failure of ours, under a rule that asks for the time.
#[derive(Default)]
struct Faulty {
    /// Calls up to that one; 0 = never.
    calls: AtomicU32,
}

impl Clock for Faulty {
    fn now(&self) -> Timestamp {
        let left = self
            .calls
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |calls| calls.checked_sub(1));
        assert_ne!(left, Ok(1), "the clock is broken");
        Timestamp::from_micros(1_000_000)
    }
}

#[tokio::test]
async fn a_panic_of_ours_is_a_strike_and_cpython_answers() {
    let source = "
import time

@rule(logs=['a:b'])
def asks(rec):
    return time.time() > 0
";
    let repo = Repo::with_rules(&format!("{source}{GOOD}"));
    let clock = Arc::new(Faulty::default());
    let mut options = repo.options();
    options.python.clock = clock.clone();
    let runtime = start(options).await;
    let answers = ["asks=true", "good=true"];
    assert_eq!(trace(&runtime, r#"{"x": 1}"#).await, answers);
    assert_eq!(runtime.health().strikes, 0);
    assert!(runtime.health().workers.is_none(), "natively so far");
    for strike in 1..=2 {
        // The first call is for the suspensions of the moment, the second is the rule's.
        clock.calls.store(2, Ordering::SeqCst);
        assert_eq!(trace(&runtime, r#"{"x": 1}"#).await, answers);
        assert_eq!(runtime.health().strikes, strike);
    }
    assert!(runtime.health().workers.is_some(), "CPython answered");
    runtime.shutdown().await;
}
