//! What the guard concludes: on which records a rule is run, and that those left out would have come to nothing. The
//! random rules of `index.rs` look for what nobody thought of; these are the inferences one by one, with records that
//! are made to break them.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

use std::sync::Arc;

use streamalert_detect::{RuleInfo, RuleSet};
use streamalert_native::cx::Limits;
use streamalert_native::engine::{Engine, Event, Options, Scratch, Verdict};
use streamalert_native::{load, lower, testing};

/// An engine of one rule, whose body these lines are.
fn engine(lines: &str, options: &str, change: impl FnOnce(&mut RuleInfo)) -> Engine {
    let params = if options.contains("context") {
        "rec, context"
    } else {
        "rec"
    };
    let body = lines.replace('\n', "\n    ");
    let source = format!(
        "from collections import defaultdict\nfrom streamalert.shared.rule import rule\n\n\
         NESTED = (KeyError, (TypeError,))\n\n\
         @rule(logs=['a:b']{options})\ndef r({params}):\n    {body}\n"
    );
    let loaded = load::load_source(&source, "rules/a.py", (3, 11, 7));
    assert!(loaded.problems.is_empty(), "{:?}\n{source}", loaded.problems);
    let exported = &loaded.export.rules[0];
    let mut info = RuleInfo::named(&loaded.rules[0].name, &["a:b"]);
    info.context = exported.context.is_some();
    change(&mut info);
    let rules = RuleSet::new(vec![info]).unwrap();
    let program = lower::compile(&loaded.export).unwrap();
    Engine::new(program, Arc::new(rules), Limits::default())
}

/// What the rule comes to on a record; `None`: it was not run.
fn verdict(engine: &Engine, json: &str, without_index: bool) -> Option<Verdict> {
    let mut scratch = Scratch::new(engine);
    let mut found = None;
    let event = Event {
        log_type: "a:b",
        json,
        options: Options {
            without_index,
            ..Options::default()
        },
        skip: &[],
    };
    engine.evaluate(&mut scratch, &testing::env(), &event, &mut |_, verdict| {
        found = Some(verdict);
    });
    let runs: u64 = scratch.take_counters().iter().map(|one| one.evaluations).sum();
    (runs > 0).then(|| found.unwrap_or(Verdict::False))
}

fn show(verdict: Option<&Verdict>) -> String {
    match verdict {
        None | Some(Verdict::False | Verdict::NotRun) => "nothing".to_owned(),
        Some(Verdict::Fired(_)) => "fired".to_owned(),
        Some(Verdict::Exception(exception)) => exception.kind.to_string(),
        Some(Verdict::Fallback(_)) => "left".to_owned(),
        Some(other) => format!("{other:?}"),
    }
}

/// Checks what a rule comes to with the index and without it. `*` before what is expected: the index leaves it out.
fn check(engine: &Engine, records: &[(&str, &str)]) {
    for (json, expected) in records {
        let with = verdict(engine, json, false);
        let without = verdict(engine, json, true);
        assert_eq!(
            show(without.as_ref()),
            expected.trim_start_matches('*'),
            "{json}, without the index"
        );
        assert_eq!(
            show(with.as_ref()),
            show(without.as_ref()),
            "{json}, with the index"
        );
        assert_eq!(with.is_none(), expected.starts_with('*'), "{json}, left out");
    }
}

fn check_rule(lines: &str, records: &[(&str, &str)]) {
    check(&engine(lines, "", |_| ()), records);
}

#[test]
fn a_missing_field_whose_key_error_is_caught_is_left_out() {
    check_rule(
        "try:\n    return rec['a']['b'] == 'x'\nexcept (KeyError, TypeError):\n    return False",
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"a": {}}"#, "*nothing"),
            (r#"{"a": null}"#, "*nothing"),
            (r#"{"a": {"b": "y"}}"#, "*nothing"),
            (r#"{"a": {"b": "x"}}"#, "fired"),
            (r#"{"a": {"b": "\u0078"}}"#, "fired"),
            // What is odd is run: it might not be readable at all.
            (r#"{"a": []}"#, "nothing"),
            (r#"{"a": "b"}"#, "nothing"),
            (r#"{"a": "\ud800"}"#, "left"),
            (r#"{"a": {"b": "\ud800"}}"#, "left"),
        ],
    );
}

#[test]
fn a_clause_for_another_class_catches_nothing() {
    for clause in ["ValueError", "(IndexError, AttributeError)"] {
        check_rule(
            &format!("try:\n    return rec['a']['b'] == 'x'\nexcept {clause}:\n    return False"),
            &[
                (r#"{}"#, "KeyError"),
                (r#"{"a": {}}"#, "KeyError"),
                (r#"{"a": null}"#, "TypeError"),
                (r#"{"a": [1]}"#, "TypeError"),
                (r#"{"a": {"b": "y"}}"#, "*nothing"),
            ],
        );
    }
}

#[test]
fn a_clause_for_one_of_two_classes_catches_that_one() {
    check_rule(
        "try:\n    return rec['a']['b'] == 'x'\nexcept KeyError:\n    return False",
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"a": {}}"#, "*nothing"),
            (r#"{"a": null}"#, "TypeError"),
            (r#"{"a": "text"}"#, "TypeError"),
        ],
    );
    check_rule(
        "try:\n    return rec['a']['b'] == 'x'\nexcept TypeError:\n    return False",
        &[(r#"{"a": {}}"#, "KeyError"), (r#"{"a": null}"#, "*nothing")],
    );
}

#[test]
fn a_class_above_catches_and_a_second_clause_gets_the_rest() {
    check_rule(
        "try:\n    return rec['a']['b'] == 'x'\nexcept LookupError:\n    return False\nexcept TypeError:\n    return True",
        &[
            (r#"{"a": {}}"#, "*nothing"),
            (r#"{"a": null}"#, "fired"),
            (r#"{"a": 1}"#, "fired"),
        ],
    );
}

#[test]
fn what_the_clause_does_counts() {
    check_rule(
        "try:\n    return rec['a'] == 'x'\nexcept KeyError:\n    return rec['b'] == 'x'",
        &[
            (r#"{"a": "y", "b": "y"}"#, "*nothing"),
            (r#"{"b": "x"}"#, "fired"),
            (r#"{}"#, "KeyError"),
        ],
    );
    check_rule(
        "try:\n    v = rec['a']\nexcept KeyError:\n    raise\nreturn v == 'x'",
        &[(r#"{}"#, "KeyError"), (r#"{"a": "x"}"#, "fired")],
    );
    check_rule(
        "try:\n    v = rec['a']\nexcept KeyError:\n    v = 'x'\nreturn v == 'x'",
        &[(r#"{}"#, "fired"), (r#"{"a": "x"}"#, "fired")],
    );
}

#[test]
fn a_clause_of_what_is_no_class_raises_itself() {
    check_rule(
        "try:\n    return rec['a'] == 'x'\nexcept NESTED:\n    return False",
        &[(r#"{}"#, "TypeError"), (r#"{"a": "x"}"#, "fired")],
    );
    check_rule(
        "try:\n    return rec['a'] == 'x'\nexcept rec['b']:\n    return False",
        &[(r#"{}"#, "KeyError"), (r#"{"b": 1}"#, "TypeError")],
    );
}

#[test]
fn finally_may_return_whatever_was_raised() {
    check_rule(
        "try:\n    return rec['a'] == 'x'\nexcept KeyError:\n    return False\nfinally:\n    return True",
        &[(r#"{}"#, "fired"), (r#"{"a": "y"}"#, "fired")],
    );
}

#[test]
fn a_dictionary_with_a_default_is_not_the_record() {
    check_rule(
        "rec = defaultdict(lambda: 'x')\ntry:\n    return rec['a'] == 'x'\nexcept KeyError:\n    return False",
        &[(r#"{}"#, "fired")],
    );
    check_rule(
        "e = rec.get('e', defaultdict(lambda: 'x'))\ntry:\n    return e['a'] == 'x'\nexcept KeyError:\n    return False",
        &[(r#"{}"#, "fired"), (r#"{"e": {}}"#, "nothing")],
    );
    check_rule(
        "e = rec.get('e') or {'a': 'x'}\ntry:\n    return e['a'] == 'x'\nexcept KeyError:\n    return False",
        &[
            (r#"{}"#, "fired"),
            (r#"{"e": null}"#, "fired"),
            (r#"{"e": ""}"#, "fired"),
            (r#"{"e": {"a": "x"}}"#, "fired"),
        ],
    );
}

#[test]
fn what_takes_the_place_of_an_empty_field_lacks_every_key() {
    check_rule(
        "e = rec.get('e') or {}\ntry:\n    return e['a'] == 'x'\nexcept KeyError:\n    return False",
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"e": null}"#, "*nothing"),
            (r#"{"e": ""}"#, "nothing"),
            (r#"{"e": [1]}"#, "TypeError"),
            (r#"{"e": {"a": "x"}}"#, "fired"),
        ],
    );
    check_rule(
        "e = rec.get('e') or {}\nreturn e['a'] == 'x'",
        &[
            (r#"{}"#, "KeyError"),
            (r#"{"e": null}"#, "KeyError"),
            (r#"{"e": 0}"#, "KeyError"),
        ],
    );
}

#[test]
fn get_behind_brackets_raises_where_the_brackets_do() {
    check_rule(
        "try:\n    return rec['a'].get('b') == 'x'\nexcept KeyError:\n    return False",
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"a": {}}"#, "*nothing"),
            (r#"{"a": null}"#, "AttributeError"),
            (r#"{"a": {"b": "x"}}"#, "fired"),
        ],
    );
    check_rule(
        "return rec['a'].get('b') == 'x'",
        &[(r#"{}"#, "KeyError"), (r#"{"a": {}}"#, "*nothing")],
    );
}

#[test]
fn a_loop_over_a_field_that_may_be_missing_is_left_out() {
    let records = [
        (r#"{}"#, "*nothing"),
        (r#"{"a": null}"#, "*nothing"),
        (r#"{"a": []}"#, "*nothing"),
        (r#"{"a": [{"b": "x"}]}"#, "fired"),
        (r#"{"a": [{}]}"#, "KeyError"),
        (r#"{"a": 1}"#, "TypeError"),
    ];
    check_rule(
        "return any(item['b'] == 'x' for item in rec.get('a') or [])",
        &records,
    );
    check_rule(
        "for item in rec.get('a') or []:\n    if item['b'] == 'x':\n        return True\nreturn False",
        &records,
    );
    check_rule(
        "try:\n    return any(item['b'] == 'x' for item in rec['a']['i'])\nexcept (KeyError, TypeError):\n    return False",
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"a": {"i": [{"b": "x"}]}}"#, "fired"),
            (r#"{"a": {"i": [{}, 1]}}"#, "nothing"),
            (r#"{"a": {"i": ["\ud800"]}}"#, "left"),
        ],
    );
}

#[test]
fn what_is_there_and_empty_is_told_from_what_is_filled() {
    let empty = ["null", "false", "0", "-0.0", "\"\"", "[]", "{}", "1e-400"];
    let filled = [
        "true",
        "1",
        "0.5",
        "\"0\"",
        "[0]",
        "{\"a\": 0}",
        "NaN",
        "100000000000000000000",
    ];
    let record = |value: &&str| format!("{{\"a\": {value}}}");
    for (values, when) in [(&empty[..], "not rec['a']"), (&filled[..], "rec['a']")] {
        let engine = engine(&format!("return bool({when})"), "", |_| ());
        for json in values.iter().map(record) {
            check(&engine, &[(&*json, "fired")]);
        }
    }
    check_rule(
        "return not rec.get('a', True)",
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"a": true}"#, "*nothing"),
            (r#"{"a": false}"#, "fired"),
        ],
    );
}

#[test]
fn required_sub_keys_are_there_where_the_rule_is_run() {
    let required = |info: &mut RuleInfo| {
        info.req_subkeys = [("a".to_owned(), vec!["b".to_owned()])].into_iter().collect();
    };
    check(
        &engine("return rec['a']['b'] == 'x'", "", required),
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"a": {}}"#, "*nothing"),
            (r#"{"a": null}"#, "*nothing"),
            (r#"{"a": {"b": "y"}}"#, "*nothing"),
            (r#"{"a": {"\u0062": "x"}}"#, "fired"),
            (r#"{"a": {"b": "\ud800"}}"#, "left"),
        ],
    );
    check(
        &engine("return len(rec['c']) > 0", "", required),
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"a": {"b": 1}}"#, "KeyError"),
            (r#"{"a": {"b": 1}, "c": "x"}"#, "fired"),
        ],
    );
}

#[test]
fn datatypes_are_there_where_the_rule_is_run() {
    let engine = engine("return True", "", |info| {
        info.logs = None;
        info.datatypes = vec!["ip".to_owned()];
    });
    check(
        &engine,
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"streamalert_normalization": {"user": []}}"#, "*nothing"),
            (r#"{"streamalert_normalization": {"ip": []}}"#, "fired"),
            (r#"{"streamalert_normalization": []}"#, "*nothing"),
        ],
    );
}

#[test]
fn what_a_rule_notes_in_its_context_does_not_make_it_run() {
    let context = ", context={'n': None}";
    let rule = "context['n'] = rec.get('b')\ncontext['m'] = rec.get('c', '').rsplit('/', 1)[-1]\nreturn rec.get('a') == 'x'";
    check(
        &engine(rule, context, |_| ()),
        &[
            (r#"{}"#, "*nothing"),
            (r#"{"b": [], "c": "/"}"#, "*nothing"),
            (r#"{"a": "x", "b": {"c": 1}}"#, "fired"),
            (r#"{"c": 1}"#, "AttributeError"),
            (r#"{"c": "\ud800"}"#, "left"),
        ],
    );
    for (rule, raised) in [
        ("context['n'] = rec['b']\nreturn rec.get('a') == 'x'", "KeyError"),
        ("context['n']['x'] = 1\nreturn rec.get('a') == 'x'", "TypeError"),
        ("context = None\ncontext['n'] = 1\nreturn False", "TypeError"),
        ("context[rec] = 1\nreturn False", "TypeError"),
        ("rec['n'] = 1\nreturn False", "left"),
    ] {
        check(&engine(rule, context, |_| ()), &[(r#"{}"#, raised)]);
    }
}

#[test]
fn only_the_ends_of_a_split_are_surely_there() {
    check_rule(
        "return rec.get('a', '').split('/', 1)[0] == 'x' and rec.get('b') == 'y'",
        &[
            (r#"{"a": "x/z"}"#, "*nothing"),
            (r#"{"a": "x/z", "b": "y"}"#, "fired"),
        ],
    );
    for (part, raised) in [
        (".split('/', 1)[1]", "IndexError"),
        (".split('', 1)[0]", "ValueError"),
        (".split(None, 1)[0]", "IndexError"),
        (".split()[0]", "IndexError"),
    ] {
        check_rule(
            &format!("return rec.get('a', ''){part} == 'x' and rec.get('b') == 'y'"),
            &[(r#"{"a": ""}"#, raised), (r#"{}"#, raised)],
        );
    }
}

#[test]
fn a_text_that_is_white_is_replaced_by_or() {
    for field in [
        "rec['a'].strip()",
        "rec['a'].split('/', 1)[0]",
        "rec['a'].lower().strip()",
    ] {
        check_rule(
            &format!("return ({field} or 'x') == 'x'"),
            &[
                (
                    r#"{"a": " "}"#,
                    if field.contains("strip") {
                        "fired"
                    } else {
                        "nothing"
                    },
                ),
                (
                    r#"{"a": "/"}"#,
                    if field.contains("split") {
                        "fired"
                    } else {
                        "nothing"
                    },
                ),
                (r#"{"a": ""}"#, "fired"),
            ],
        );
    }
}

#[test]
fn what_a_loop_does_matters_only_where_it_is_reached() {
    check_rule(
        "if rec.get('status') != 403:\n    return False\nreturn any(part in rec['path'] for part in rec['bad'])",
        &[
            (r#"{"status":200,"path":"/"}"#, "*nothing"),
            (r#"{"status":403,"path":"/adm","bad":["adm"]}"#, "fired"),
            (r#"{"status":403,"path":"/adm"}"#, "KeyError"),
        ],
    );
}
