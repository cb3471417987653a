//! Callers beside each other, and pools beside each other.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod support;

use std::time::Duration;

use streamalert_detect::{EvaluateOptions, RuleRuntime, RuntimeError, StrikePolicy};
use streamalert_python::{Limits, PoolOptions, PythonPool};
use streamalert_types::Record;
use support::{IMPORTS, Repo, evaluate, fired, numbered, record};
use tokio::time::Instant;

/// 20 ms for each record of `slow`, so that a batch of 100 takes 2 s.
const RULES: &str = "
import time
@rule(logs=['slow'])
def slow(rec):
    end = time.time() + 0.02
    while time.time() < end: pass
    return True

@rule(logs=['fast'])
def fast(rec):
    return True
";

/// Slices of 200 ms, and slow rules are let be.
fn limits() -> Limits {
    Limits {
        slice: Duration::from_millis(200),
        evaluation: Duration::from_secs(5),
        strikes: StrikePolicy {
            strikes_max: 10_000,
            ..StrikePolicy::default()
        },
        ..Limits::default()
    }
}

fn records(log_type: &str, count: u64) -> Vec<Record> {
    (0..count)
        .map(|number| numbered(log_type, "{}", number))
        .collect()
}

async fn many(pool: &PythonPool, log_type: &str, count: u64) -> usize {
    let outcomes = pool
        .evaluate(records(log_type, count), EvaluateOptions::default())
        .await
        .unwrap();
    fired(&outcomes, pool, log_type)
}

#[tokio::test]
async fn a_slow_batch_delays_others_by_a_slice_at_most() {
    for workers in [1, 2] {
        let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{RULES}"))]);
        let options = PoolOptions {
            workers,
            limits: limits(),
            ..repo.options()
        };
        let (pool, _) = PythonPool::start(options).await.unwrap();
        let start = Instant::now();
        // As many as there are workers, so that each begins one.
        let slow: Vec<_> = (0..workers)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move { many(&pool, "slow", 100).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let mut rounds = 0;
        while slow.iter().any(|slow| !slow.is_finished()) && rounds < 3 {
            assert_eq!(many(&pool, "fast", 10).await, 10);
            rounds += 1;
        }
        assert_eq!(rounds, 3, "{workers} workers");
        assert!(
            slow.iter().all(|slow| !slow.is_finished()),
            "{workers} workers, {:?}",
            start.elapsed()
        );
        for slow in slow {
            assert_eq!(slow.await.unwrap(), 100);
        }
        assert!(start.elapsed() >= Duration::from_secs(2));
    }
}

#[tokio::test]
async fn a_second_pool_starts_beside_the_first_and_the_first_finishes_what_has_begun() {
    let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{RULES}"))]);
    let options = PoolOptions {
        limits: Limits {
            // Many slices and a short queue: most of the call's slices are not yet in the queue at the shutdown.
            batch_records_max: 4,
            queue_slices_max: 2,
            ..limits()
        },
        ..repo.options()
    };
    let (old, _) = PythonPool::start(options.clone()).await.unwrap();
    let begin = |count| {
        let old = old.clone();
        tokio::spawn(async move { many(&old, "slow", count).await })
    };
    let meanwhile = begin(20);
    repo.write(
        "rules/r.py",
        &format!("{IMPORTS}@rule(logs=['fast'])\ndef changed(rec):\n    return True\n"),
    );
    let (new, report) = PythonPool::start(options).await.unwrap();
    assert_ne!(report.rules.version(), old.rules().version());
    assert_eq!(
        evaluate(&new, vec![record("fast", "{}")]).await,
        [["changed=true"]]
    );
    assert_eq!(meanwhile.await.unwrap(), 20);
    let begun = begin(100);
    assert_eq!(many(&old, "fast", 1).await, 1);
    assert!(!begun.is_finished());
    old.shutdown().await;
    assert_eq!(begun.await.unwrap(), 100);
    let late = old.evaluate(records("fast", 1), EvaluateOptions::default()).await;
    assert!(matches!(late, Err(RuntimeError::Unavailable { .. })));
    // The old one took nothing of the new one along.
    assert_eq!(
        evaluate(&new, vec![record("fast", "{}")]).await,
        [["changed=true"]]
    );
}
