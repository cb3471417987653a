//! Records with the rules to run on them: what is run, in which order it is answered, and how records arrive.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test says enough"
)]

mod support;

use std::time::Duration;

use streamalert_detect::{EvaluateOptions, KillReason, RuleIndex, RuleOutcome, RuleRuntime};
use streamalert_python::{Limits, PairRecord, PoolOptions, PythonPool, find_interpreter};
use support::{IMPORTS, Repo, numbered, record, words};

const RULES: &str = "
@rule(logs=['a:b'])
def fires(rec):
    return True

@rule(logs=['a:b'])
def hangs(rec):
    while rec.get('bad'):
        pass
    return False

@rule(logs=['other'])
def raises(rec):
    return rec['nope']

@rule(logs=['a:b'])
def ends(rec):
    import os
    if rec.get('bad'):
        os._exit(3)
    return True
";

fn pair(pool: &PythonPool, json: &str, rules: &[&str]) -> PairRecord {
    let index = |name: &&str| pool.rules().find(name).map(|(index, _)| index).unwrap();
    PairRecord {
        record: record("a:b", json),
        rules: rules.iter().map(index).collect(),
    }
}

async fn started() -> (Repo, PythonPool) {
    let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{RULES}"))]);
    let (pool, report) = repo.start().await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    (repo, pool)
}

async fn words_of(pool: &PythonPool, pairs: Vec<PairRecord>, trace: bool) -> Vec<Vec<String>> {
    let options = EvaluateOptions {
        trace,
        ..EvaluateOptions::default()
    };
    let outcomes = pool.evaluate_pairs(pairs, options).await.unwrap();
    outcomes.iter().map(|outcome| words(pool, outcome)).collect()
}

#[tokio::test]
async fn only_the_given_rules_run_and_they_are_answered_in_their_order() {
    let (_repo, pool) = started().await;
    let pairs = |pool: &PythonPool| {
        vec![
            pair(pool, "{}", &["ends", "fires"]),
            pair(pool, "{}", &[]),
            // The log type is the caller's business.
            pair(pool, "{}", &["raises", "hangs", "fires"]),
            pair(pool, "{}", &["hangs"]),
        ]
    };
    let plain = words_of(&pool, pairs(&pool), false).await;
    assert_eq!(plain[0], ["ends=true", "fires=true"]);
    assert_eq!(plain[1], Vec::<String>::new());
    assert_eq!(plain[2], ["raises=exception:KeyError", "fires=true"]);
    assert_eq!(plain[3], Vec::<String>::new());
    let traced = words_of(&pool, pairs(&pool), true).await;
    assert_eq!(
        traced[2],
        ["raises=exception:KeyError", "hangs=false", "fires=true"]
    );
    assert_eq!(traced[3], ["hangs=false"]);
    assert!(traced[1].is_empty());
}

#[tokio::test]
async fn records_without_rules_come_back_while_every_worker_is_busy() {
    let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{RULES}"))]);
    let limits = Limits {
        evaluation: Duration::from_secs(5),
        ..Limits::default()
    };
    let options = PoolOptions {
        limits,
        ..repo.options()
    };
    let (pool, _) = PythonPool::start(options).await.unwrap();
    let busy = words_of(&pool, vec![pair(&pool, r#"{"bad":1}"#, &["hangs"])], false);
    let idle = words_of(&pool, vec![pair(&pool, "{}", &[]), pair(&pool, "[", &[])], true);
    tokio::select! {
        biased;
        _ = busy => panic!("the worker was to be busy"),
        idle = idle => assert_eq!(idle, [[""; 0], []]),
    }
}

#[tokio::test]
async fn a_pair_that_takes_its_worker_down_leaves_the_others_alone() {
    let (_repo, pool) = started().await;
    let bad = r#"{"bad":1}"#;
    let mut pairs: Vec<_> = (0..40).map(|_| pair(&pool, "{}", &["fires", "ends"])).collect();
    pairs[7] = pair(&pool, bad, &["ends", "fires"]);
    pairs[30] = pair(&pool, bad, &["fires", "hangs", "ends"]);
    pairs[31] = pair(&pool, "[1]", &["fires"]);
    let answers = words_of(&pool, pairs, false).await;
    for (at, answer) in answers.iter().enumerate() {
        let expected: &[&str] = match at {
            7 => &["ends=killed", "fires=true"],
            30 => &["fires=true", "hangs=timed_out", "ends=killed"],
            31 => &["fires=killed"],
            _ => &["fires=true", "ends=true"],
        };
        assert_eq!(answer, expected, "{at}");
    }
    assert_eq!((pool.health().workers_lost, pool.health().strikes), (3, 3));
}

#[tokio::test]
async fn a_rule_that_the_pool_does_not_have_is_answered_as_missing() {
    let (_repo, pool) = started().await;
    let pairs = vec![PairRecord {
        record: record("a:b", "{}"),
        rules: [RuleIndex(900), RuleIndex(0)].into(),
    }];
    let outcomes = pool
        .evaluate_pairs(pairs, EvaluateOptions::default())
        .await
        .unwrap();
    let results = &outcomes[0].results;
    assert!(matches!(
        (&results[0].outcome, &results[1].outcome),
        (RuleOutcome::Killed(KillReason::Missing), RuleOutcome::Fired(_))
    ));
}

/// A rule that reads the text of the value beside it and compares all there is to see.
const READS: &str = "
import json
@rule(logs=['t'])
def same(rec):
    wanted = json.loads(rec['text'])
    assert repr(wanted) == repr(rec['value']), (repr(wanted)[:200], repr(rec['value'])[:200])
    assert types(wanted) == types(rec['value'])
    return True

def types(value):
    # No recursion: values are nested as deeply as Python can read.
    found, left = [], [value]
    while left:
        value = left.pop()
        found.append(type(value))
        if isinstance(value, dict):
            left.extend(value)
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return found
";

fn holding(value: &str) -> String {
    let mut text = Vec::new();
    streamalert_value::write_json_text(value, &mut text);
    format!(
        r#"{{"text":{},"value":{value}}}"#,
        String::from_utf8(text).unwrap()
    )
}

/// Documents that need every case of the reader, the same in every run.
struct Generator(u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn text(&mut self) -> String {
        const PARTS: &[&str] = &[
            "a",
            "b",
            "key",
            "é",
            "\u{4e2d}",
            "\u{1f600}",
            "\u{7f}",
            "\\n",
            "\\\"",
            "\\\\",
            "\\/",
            "\\u0000",
            "\\u0061",
            "\\ud83d\\ude00",
            "\\ud800",
            "\\udc00",
            "\\u00e9",
            "0123456789",
        ];
        let count = if self.below(20) == 0 { 40 } else { self.below(4) };
        (0..count).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }

    fn value(&mut self, depth: usize) -> String {
        const LEAVES: &[&str] = &[
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "-1",
            "2147483647",
            "2147483648",
            "-2147483648",
            "-2147483649",
            "1073741824",
            "32768",
            "9223372036854775808",
            "-170141183460469231731687303715884105728",
            "1.0",
            "-0.0",
            "1e400",
            "-1E-400",
            "0.1",
            "5e-324",
            "1.7976931348623157e308",
            "NaN",
            "Infinity",
            "-Infinity",
            "123456789012345678901234567890123456789012345678901234567890",
        ];
        match self.below(if depth > 5 { 2 } else { 5 }) {
            0 => LEAVES[self.below(LEAVES.len())].to_owned(),
            1 => format!("\"{}\"", self.text()),
            2 | 3 => {
                let members: Vec<String> = (0..self.below(6))
                    .map(|_| format!("\"{}\" : {}", self.text(), self.value(depth + 1)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            _ => {
                let items: Vec<String> = (0..self.below(6)).map(|_| self.value(depth + 1)).collect();
                format!("[{}]", items.join(" ,\n"))
            }
        }
    }
}

#[tokio::test]
async fn records_arrive_in_every_python_as_its_own_json_reads_them() {
    let mut generator = Generator(7);
    let mut texts: Vec<String> = (0..600).map(|_| holding(&generator.value(0))).collect();
    texts.push(holding(&format!("{}{}", "[".repeat(900), "]".repeat(900))));
    texts.push(holding(&"9".repeat(4300)));
    texts.push(holding(&format!("-1{}", "0".repeat(4299))));
    texts.push(holding(&format!("\"{}\"", "x".repeat(70_000))));
    let too_long = format!(r#"{{"value":{}}}"#, "9".repeat(4301));
    let home = std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".pyenv/versions"));
    let dirs = home
        .and_then(|dir| std::fs::read_dir(dir).ok())
        .into_iter()
        .flatten();
    let mut interpreters: Vec<_> = dirs.filter_map(|entry| Some(Some(entry.ok()?.path()))).collect();
    interpreters.push(None);
    let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{READS}"))]);
    for interpreter in interpreters {
        let Ok(found) = find_interpreter(interpreter.as_deref()).await else {
            continue;
        };
        let options = PoolOptions {
            interpreter,
            ..repo.options()
        };
        let (pool, _) = PythonPool::start(options).await.unwrap();
        let records = (0..)
            .zip(&texts)
            .map(|(number, text)| numbered("t", text, number));
        let outcomes = pool
            .evaluate(records.collect(), EvaluateOptions::default())
            .await
            .unwrap();
        for (outcome, text) in outcomes.iter().zip(&texts) {
            assert!(
                matches!(&outcome.results[0].outcome, RuleOutcome::Fired(_)),
                "{:?}: {:?} {text:.300}",
                found.version,
                outcome.results[0].outcome
            );
        }
        // As json.loads, which takes no longer integer.
        let outcomes = pool
            .evaluate(vec![record("t", &too_long)], EvaluateOptions::default())
            .await
            .unwrap();
        assert_eq!(words(&pool, &outcomes[0]), ["same=killed"]);
        println!("python {:?}", found.version);
    }
}
