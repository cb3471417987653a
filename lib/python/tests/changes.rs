//! Rules that change their record or their context: whom it concerns, and whom it does not.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test says enough"
)]

mod support;

use streamalert_detect::{EvaluateOptions, Fired, RecordOutcome, RuleOutcome, RuleRuntime};
use streamalert_python::{PairRecord, PythonPool};
use support::{IMPORTS, Repo, numbered, record, words};

const RULES: &str = "
from streamalert.shared.rule import Rule

@rule(logs=['a:b'])
def first(rec):
    rec['deep']['list'].append(rec['n'])
    rec['deep']['more']['x'] = 1
    return True

@rule(logs=['a:b'])
def second(rec):
    assert rec['deep'] == {'list': [[]], 'more': {}}, rec
    rec['deep']['list'][0].append('second')
    return True

@rule(logs=['a:b'])
def third(rec):
    assert rec['deep'] == {'list': [[]], 'more': {}}, rec
    return rec.pop('absent', True)

@rule(logs=['a:b'])
def indicators(rec):
    rec['streamalert:ioc']['ip'].add('9.9.9.9')
    return True

@rule(logs=['a:b'])
def indicators_kept(rec):
    assert rec['streamalert:ioc']['ip'] == {'1.1.1.1'}, rec
    rec.pop('absent', None)
    return True

@rule(logs=['a:b'])
def reads(rec):
    return rec['deep'] == {'list': [[]], 'more': {}}
";

const CONTEXTS: &str = "
from streamalert.shared.rule import Rule
FLAT = {'count': 0, 'name': 'x'}

@rule(logs=['a:b'], context={'kept': [], 'n': {'x': []}})
def nested(rec, context):
    context['kept'].append(rec['n'])
    context['n']['x'].append(rec['n'])
    return True

@rule(logs=['a:b'], context=FLAT)
def flat(rec, context):
    context['count'] = context['count'] + 1
    context['whole'] = rec
    return True

@rule(logs=['a:b'], context={})
def empty(rec, context):
    assert context == {}, context
    context['n'] = rec['n']
    return rec['n'] != 3

@rule(logs=['a:b'])
def peeks(rec):
    return Rule.get_rule('flat').context is None

@rule(logs=['a:b'])
def grows(rec):
    FLAT['later'] = []
    return False

@rule(logs=['a:b'], context=FLAT)
def after(rec, context):
    assert context['later'] == [], context
    context['later'].append(1)
    return True
";

async fn started(rules: &str) -> (Repo, PythonPool) {
    let repo = Repo::new(&[("rules/r.py", &format!("{IMPORTS}{rules}"))]);
    let (pool, report) = repo.start().await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    (repo, pool)
}

async fn run(pool: &PythonPool, json: &str, rules: &[&str]) -> RecordOutcome {
    let index = |name: &&str| pool.rules().find(name).map(|(index, _)| index).unwrap();
    // Others beside it, so that it is one of a group.
    let pairs = (0..5).map(|number| PairRecord {
        record: numbered("a:b", json, number),
        rules: rules.iter().map(index).collect(),
    });
    let outcomes = pool
        .evaluate_pairs(pairs.collect(), EvaluateOptions::default())
        .await
        .unwrap();
    let all: Vec<_> = outcomes
        .iter()
        .map(|outcome| (words(pool, outcome), texts(outcome)))
        .collect();
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    outcomes.into_iter().nth(2).unwrap()
}

fn fired(outcome: &RecordOutcome, at: usize) -> &Fired {
    match &outcome.results[at].outcome {
        RuleOutcome::Fired(fired) => fired,
        other => panic!("{other:?}"),
    }
}

/// The record as each rule left it.
fn texts(outcome: &RecordOutcome) -> Vec<String> {
    (0..outcome.results.len())
        .map(|at| match &fired(outcome, at).record {
            Some(json) => String::from_utf8(json.to_vec()).unwrap(),
            None => "unchanged".to_owned(),
        })
        .collect()
}

const RECORD: &str = r#"{"n":7,"deep":{"list":[[]],"more":{}}}"#;

#[tokio::test]
async fn a_change_is_seen_in_the_rules_own_alert_and_nowhere_else() {
    let (_repo, pool) = started(RULES).await;
    let by_first = r#"{"n":7,"deep":{"list":[[],7],"more":{"x":1}}}"#;
    let by_second = r#"{"n":7,"deep":{"list":[["second"]],"more":{}}}"#;
    let all = run(&pool, RECORD, &["first", "second", "third", "reads"]).await;
    assert_eq!(texts(&all), [by_first, by_second, "unchanged", "unchanged"]);
    // The last one may have the record itself: what it was is known all the same.
    let last = run(&pool, RECORD, &["reads", "second", "third", "first"]).await;
    assert_eq!(texts(&last), ["unchanged", by_second, "unchanged", by_first]);
    assert_eq!(texts(&run(&pool, RECORD, &["second"]).await), [by_second]);
    assert_eq!(texts(&run(&pool, RECORD, &["third"]).await), ["unchanged"]);
}

#[tokio::test]
async fn indicators_are_sets_and_a_change_of_them_is_one_of_the_record() {
    let (_repo, pool) = started(RULES).await;
    let json = r#"{"streamalert:ioc":{"ip":["1.1.1.1"]}}"#;
    let outcome = run(&pool, json, &["indicators", "indicators_kept"]).await;
    let texts = texts(&outcome);
    assert!(
        texts[0].contains("9.9.9.9") && texts[1] == "unchanged",
        "{texts:?}"
    );
    let alone = run(&pool, json, &["indicators_kept"]).await;
    assert_eq!(self::texts(&alone), ["unchanged"]);
    let unhashable = record("a:b", r#"{"streamalert:ioc":{"ip":[[]]}}"#);
    let outcomes = pool
        .evaluate(vec![unhashable], EvaluateOptions::default())
        .await
        .unwrap();
    assert!(
        words(&pool, &outcomes[0])
            .iter()
            .all(|word| word.ends_with("=killed"))
    );
}

#[tokio::test]
async fn a_record_as_deep_as_can_be_is_copied() {
    let (_repo, pool) = started(RULES).await;
    let json = format!(
        r#"{{"n":{}{},"deep":{{"list":[[]],"more":{{}}}}}}"#,
        "[".repeat(950),
        "]".repeat(950)
    );
    let outcome = run(&pool, &json, &["first", "third"]).await;
    assert_eq!(texts(&outcome)[1], "unchanged");
    assert!(texts(&outcome)[0].len() > json.len());
}

#[tokio::test]
async fn every_record_gets_its_context_as_the_rule_wrote_it() {
    let (_repo, pool) = started(CONTEXTS).await;
    let outcome = run(&pool, r#"{"n":1}"#, &["nested", "flat", "empty", "peeks"]).await;
    let contexts: Vec<String> = (0..4).map(|at| fired(&outcome, at).context.to_json()).collect();
    assert_eq!(
        contexts,
        [
            r#"{"kept":[1],"n":{"x":[1]}}"#,
            r#"{"count":1,"name":"x","whole":{"n":1}}"#,
            r#"{"n":1}"#,
            "{}"
        ]
    );
    assert!(run(&pool, r#"{"n":3}"#, &["empty"]).await.results.is_empty());
    // The rule's own dictionary may change later, and is copied as it is then.
    let outcome = run(&pool, r#"{"n":1}"#, &["grows", "after"]).await;
    assert_eq!(
        fired(&outcome, 0).context.to_json(),
        r#"{"count":0,"name":"x","later":[1]}"#
    );
}
