//! Pairs that CPython evaluates: their answers stand where they belong, and nobody else waits for them.

use std::time::Duration;

use streamalert_runtime::Runtime;

use crate::support::{Repo, start, statistics, trace};

/// Longer than anything here takes; a test that waits this long has failed.
const FOR_EVER: Duration = Duration::from_secs(60);

#[tokio::test]
async fn answers_of_cpython_stand_among_the_others_in_the_order_of_the_rules() {
    let source = "
import os

@rule(logs=['a:b'])
def first(rec):
    return rec['x'] == 1

@rule(logs=['a:b'])
def second(rec):
    return rec['x'] == 1 and os.path.exists('/')

@rule(logs=['a:b'])
def third(rec):
    return rec['x'] == 2
";
    let repo = Repo::with_rules(source);
    let runtime = repo.start().await;
    assert!(runtime.health().workers.is_none(), "nobody needed a worker yet");
    assert_eq!(
        trace(&runtime, r#"{"x": 2}"#).await,
        ["first=false", "second=false", "third=true"]
    );
    assert!(
        runtime.health().workers.is_none(),
        "the rule did not come to what only CPython knows"
    );
    assert_eq!(
        trace(&runtime, r#"{"x": 1}"#).await,
        ["first=true", "second=true", "third=false"]
    );
    let second = statistics(&runtime, "second");
    assert_eq!((second.evaluations, second.fallbacks), (2, 1));
    let departed = second.last_departure.unwrap();
    assert_eq!((&*departed.file, departed.line), ("rules/r.py", 11));
    assert_eq!(statistics(&runtime, "first").fallbacks, 0);
    runtime.shutdown().await;
}

#[tokio::test]
async fn native_rules_do_not_wait_for_those_in_cpython() {
    let source = "
import os, time

@rule(logs=['a:b'])
def waits(rec):
    if rec['wait']:
        while not os.path.exists(rec['wait']):
            time.sleep(0.01)
    return True
";
    let repo = Repo::with_rules(source);
    let mut options = repo.options();
    options.python.limits.evaluation = FOR_EVER;
    options.python.limits.slice = FOR_EVER;
    let runtime = start(options).await;
    let gate = repo.path().join("gate");
    let slow = {
        let runtime = runtime.clone();
        let json = format!(r#"{{"wait": "{}"}}"#, gate.display());
        tokio::spawn(async move { trace(&runtime, &json).await })
    };
    let native = async {
        has_left(&runtime, "waits").await;
        // One thread evaluates natively: it is free, while a worker waits.
        for _ in 0..50 {
            assert_eq!(trace(&runtime, r#"{"wait": ""}"#).await, ["waits=true"]);
        }
    };
    tokio::time::timeout(FOR_EVER, native).await.unwrap();
    assert!(!slow.is_finished(), "nobody has opened the gate");
    repo.write("gate", "");
    assert_eq!(slow.await.unwrap(), ["waits=true"]);
    runtime.shutdown().await;
}

async fn has_left(runtime: &Runtime, rule: &str) {
    while statistics(runtime, rule).fallbacks == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_native_evaluation_cpython_answers_everything() {
    let source = "
@rule(logs=['a:b'])
def one(rec):
    return rec['x'] == 1
";
    let repo = Repo::with_rules(source);
    let mut options = repo.options();
    options.native = false;
    let runtime = start(options).await;
    assert!(runtime.current().engine().is_none() && runtime.current().may_fall_back());
    assert_eq!(trace(&runtime, r#"{"x": 1}"#).await, ["one=true"]);
    assert_eq!(statistics(&runtime, "one").evaluations, 0);
    runtime.shutdown().await;
}
