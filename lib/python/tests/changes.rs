//! Rules that change their record or their context: whom it concerns, and whom it does not.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test says enough"
)]

mod support;

use streamalert_detect::{EvaluateOptions, Fired, RecordOutcome, RuleOutcome, RuleRuntime};
use streamalert_python::{PairRecord, PythonPool, find_interpreter};
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

#[tokio::test]
async fn rules_that_may_change_their_record_are_told_from_those_that_do_not() {
    let cases = [
        ("return rec['a'] == 1 and 'x' in rec.get('b', {})", false),
        ("return any(k.startswith('a') for k in sorted(rec))", false),
        (
            "return bool(PATTERN.search(rec['a'])) or fnmatch.fnmatch(rec['a'], '*')",
            false,
        ),
        (
            "return reads(rec) and helper.looks(rec) and HELPER.looks(rec)",
            false,
        ),
        (
            "return json.loads(rec['a'])['x'] == max(rec['l'], default=0)",
            false,
        ),
        ("rec['a'] = 1", true),
        ("del rec['a']", true),
        ("rec.pop('a')", true),
        ("return rec['l'].sort()", true),
        ("x = rec['l']\n    x += [1]", true),
        ("return writes(rec)", true),
        ("return outer(rec)", true),
        ("return helper.changes(rec)", true),
        ("return HELPER.changes(rec)", true),
        ("return TABLE['f'](rec)", true),
        ("return partial(writes, rec)()", true),
        ("return (lambda r: r.update(a=1))(rec)", true),
        ("return setattr(rec, 'a', 1)", true),
        ("random.shuffle(rec['l'])", true),
        ("return Thing().go(rec)", true),
        ("from helper import changes\n    return changes(rec)", true),
        ("return Unknowable(rec)", true),
        ("return A_RULE.process(rec)", true),
    ];
    // With `context={}`: what is stored into it is no change of the record, but what is changed through it may be.
    let with_context = [
        ("context['x'] = rec['y']\n    return True", false),
        ("context['x'] = {'y': [rec.get('y'), 1]}\n    return True", false),
        (
            "key = rec['k']\n    value = key\n    context[key] = value\n    return True",
            false,
        ),
        (
            "for key in rec:\n        if key:\n            context[key] = rec[key] if key else 0\n    return True",
            false,
        ),
        ("context['x'] = [k for k in rec]\n    return True", false),
        ("context['x'] = rec['y']\n    context['x'].append(1)", true),
        ("context['x'] = rec['y']\n    context['x']['z'] = 1", true),
        ("context['x'] = rec['y']\n    context['x'] += [1]", true),
        ("context['x'] = rec\n    writes(context['x'])", true),
        ("(rec if rec['a'] else context)['x'] = 1", true),
        ("(context if rec['a'] else rec)['x'] = 1", true),
        ("(rec or context)['x'] = 1", true),
        ("(context and rec)['x'] = 1", true),
        ("context['x' if rec['a'] else 'y'] = 1", true),
        ("context = rec\n    context['x'] = 1", true),
        (
            "for context in rec['l']:\n        pass\n    context['x'] = 1",
            true,
        ),
        ("(lambda context: context.__setitem__('x', 1))(rec)", true),
        ("def f(context):\n        context['x'] = 1\n    f(rec)", true),
        ("rec['x'] = context", true),
        ("rec['x'], context['x'] = 1, 2", true),
        ("context['x'] = rec['x'] = 1", true),
        ("rec[context['x']] = 1", true),
        ("return stores(rec, rec['x'])", true),
        ("return A_RULE.func(rec, rec['x'])", true),
        ("del context['x']", true),
    ];
    let mut source = format!(
        "{IMPORTS}import fnmatch, json, random, re, operator
from functools import partial
import helper
PATTERN = re.compile('x')
HELPER = helper.Helper()
def reads(r): return r['a']
def writes(r): r['z'] = 1
def outer(r): return inner(r)
def inner(r): return writes(r) or outer(r)
class Thing:
    def go(self, r): r.clear()
class Calls:
    def __call__(self, r): return r
Unknowable = Calls()
TABLE = {{'f': writes}}
def stores(r, context): context['x'] = 1
@rule(logs=['a'], context={{}})
def A_RULE(r, context): context['x'] = 1
"
    );
    for (number, (body, _)) in cases.iter().enumerate() {
        source += &format!("@rule(logs=['a'])\ndef r{number}(rec):\n    {body}\n");
    }
    for (number, (body, _)) in with_context.iter().enumerate() {
        source += &format!("@rule(logs=['a'], context={{}})\ndef c{number}(rec, context):\n    {body}\n");
    }
    source += "class Box(dict): pass\n@rule(logs=['a'], context=Box())\ndef in_box(rec, context):\n    context['x'] = 1\n";
    source +=
        "def m(r): r['x'] = 1\n@rule(logs=['a'], matchers=[m])\ndef by_matcher(rec):\n    return True\n";
    let helper = "def looks(r): return r.get('a')\ndef changes(r): r['x'] = 1\nclass Helper:\n    def looks(self, r): return looks(r)\n    def changes(self, r): return changes(r)\n";
    let repo = Repo::new(&[("helper.py", helper), ("rules/r.py", &source)]);
    let mut options = repo.options();
    let root = std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".pyenv/versions"));
    let dirs = root
        .and_then(|root| std::fs::read_dir(root).ok())
        .into_iter()
        .flatten();
    let mut interpreters: Vec<_> = dirs.filter_map(|entry| Some(Some(entry.ok()?.path()))).collect();
    interpreters.push(None);
    for interpreter in interpreters {
        if find_interpreter(interpreter.as_deref()).await.is_err() {
            continue;
        }
        options.interpreter.clone_from(&interpreter);
        let (_, report) = PythonPool::start(options.clone()).await.unwrap();
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        let may = |name: &str| report.rules.find(name).unwrap().1.may_mutate;
        let wrong: Vec<_> = cases
            .iter()
            .enumerate()
            // An instance with methods that write makes every use of it suspect: that only costs time.
            .filter(|(number, (body, expected))| {
                may(&format!("r{number}")) != *expected && !body.contains("HELPER.looks")
            })
            .map(|(_, (body, _))| body)
            .collect();
        assert!(
            wrong.is_empty() && may("by_matcher"),
            "{interpreter:?}: {wrong:?}"
        );
        for (number, (body, expected)) in with_context.iter().enumerate() {
            assert_eq!(may(&format!("c{number}")), *expected, "{interpreter:?}: {body}");
        }
        assert!(may("in_box") && !may("A_RULE"), "{interpreter:?}");
    }
}
