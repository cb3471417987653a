//! Workers killed from outside. Alone in its process, since it kills any worker it finds there.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod support;

use std::time::Duration;

use streamalert_detect::{EvaluateOptions, RuleRuntime};
use streamalert_python::{PoolOptions, PythonPool};
use support::{IMPORTS, Repo, numbered};

#[tokio::test]
async fn a_worker_killed_from_outside_loses_no_result() {
    let rules = ["good_before", "good_after"]
        .map(|name| format!("@rule(logs=['a:b'])\ndef {name}(rec):\n    return True\n"))
        .join("\n");
    let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{rules}"))]);
    let (pool, _) = PythonPool::start(PoolOptions {
        workers: 2,
        ..repo.options()
    })
    .await
    .unwrap();
    let killer = tokio::spawn(async move {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(40)).await;
            kill_one_worker();
        }
    });
    for round in 0..40 {
        let records = (0..256).map(|n| numbered("a:b", "{}", round * 256 + n)).collect();
        let outcomes = pool.evaluate(records, EvaluateOptions::default()).await.unwrap();
        // A kill in the middle of a rule is indistinguishable from its fault; the record is then marked.
        for rule in ["good_before", "good_after"] {
            let (index, _) = pool
                .rules()
                .find(rule)
                .map(|(index, rule)| (index, rule.clone()))
                .unwrap();
            for outcome in &outcomes {
                assert!(
                    outcome.results.iter().any(|result| result.rule == index),
                    "{rule} has no outcome"
                );
            }
        }
    }
    killer.await.unwrap();
}

fn children(parent: i32) -> Vec<i32> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten();
    pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let found = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse().ok());
            found == Some(parent)
        })
        .collect()
}

/// Kills the newest child of this process that runs a worker.
fn kill_one_worker() {
    let newest = children(rustix::process::getpid().as_raw_pid()).into_iter().max();
    if let Some(pid) = newest.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
