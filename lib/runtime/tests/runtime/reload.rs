//! Reloads: the whole set at once, or nothing and the reason.

use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::{EvaluateOptions, RuleRuntime};
use streamalert_runtime::StartError;

use crate::support::{Repo, record, statistics, trace, words};

const OLD: &str = "
@rule(logs=['a:b'])
def one(rec):
    return rec['x'] == 1

@rule(logs=['a:b'])
def two(rec):
    return rec['x'] == 2
";

/// The same rules the other way round.
const NEW: &str = "
@rule(logs=['a:b'])
def one(rec):
    return rec['x'] == 2

@rule(logs=['a:b'])
def two(rec):
    return rec['x'] == 1
";

const BROKEN: &str = "\ndef one(rec:\n";

#[tokio::test]
async fn a_batch_is_evaluated_by_one_rule_set_however_often_there_is_another() {
    let repo = Repo::with_rules(OLD);
    let mut options = repo.options();
    options.threads = 2;
    options.slice_records_max = 8;
    let runtime = crate::support::start(options).await;
    let reloading = {
        let runtime = runtime.clone();
        tokio::spawn(async move {
            for turn in 0..6 {
                repo.write_rules(if turn % 2 == 0 { NEW } else { OLD });
                assert!(runtime.reload().await.unwrap().changed);
            }
        })
    };
    let mut seen = std::collections::BTreeSet::new();
    while !reloading.is_finished() {
        let records = (0..400).map(|_| record("a:b", r#"{"x": 1}"#)).collect();
        let evaluating = runtime.evaluate(records, EvaluateOptions::default());
        let outcomes = evaluating.await.unwrap();
        assert_eq!(outcomes.len(), 400);
        let answers: std::collections::BTreeSet<Vec<String>> =
            outcomes.iter().map(|outcome| words(&runtime, outcome)).collect();
        assert_eq!(answers.len(), 1, "two rule sets in one batch: {answers:?}");
        seen.extend(answers);
    }
    reloading.await.unwrap();
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [["one=true"], ["two=true"]],
        "records were evaluated before a reload and after one"
    );
}

#[tokio::test]
async fn whoever_holds_a_rule_set_keeps_it() {
    let repo = Repo::with_rules(OLD);
    let runtime = repo.start().await;
    let before = runtime.fixed().unwrap();
    let version = runtime.rules().version().clone();
    repo.write_rules(&format!(
        "{NEW}\n@rule(logs=['a:b'])\ndef three(rec):\n    return True\n"
    ));
    let report = runtime.reload().await.unwrap();
    assert_ne!(report.version, version);
    let names: Vec<&str> = report.rules_changed.iter().map(|name| &**name).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert_eq!(
        trace(&runtime, r#"{"x": 1}"#).await,
        ["one=false", "two=true", "three=true"]
    );
    assert_eq!(
        trace(&*before, r#"{"x": 1}"#).await,
        ["one=true", "two=false"],
        "the old one still runs"
    );
    assert_eq!(*before.rules().version(), version);
}

#[tokio::test]
async fn files_that_do_not_load_leave_the_old_rules_and_say_why() {
    let repo = Repo::with_rules(OLD);
    let runtime = repo.start().await;
    let before = runtime.current();
    repo.write_rules(BROKEN);
    let Err(StartError::Kept { reason }) = runtime.reload().await else {
        panic!("a broken file is no rule set");
    };
    assert!(reason.contains("rules/r.py:3"), "{reason}");
    assert!(reason.contains("SyntaxError"), "{reason}");
    assert!(Arc::ptr_eq(&before, &runtime.current()));
    assert!(runtime.health().reload_failure.unwrap().contains("rules/r.py:3"));
    assert_eq!(trace(&runtime, r#"{"x": 1}"#).await, ["one=true", "two=false"]);

    repo.write_rules(NEW);
    assert!(runtime.reload().await.unwrap().changed);
    assert_eq!(runtime.health().reload_failure, None);
    assert_eq!(trace(&runtime, r#"{"x": 1}"#).await, ["one=false", "two=true"]);
}

#[tokio::test]
async fn a_set_without_rules_and_one_that_is_not_accepted_are_not_taken() {
    let repo = Repo::with_rules(OLD);
    let runtime = repo.start().await;
    let before = runtime.current();
    repo.write_rules("");
    let empty = runtime.reload().await.unwrap_err().to_string();
    assert!(empty.contains("no rule is left"), "{empty}");
    repo.write_rules(NEW);
    let refused = runtime.reload_if(|report| Err(format!("{} rules", report.rules.rules().len())));
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.ends_with("2 rules"), "{refused}");
    assert_eq!(runtime.health().reload_failure, Some(refused));
    assert!(Arc::ptr_eq(&before, &runtime.current()));
}

#[tokio::test]
async fn the_same_files_change_nothing_and_counters_go_on() {
    let repo = Repo::with_rules(OLD);
    let runtime = repo.start().await;
    let before = runtime.current();
    trace(&runtime, r#"{"x": 1}"#).await;
    let report = runtime.reload().await.unwrap();
    assert!(!report.changed && report.rules_changed.is_empty());
    assert!(Arc::ptr_eq(&before, &runtime.current()));
    repo.write_rules(NEW);
    runtime.reload().await.unwrap();
    trace(&runtime, r#"{"x": 2}"#).await;
    let one = statistics(&runtime, "one");
    assert_eq!((one.evaluations, one.matches), (2, 2), "old and new code");
}

#[tokio::test]
async fn a_suspension_stays_over_a_reload_that_leaves_the_rule_and_ends_with_other_code() {
    const ENDLESS: &str = "
@rule(logs=['a:b'])
def endless(rec):
    while True:
        pass
";
    let other = |value: u8| format!("{IMPORTS}@rule(logs=['a:b'])\ndef other(rec):\n    return {value}\n");
    use crate::support::IMPORTS;
    let repo = Repo::with_rules(ENDLESS);
    repo.write("rules/other.py", &other(1));
    let mut options = repo.options();
    options.limits.fuel = 10_000;
    options.python.limits.strikes.suspend_for = Duration::from_secs(3600);
    let runtime = crate::support::start(options).await;
    for _ in 0..3 {
        trace(&runtime, "{}").await;
    }
    assert!(
        trace(&runtime, "{}")
            .await
            .contains(&"endless=suspended".to_owned())
    );
    repo.write("rules/other.py", &other(0));
    assert!(runtime.reload().await.unwrap().changed);
    assert_eq!(trace(&runtime, "{}").await, ["other=false", "endless=suspended"]);
    assert_eq!(runtime.health().strikes, 3);
    repo.write_rules(&ENDLESS.replace("        pass", "        return True"));
    runtime.reload().await.unwrap();
    assert_eq!(trace(&runtime, "{}").await, ["other=false", "endless=true"]);
}

#[tokio::test]
async fn files_that_change_while_they_are_loaded_are_loaded_once_more() {
    let falls_back =
        "import difflib\n\n@rule(logs=['a:b'])\ndef one(rec):\n    return difflib.ndiff([rec['x']], [])\n";
    let repo = Repo::with_rules(falls_back);
    let runtime = repo.start().await;
    // Whoever loads the second file changes the first, once.
    let rules = repo.path().join("rules/r.py");
    let text = format!(
        "import pathlib\nRULES = pathlib.Path({:?})\nTEXT = RULES.read_text()\nif 'late' not in TEXT:\n    \
         RULES.write_text(TEXT + '''\\n\\n@rule(logs=['a:b'])\\ndef late(rec):\\n    return True\\n''')\n",
        rules.display().to_string()
    );
    repo.write("rules/z.py", &text);
    let report = runtime.reload().await.unwrap();
    assert!(report.changed && report.report.rules.find("late").is_some());
    assert_eq!(runtime.health().reload_failure, None);
}
