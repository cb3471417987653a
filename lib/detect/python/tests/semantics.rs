//! Named cases of what Python means, against CPython 3.8 to 3.13: rules and records of `semantics/NAME.in`, and in
//! `semantics/NAME.txt` what CPython answered (written by `semantics/record.py`). Every pair is evaluated as a function
//! whose answer is compared, and as a rule with the index and without it.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use streamalert_detect::{RuleInfo, RuleSet};
use streamalert_native::cx::{Cx, Leave, Limits, Raise};
use streamalert_native::engine::{Engine, Event, Options, Scratch, Verdict};
use streamalert_native::obj::Obj;
use streamalert_native::registry::Args;
use streamalert_native::{eval, load, lower, ops, testing, text};
use support::{PATCHES, is_about, reason};

const FILES: [(&str, &str); 5] = [
    (
        include_str!("semantics/operators.in"),
        include_str!("semantics/operators.txt"),
    ),
    (
        include_str!("semantics/exceptions.in"),
        include_str!("semantics/exceptions.txt"),
    ),
    (
        include_str!("semantics/texts.in"),
        include_str!("semantics/texts.txt"),
    ),
    (
        include_str!("semantics/modules.in"),
        include_str!("semantics/modules.txt"),
    ),
    (
        include_str!("semantics/collections.in"),
        include_str!("semantics/collections.txt"),
    ),
];

/// Cases of which some record is left to CPython in some version. Each costs time, none is wrong; a case that is not
/// here must be answered natively for every record.
const LEFT: &[(&str, &str)] = &[
    (
        "a_constant_that_a_helper_changes",
        "state between records is CPython's",
    ),
    (
        "a_constant_that_a_rule_changes",
        "state between records is CPython's",
    ),
    ("a_global_that_a_rule_sets", "state between records is CPython's"),
    ("addresses_by_version", "addresses with a scope"),
    ("big_integers_against_floats", "hash()"),
    ("big_integers_are_exact", "float() of big integers"),
    ("changing_the_record", "the record is shared by all rules"),
    ("defaults_are_made_once", "state between records is CPython's"),
    ("file_name_patterns", "ranges that are empty differ by version"),
    ("groups", "lastgroup with several groups"),
    ("integers_that_no_float_holds", "float() of big integers"),
    ("json_text", "half a surrogate pair"),
    ("keys_with_lone_surrogates_are_not_lost", "half a surrogate pair"),
    ("lone_surrogates_in_the_record", "half a surrogate pair"),
    ("minus_nought", "identity of equal numbers"),
    ("not_a_number_equals_nothing", "identity of NaN"),
    ("not_a_number_in_a_record_s_list", "identity of NaN"),
    (
        "other_cases_of_texts_that_are_not_ascii",
        "title case beyond ASCII",
    ),
    ("raise_again", "__cause__ and __context__"),
    (
        "sets_of_small_integers_are_in_their_order",
        "order of sets of numbers",
    ),
    ("the_form_of_numbers", "round() of True"),
    ("true_is_one_is_one_point_nought", "order of sets of numbers"),
    ("what_texts_consist_of", "classes of characters beyond ASCII"),
    ("wrong_arguments", "texts of some errors of calls"),
];

struct Case<'t> {
    name: &'t str,
    source: String,
    records: Vec<&'t str>,
}

fn cases(input: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in input.lines() {
        match (line.strip_prefix("== "), cases.last_mut()) {
            (Some(name), _) => cases.push(Case {
                name,
                source: "from streamalert.shared.rule import rule\n".to_owned(),
                records: Vec::new(),
            }),
            (None, Some(case)) => match line.strip_prefix("-- ") {
                Some(record) => case.records.push(record),
                None if line == "def r(rec):" => case.source += "@rule(logs=['a:b'])\ndef r(rec):\n",
                None => case.source = format!("{}{line}\n", case.source),
            },
            (None, None) => {}
        }
    }
    cases
}

/// By case and number of the record.
fn outcomes(recorded: &str, minor: u8) -> BTreeMap<(&str, usize), String> {
    recorded
        .lines()
        .filter_map(|line| {
            let parts: Vec<&str> = line.split('\t').collect();
            let [versions, name, number, outcome] = parts[..] else {
                panic!("{line}");
            };
            let outcome = serde_json::from_str(outcome).unwrap();
            is_about(versions, minor).then(|| ((name, number.parse().unwrap()), outcome))
        })
        .collect()
}

/// What the function answers, in the recorded form; an error says why CPython is to answer.
fn answer<'a>(cx: &Cx<'a>, record: Obj<'a>) -> Result<String, String> {
    let function = cx.constant(cx.program.rules[0].func);
    let shown = eval::call(cx, function, &Args::positional(&[record])).and_then(|value| {
        let truth = if ops::truthy(cx, value)? { '+' } else { '-' };
        Ok(format!("{truth} {}", text::repr(cx, value)?))
    });
    match shown {
        Ok(shown) => Ok(shown),
        Err(Raise::Fallback(leave)) => Err(reason(cx.program, leave)),
        Err(Raise::Limit(limit)) => Ok(format!("limit {limit:?}")),
        Err(Raise::Exception(exception)) => {
            let class = ops::class_of(cx, Obj::Exception(exception)).ok();
            let name = class.and_then(|class| ops::class_name(cx, class).map(str::to_owned));
            match text::exception(cx, exception) {
                Ok(text) => Ok(format!("! {}: {text}", name.unwrap_or_default())),
                Err(_) => Err("an exception without text".to_owned()),
            }
        }
    }
}

/// What the rule does, as far as a verdict tells.
fn verdict(engine: &Engine, record: &str, without_index: bool) -> Result<String, String> {
    let mut found = "- ".to_owned();
    let mut left = None;
    let event = Event {
        log_type: "a:b",
        json: record,
        options: Options {
            without_index,
            ..Options::default()
        },
        skip: &[],
    };
    let mut scratch = Scratch::new(engine);
    engine.evaluate(
        &mut scratch,
        &testing::env(),
        &event,
        &mut |_, verdict| match verdict {
            Verdict::Fired(_) => found = "+ ".to_owned(),
            Verdict::Exception(exception) => found = format!("! {}: {}", exception.kind, exception.message),
            Verdict::Fallback(departure) => left = Some(reason(engine.program(), departure.leave)),
            other => found = format!("{other:?}"),
        },
    );
    left.map_or(Ok(found), Err)
}

/// As a verdict tells it: not the answer itself.
fn told(outcome: &str) -> &str {
    if outcome.starts_with('!') {
        outcome
    } else {
        outcome.get(..2).unwrap_or_default()
    }
}

/// What came of all cases of a version.
#[derive(Default)]
struct Found {
    pairs: usize,
    wrong: Vec<String>,
    left: BTreeMap<String, BTreeSet<String>>,
}

fn check(case: &Case<'_>, minor: u8, recorded: &BTreeMap<(&str, usize), String>, found: &mut Found) {
    let version = (3, minor, PATCHES[usize::from(minor) - 8]);
    let loaded = load::load_source(&case.source, "rules/a.py", version);
    assert_eq!(loaded.rules.len(), 1, "{}: {:?}", case.name, loaded.problems);
    let program = lower::compile(&loaded.export).unwrap();
    let rules = RuleSet::new(vec![RuleInfo::named("r", &["a:b"])]).unwrap();
    let engine = Engine::new(
        lower::compile(&loaded.export).unwrap(),
        Arc::new(rules),
        Limits::default(),
    );
    for (number, record) in case.records.iter().enumerate() {
        let expected = &recorded[&(case.name, number)];
        found.pairs += 1;
        let direct = match program.rules[0].refused {
            Some(point) => Err(reason(&program, Leave::Point(point))),
            // A record whose own keys or texts cannot be shown is left by who reads them.
            None => testing::with_program(&program, record, answer),
        };
        let as_rule = [verdict(&engine, record, true), verdict(&engine, record, false)];
        let answers = [(direct, &**expected)]
            .into_iter()
            .chain(as_rule.into_iter().map(|answer| (answer, told(expected))));
        for (answer, expected) in answers {
            match answer {
                Ok(answer) if answer == expected => {}
                Ok(answer) => found.wrong.push(format!(
                    "3.{minor} {} {record}\n  CPython {expected}\n  here    {answer}",
                    case.name
                )),
                Err(why) => {
                    let line = format!("3.{minor} {record}: {why}");
                    found.left.entry(case.name.to_owned()).or_default().insert(line);
                }
            }
        }
    }
}

#[test]
fn every_case_means_what_it_means_in_cpython() {
    // As the threads that evaluate rules: without optimization, frames of the deepest recursion need more than the
    // stack of a test.
    let all = std::thread::Builder::new().stack_size(256 << 20).spawn(check_all);
    all.unwrap().join().unwrap();
}

fn check_all() {
    let mut found = Found::default();
    for (input, recorded) in FILES {
        let cases = cases(input);
        assert!(cases.len() >= 10, "{} cases", cases.len());
        for minor in 8..=13 {
            let recorded = outcomes(recorded, minor);
            for case in &cases {
                check(case, minor, &recorded, &mut found);
            }
        }
    }
    found.wrong.dedup();
    assert!(
        found.wrong.is_empty(),
        "{} of {} wrong:\n{}",
        found.wrong.len(),
        found.pairs,
        found.wrong.join("\n")
    );
    let listed: BTreeSet<&str> = LEFT.iter().map(|(name, _)| *name).collect();
    let left: BTreeSet<&str> = found.left.keys().map(String::as_str).collect();
    assert_eq!(left, listed, "{:#?}", found.left);
}
