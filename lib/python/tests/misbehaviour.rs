//! Rules that misbehave, beside rules that do not: the latter's results are complete.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing test says enough"
)]

mod support;

use std::time::Duration;

use streamalert_detect::{EvaluateOptions, KillReason, RuleOutcome, RuleRuntime};
use streamalert_python::{Limits, LoadErrorKind, PoolOptions, PythonPool};
use support::{IMPORTS, Repo, evaluate, fired, numbered, record, trace, words};

/// A rule before and one after, which fire on everything.
fn beside_good_rules(bad: &str) -> String {
    format!(
        "{IMPORTS}
@rule(logs=['a:b'])
def good_before(rec):
    return True

{bad}

@rule(logs=['a:b'])
def good_after(rec):
    return True
"
    )
}

/// Evaluates 20 records, of which the last says `\"bad\": true`, and answers what came of the bad rule on it.
async fn outcome_of(
    bad: &str,
    options: impl FnOnce(PoolOptions) -> PoolOptions,
) -> (RuleOutcome, PythonPool) {
    let repo = Repo::new(&[("rules/r.py", &beside_good_rules(bad))]);
    let (pool, report) = PythonPool::start(options(repo.options())).await.unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let records = (0..20)
        .map(|n| numbered("a:b", &format!(r#"{{"bad":{}}}"#, n == 19), n))
        .collect();
    let outcomes = pool.evaluate(records, EvaluateOptions::default()).await.unwrap();
    for rule in ["good_before", "good_after"] {
        assert_eq!(fired(&outcomes, &pool, rule), 20, "{rule}");
    }
    let (bad, _) = pool
        .rules()
        .find("bad")
        .map(|(index, rule)| (index, rule.clone()))
        .unwrap();
    assert!(
        outcomes[..19]
            .iter()
            .all(|outcome| outcome.results.iter().all(|result| result.rule != bad))
    );
    let result = outcomes[19]
        .results
        .iter()
        .find(|result| result.rule == bad)
        .cloned();
    (result.map_or(RuleOutcome::False, |result| result.outcome), pool)
}

fn rule(body: &str) -> String {
    let body = body.replace('\n', "\n        ");
    format!("@rule(logs=['a:b'])\ndef bad(rec):\n    if rec['bad']:\n        {body}\n    return False\n")
}

async fn word_of(body: &str) -> String {
    outcome_of(&rule(body), |options| options).await.0.trace_word()
}

#[tokio::test]
async fn endless_loops_are_stopped_whatever_they_do() {
    assert_eq!(word_of("while True:\n    pass").await, "timed_out");
    assert_eq!(
        word_of("while True:\n    try:\n        x = 1\n    except:\n        pass").await,
        "timed_out"
    );
    assert_eq!(
        word_of("import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')").await,
        "timed_out"
    );
    assert_eq!(word_of("return 10 ** 10 ** 8").await, "timed_out");
    assert_eq!(word_of("import time\ntime.sleep(60)").await, "timed_out");
    assert_eq!(
        word_of(
            "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True:\n    pass"
        )
        .await,
        "timed_out"
    );
}

#[tokio::test]
async fn a_memory_eater_is_killed_at_its_limit_and_named() {
    let (outcome, pool) = outcome_of(&rule("return bool(bytearray(4 << 30))"), |options| options).await;
    let RuleOutcome::Killed(KillReason::Memory { limit_bytes }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(limit_bytes, 512 << 20);
    assert_eq!((pool.health().workers_lost, pool.health().strikes), (1, 1));
    let eater = rule("x = []\nwhile True:\n    x.append(bytearray(8 << 20))");
    let patient = |options: PoolOptions| PoolOptions {
        limits: Limits {
            evaluation: Duration::from_secs(20),
            ..Limits::default()
        },
        ..options
    };
    assert_eq!(outcome_of(&eater, patient).await.0.trace_word(), "killed");
}

#[tokio::test]
async fn ending_the_process_ends_only_the_rule() {
    let (outcome, _) = outcome_of(&rule("import os\nos._exit(3)"), |options| options).await;
    assert!(
        matches!(outcome, RuleOutcome::Killed(KillReason::Exit(3))),
        "{outcome:?}"
    );
    let (outcome, _) = outcome_of(&rule("import ctypes\nctypes.string_at(0)"), |options| options).await;
    assert!(
        matches!(outcome, RuleOutcome::Killed(KillReason::Signal(11))),
        "{outcome:?}"
    );
    assert_eq!(word_of("import sys\nsys.exit(1)").await, "exception:SystemExit");
    assert_eq!(
        word_of("raise KeyboardInterrupt").await,
        "exception:KeyboardInterrupt"
    );
}

#[tokio::test]
async fn exceptions_are_told_with_their_text_and_place() {
    let (outcome, _) = outcome_of(&rule("return rec['nope']"), |options| options).await;
    let RuleOutcome::Exception(exception) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((&*exception.kind, &*exception.message), ("KeyError", "'nope'"));
    assert!(exception.traceback.contains("rules/r.py") && exception.traceback.contains("in bad"));
    let unprintable = "class E(Exception):\n    def __str__(self):\n        raise self\nraise E()";
    assert_eq!(word_of(unprintable).await, "exception:E");
    let untrue = "class T:\n    def __bool__(self):\n        raise ValueError('no')\nreturn T()";
    assert_eq!(word_of(untrue).await, "exception:ValueError");
}

#[tokio::test]
async fn recursion_costs_the_rule_at_most_its_worker() {
    let bomb = rule("return down(rec)") + "\ndef down(rec):\n    return down(rec)\n";
    assert_eq!(
        outcome_of(&bomb, |options| options).await.0.trace_word(),
        "exception:RecursionError"
    );
    let deeper = rule("import sys\nsys.setrecursionlimit(10 ** 9)\nreturn down(rec)")
        + "\ndef down(rec):\n    return [down(rec) for _ in (1,)]\n";
    let word = outcome_of(&deeper, |options| options).await.0.trace_word();
    assert!(
        ["killed", "timed_out", "exception:RecursionError"].contains(&&*word),
        "{word}"
    );
}

#[tokio::test]
async fn processes_cannot_be_started_or_signalled() {
    for call in [
        "import os\nos.fork()",
        "import os\nos.system('true')",
        "import os\nos.kill(os.getppid(), 0)",
        "import os\nos.posix_spawn('/bin/true', ['true'], {})",
        "import subprocess\nsubprocess.run(['true'])",
        "import multiprocessing\nmultiprocessing.get_context('spawn').Process(target=print).start()",
    ] {
        assert_eq!(word_of(call).await, "exception:PermissionError", "{call}");
    }
    // Bounded, should the guard ever fail: at most 2^4 processes, each gone after a second.
    let bomb = "import os, time\nfor _ in range(4):\n    os.fork()\ntime.sleep(1)\nos._exit(0)";
    assert_eq!(word_of(bomb).await, "exception:PermissionError");
}

#[tokio::test]
async fn a_flood_of_output_is_dropped_and_counted() {
    let (outcome, pool) = outcome_of(
        &rule("for n in range(10000):\n    print('x' * 100)\nreturn True"),
        |options| PoolOptions {
            limits: Limits {
                evaluation: Duration::from_secs(5),
                ..Limits::default()
            },
            ..options
        },
    )
    .await;
    assert_eq!(outcome.trace_word(), "true");
    assert!(pool.health().print_lines_dropped > 9000, "{:?}", pool.health());
    assert_eq!(pool.health().workers_lost, 0);
    // Past Python's own objects, onto the descriptors that the protocol once used.
    let raw = "import os\nfor n in range(100):\n    os.write(1, b'y' * 9999 + b'\\n')\n    os.write(2, b'z' * 9999 + b'\\n')\nreturn True";
    let (outcome, _) = outcome_of(&rule(raw), |options| PoolOptions {
        limits: Limits {
            evaluation: Duration::from_secs(5),
            ..Limits::default()
        },
        ..options
    })
    .await;
    assert_eq!(outcome.trace_word(), "true");
}

#[tokio::test]
async fn a_rule_over_its_limit_on_every_record_is_suspended_and_the_others_see_every_record() {
    let source = beside_good_rules("@rule(logs=['a:b'])\ndef bad(rec):\n    while True:\n        pass\n");
    let repo = Repo::new(&[("rules/r.py", &source)]);
    let (pool, _) = PythonPool::start(PoolOptions {
        workers: 2,
        ..repo.options()
    })
    .await
    .unwrap();
    let records = (0..600).map(|n| numbered("a:b", "{}", n)).collect();
    let outcomes = pool.evaluate(records, EvaluateOptions::default()).await.unwrap();
    assert_eq!(
        (
            fired(&outcomes, &pool, "good_before"),
            fired(&outcomes, &pool, "good_after")
        ),
        (600, 600)
    );
    let count = |word: &str| {
        outcomes
            .iter()
            .flat_map(|outcome| words(&pool, outcome))
            .filter(|w| w == word)
            .count()
    };
    // Two workers may be at it at once when the third strike falls.
    let (timed_out, suspended) = (count("bad=timed_out"), count("bad=suspended"));
    assert!((3..=4).contains(&timed_out), "{timed_out}");
    assert_eq!(timed_out + suspended, 600);
    let health = pool.health();
    assert_eq!(health.suspended.len(), 1);
    assert_eq!(&*pool.rules().get(health.suspended[0].rule).unwrap().name, "bad");
    assert_eq!(
        trace(&pool, record("a:b", "{}")).await,
        ["good_before=true", "bad=suspended", "good_after=true"]
    );
}

#[tokio::test]
async fn a_slice_that_takes_too_long_is_cut_and_nothing_of_it_is_lost() {
    let slow = "@rule(logs=['a:b'])\ndef bad(rec):\n    end = time.time() + 0.02\n    while time.time() < end: pass\n    return True\n";
    let repo = Repo::new(&[("rules/r.py", &format!("import time\n{}", beside_good_rules(slow)))]);
    let limits = Limits {
        slice: Duration::from_millis(200),
        evaluation: Duration::from_secs(1),
        ..Limits::default()
    };
    let (pool, _) = PythonPool::start(PoolOptions {
        limits,
        ..repo.options()
    })
    .await
    .unwrap();
    let records = (0..100).map(|n| numbered("a:b", "{}", n)).collect();
    let outcomes = pool.evaluate(records, EvaluateOptions::default()).await.unwrap();
    assert_eq!(fired(&outcomes, &pool, "good_after"), 100);
    let (seen, health) = (fired(&outcomes, &pool, "bad"), pool.health());
    assert_eq!(
        (health.workers_lost, health.suspended.len()),
        (0, 1),
        "{health:?}"
    );
    assert!((3..60).contains(&seen), "{seen} records before the third strike");
}

#[tokio::test]
async fn a_file_that_does_not_load_is_named_and_the_others_run() {
    let good = format!("{IMPORTS}@rule(logs=['a:b'])\ndef good(rec):\n    return True\n");
    let repo = Repo::new(&[
        ("rules/a_syntax.py", "x = 1\ndef broken(:\n    pass\n"),
        ("rules/b_import.py", "import os\nimport not_installed_anywhere\n"),
        ("rules/c_hangs.py", "while True:\n    pass\n"),
        ("rules/d_exits.py", "import os\nos._exit(9)\n"),
        ("rules/e_raises.py", &format!("{good}raise SystemExit('later')\n")),
        (
            "rules/f_text.py",
            &format!(
                "{IMPORTS}@rule(logs='a:b')\ndef text(rec):\n    return True\n@rule(logs=['a:b'])\ndef beside(rec):\n    return True\n"
            ),
        ),
        ("rules/g.py", &good),
    ]);
    let limits = Limits {
        load: Duration::from_secs(1),
        ..Limits::default()
    };
    let (pool, report) = PythonPool::start(PoolOptions {
        limits,
        ..repo.options()
    })
    .await
    .unwrap();
    let mut errors: Vec<_> = report
        .errors
        .iter()
        .map(|error| (error.file.display().to_string(), error.line, error.kind))
        .collect();
    errors.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        errors,
        [
            ("rules/a_syntax.py".to_owned(), 2, LoadErrorKind::Exception),
            ("rules/b_import.py".to_owned(), 2, LoadErrorKind::Exception),
            ("rules/c_hangs.py".to_owned(), 0, LoadErrorKind::TimedOut),
            ("rules/d_exits.py".to_owned(), 0, LoadErrorKind::Died),
            ("rules/e_raises.py".to_owned(), 5, LoadErrorKind::Exception),
            ("rules/f_text.py".to_owned(), 2, LoadErrorKind::InvalidRule),
        ]
    );
    assert_eq!(
        evaluate(&pool, vec![record("a:b", "{}")]).await,
        [["beside=true", "good=true"]]
    );
}

#[tokio::test]
async fn a_leak_replaces_the_worker_and_strikes_nobody() {
    let leak = "KEPT = []\n@rule(logs=['a:b'])\ndef bad(rec):\n    KEPT.append(bytearray(100_000))\n    return False\n";
    let repo = Repo::new(&[("rules/r.py", &beside_good_rules(leak))]);
    let limits = Limits {
        memory_bytes: 256 << 20,
        ..Limits::default()
    };
    let (pool, _) = PythonPool::start(PoolOptions {
        limits,
        ..repo.options()
    })
    .await
    .unwrap();
    let records = (0..5000).map(|n| numbered("a:b", "{}", n)).collect();
    let outcomes = pool.evaluate(records, EvaluateOptions::default()).await.unwrap();
    assert_eq!(
        (
            fired(&outcomes, &pool, "good_before"),
            fired(&outcomes, &pool, "good_after")
        ),
        (5000, 5000)
    );
    assert_eq!((pool.health().workers_lost, pool.health().strikes), (0, 0));
}

#[tokio::test]
async fn a_record_that_no_worker_can_hold_is_given_up_and_the_others_are_not() {
    let repo = Repo::new(&[(
        "rules/r.py",
        &beside_good_rules("@rule(logs=['a:b'])\ndef bad(rec):\n    return False\n"),
    )]);
    let limits = Limits {
        memory_bytes: 128 << 20,
        ..Limits::default()
    };
    let (pool, _) = PythonPool::start(PoolOptions {
        limits,
        ..repo.options()
    })
    .await
    .unwrap();
    let huge = format!(r#"{{"x":[{}0]}}"#, "{},".repeat(2 << 20));
    let records = vec![
        numbered("a:b", "{}", 0),
        numbered("a:b", &huge, 1),
        numbered("a:b", "[]", 2),
        numbered("a:b", "{}", 3),
    ];
    let outcomes = pool.evaluate(records, EvaluateOptions::default()).await.unwrap();
    let good = vec!["good_before=true", "good_after=true"];
    let lost = vec!["good_before=killed", "bad=killed", "good_after=killed"];
    assert_eq!(
        outcomes
            .iter()
            .map(|outcome| words(&pool, outcome))
            .collect::<Vec<_>>(),
        [&good, &lost, &lost, &good].map(|w| w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    );
    assert_eq!(outcomes[1].record.json.len(), huge.len());
    assert_eq!(pool.health().strikes, 0);
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn a_parent_to_be_killed() {
    let hang = beside_good_rules("@rule(logs=['a:b'])\ndef bad(rec):\n    return 10 ** 10 ** 8\n");
    let repo = Repo::new(&[("rules/r.py", &hang)]);
    let limits = Limits {
        evaluation: Duration::from_secs(600),
        ..Limits::default()
    };
    let (pool, _) = PythonPool::start(PoolOptions {
        limits,
        ..repo.options()
    })
    .await
    .unwrap();
    let hanging = pool.evaluate(vec![record("a:b", "{}")], EvaluateOptions::default());
    let _ = tokio::time::timeout(Duration::from_secs(1), hanging).await;
    println!("workers {:?}", children(rustix::process::getpid().as_raw_pid()));
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[tokio::test]
async fn workers_die_with_their_parent_even_within_a_hanging_rule() {
    use tokio::io::AsyncBufReadExt;
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_parent_to_be_killed", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(parent.stdout.take().unwrap()).lines();
    let workers = loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the parent tells its workers");
        if let Some((_, list)) = line.split_once("workers ") {
            break serde_json::from_str::<Vec<i32>>(list).unwrap();
        }
    };
    assert!(workers.len() >= 2, "{workers:?}");
    parent.kill().await.unwrap();
    for _ in 0..100 {
        if workers.iter().all(|pid| !runs_python(*pid)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("some of {workers:?} live on");
}

fn runs_python(pid: i32) -> bool {
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.contains("_streamalert_worker")
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
