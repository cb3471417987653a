//! What a pool leaves on the disk. Alone in its process, since it counts what lies in the temporary folder.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use streamalert_python::{PoolOptions, PythonPool};
use support::{IMPORTS, Repo, evaluate, record};

/// Set for the child process: how it parts with its pool.
const PARTING: &str = "STREAMALERT_TEST_PARTING";

fn shim_folders() -> BTreeSet<PathBuf> {
    std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("streamalert-python-"))
        })
        .collect()
}

/// A process that was killed while it started is gone soon, though nobody waits for it.
async fn no_worker_is_left() {
    for _ in 0..100 {
        let processes = std::fs::read_dir("/proc").into_iter().flatten();
        let own = format!("/proc/{}", rustix::process::getpid().as_raw_pid());
        let workers = processes.filter_map(Result::ok).filter(|entry| {
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            let parent = read("status")
                .lines()
                .find_map(|line| Some(format!("/proc/{}", line.strip_prefix("PPid:")?.trim())));
            parent.as_ref() == Some(&own) && read("cmdline").contains("_streamalert_worker")
        });
        if workers.count() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("a worker is left");
}

/// Looks at once, on a runtime of one thread: background tasks get no chance to tidy up later.
#[test]
#[ignore = "started by another test"]
fn a_pool_to_be_parted_with() {
    let Ok(parting) = std::env::var(PARTING) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let rules = format!("{IMPORTS}@rule(logs=['a:b'])\ndef r(rec):\n    return True\n");
        let repo = Repo::new(&[("rules/r.py", &rules)]);
        let (pool, _) = PythonPool::start(PoolOptions {
            workers: 2,
            ..repo.options()
        })
        .await
        .unwrap();
        assert_eq!(shim_folders().len(), 1);
        let clone = pool.clone();
        assert_eq!(evaluate(&pool, vec![record("a:b", "{}")]).await, [["r=true"]]);
        match &*parting {
            "replace" => {
                let (next, _) = repo.start().await;
                assert_eq!(shim_folders().len(), 2);
                pool.shutdown().await;
                assert_eq!(evaluate(&next, vec![record("a:b", "{}")]).await, [["r=true"]]);
                assert_eq!(shim_folders().len(), 1);
                next.shutdown().await;
                no_worker_is_left().await;
            }
            "shutdown" => {
                pool.shutdown().await;
                assert_eq!(shim_folders().len(), 0);
                // Again, and with a clone that stays: neither hangs nor brings anything back.
                clone.shutdown().await;
            }
            _ => drop((pool, clone)),
        }
        assert_eq!(shim_folders().len(), 0);
    });
}

#[test]
fn a_pool_leaves_nothing_behind_however_it_ends() {
    for parting in ["shutdown", "drop", "replace"] {
        let temporary = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "a_pool_to_be_parted_with", "--nocapture"])
            .env(PARTING, parting)
            .env("TMPDIR", temporary.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{parting}: {output:?}");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            told.contains("1 passed"),
            "{parting}: the child did not run: {told}"
        );
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{parting}: {left:?}");
    }
}
