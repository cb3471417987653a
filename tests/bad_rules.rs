//! Rules that are wrong, hostile or huge. What the issue on rules lists as bad input, and the test that holds it:
//!
//! | bad input | test |
//! |---|---|
//! | a file with a syntax error | `hostile_rules::good_rules_beside_hostile_ones_raise_every_alert`, `reload::edited_rules_…` |
//! | an import that hangs | `an_import_that_hangs_is_named_and_the_other_files_load` |
//! | a rule of a megabyte | `a_rule_of_a_megabyte_runs_natively` |
//! | 10,000 rules in one file | `hostile_native::a_file_of_a_megabyte_and_ten_thousand_rules_load_natively` |
//! | two rules of one name | `two_rules_of_one_name_in_one_file_are_told_with_both_lines`, `hostile_native::two_rules_…` |
//! | a decorator misused | `a_misused_decorator_is_told_with_its_line_and_what_to_write` |
//! | a regex that cannot be translated | `a_regex_that_cannot_be_translated_gives_what_cpython_gives` |
//! | a rule that changes the record or its constants | `hostile_native::what_hurts_…` |
//! | recursion without end, `10 ** 10 ** 10`, `'a' * 10 ** 12` | `hostile_native::what_hurts_…` |
//! | `(a+)+$` on 100 KB, an iterator that never ends | `hostile_native::what_hurts_…` |
//! | `while True: pass` within `try` | `hostile_native::what_hurts_…`, natively; `hostile_rules`, in CPython |

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{TestProject, stdout};

const EVENTS: usize = 40;

fn project(rules: &str) -> TestProject {
    let project = TestProject::new(rules);
    project.write("conf/outputs.json", r#"{"file": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        "[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n[python]\nworkers = 1\n",
    );
    project.append_events("logs/events.jsonl", 0, EVENTS, |n| {
        if n % 4 == 0 { "odd" } else { "noise" }
    });
    project
}

/// What came of the events, and the log. Each time in a data directory of its own.
fn ingest(project: &TestProject, data: &str, settings: &[&str]) -> (Value, String) {
    let mut args = vec!["--data-dir", data];
    for setting in settings {
        args.extend(["--set", setting]);
    }
    args.extend([
        "ingest",
        "--json",
        "--source",
        "kinesis:stream",
        "logs/events.jsonl",
    ]);
    let output = project.run(&args);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{log}"));
    (summary, log)
}

/// Alerts by rule.
fn alerts(summary: &Value) -> BTreeMap<String, u64> {
    let rules = summary["rules"].as_object().unwrap().iter();
    rules
        .map(|(rule, row)| (rule.clone(), row["alerts"].as_u64().unwrap()))
        .collect()
}

const GOOD: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['file:sink'])
def good(record):
    return record['kind'] == 'odd'
";

#[test]
fn an_import_that_hangs_is_named_and_the_other_files_load() {
    let project = project(GOOD);
    project.write("rules/hangs.py", "while True:\n    pass\n");
    let (summary, log) = ingest(&project, "data", &["python.import_limit_ms=1000"]);
    assert_eq!(alerts(&summary)["good"], 10, "{summary}\n{log}");
    let told = summary["not_loaded"][0].as_str().unwrap();
    assert!(
        told.starts_with("rules/hangs.py") && told.contains("importing took longer than 1s"),
        "{summary}"
    );
    assert!(log.contains("rules/hangs.py"), "{log}");
}

#[test]
fn a_misused_decorator_is_told_with_its_line_and_what_to_write() {
    let misuses = [
        (
            "@rule\ndef bare(record):\n    return True\n",
            "rules/bad.py:3:",
            "rule [bare]: the decorator takes keywords only, write @rule(logs=[...], outputs=[...])",
        ),
        (
            "@rule('load:event')\ndef positional(record):\n    return True\n",
            "rules/bad.py:3:",
            "rule('load:event'): the decorator takes keywords only",
        ),
        (
            "@rule(outputs=['file:sink'])\ndef nothing(record):\n    return True\n",
            "rules/bad.py:3:",
            "rule [nothing] applies to nothing: give it logs or datatypes",
        ),
        (
            "@rule(log=['load:event'])\ndef typo(record):\n    return True\n",
            "rules/bad.py:3:",
            "unknown keyword log is ignored, did you mean logs?",
        ),
        (
            "@rule(logs='load:event')\ndef text(record):\n    return True\n",
            "rules/bad.py:3:",
            "logs of rule [text] is text, write a list: ['load:event']",
        ),
    ];
    let project = project(GOOD);
    for (misuse, place, message) in misuses {
        let text = format!("from streamalert.shared.rule import rule\n\n{misuse}");
        project.write("rules/bad.py", &text);
        let output = project.run(&["validate"]);
        let told =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{misuse}\n{told}");
        let line = told.lines().find(|line| line.contains(place));
        assert!(
            line.is_some_and(|line| line.contains(message)),
            "{misuse}\n{told}"
        );
    }
}

#[test]
fn two_rules_of_one_name_in_one_file_are_told_with_both_lines() {
    let twice = "@rule(logs=['load:event'])\ndef twice(record):\n    return True\n";
    let project = project(GOOD);
    let text = format!("from streamalert.shared.rule import rule\n\n{twice}\n{twice}");
    project.write("rules/twice.py", &text);
    let output = project.run(&["validate"]);
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let line = told.lines().find(|line| line.contains("already defined"));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(
        line.contains("rules/twice.py:7:")
            && line.contains("Rule [twice] already defined in rules/twice.py:3"),
        "{told}"
    );
}

#[test]
fn a_rule_of_a_megabyte_runs_natively() {
    let filler = "x".repeat(250);
    let mut rule = GOOD.to_owned();
    rule.push_str("\n@rule(logs=['load:event'], outputs=['file:sink'])\ndef huge(record):\n");
    for number in 0..4_000 {
        let _ = writeln!(
            rule,
            "    if record['kind'] == '{number}{filler}':\n        return False"
        );
    }
    rule.push_str("    return record['n'] == 7\n");
    assert!(rule.len() > 1_000_000, "{}", rule.len());
    let project = project(&rule);
    let (summary, log) = ingest(&project, "data", &[]);
    assert_eq!(alerts(&summary)["huge"], 1, "{summary}\n{log}");
    assert_eq!(alerts(&summary)["good"], 10, "{summary}\n{log}");
    let listed = stdout(&project.run(&["rules", "list", "--json"]));
    let huge = listed.lines().find(|line| line.contains("huge")).unwrap();
    let huge: Value = serde_json::from_str(huge).unwrap();
    assert_eq!(huge["native"], "native", "{huge}");
}

/// Deseret letters: ignoring case beyond the basic plane is left to CPython.
const UNTRANSLATABLE: &str = r"
import re
from streamalert.shared.rule import rule

LETTER = re.compile('(?i)\U00010400|odd')

@rule(logs=['load:event'], outputs=['file:sink'])
def searches(record):
    return bool(LETTER.search(record['kind'])) and LETTER.sub('', '\U00010428x') == 'x'

@rule(logs=['load:event'], outputs=['file:sink'])
def good(record):
    return record['kind'] == 'odd'
";

#[test]
fn a_regex_that_cannot_be_translated_gives_what_cpython_gives() {
    let project = project(UNTRANSLATABLE);
    let (native, log) = ingest(&project, "native", &[]);
    let (cpython, _) = ingest(&project, "cpython", &["rules.native=false"]);
    assert_eq!(alerts(&native), alerts(&cpython), "{native}\n{log}");
    assert_eq!(alerts(&native)["searches"], 10, "{native}\n{log}");
    let explained = stdout(&project.run(&["rules", "explain", "searches"]));
    assert!(
        explained.contains("rules/load.py:") && explained.contains("beyond the basic plane"),
        "{explained}"
    );
}

const MANY_WAYS: &str = "
import socket
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['file:sink'])
def native(record):
    return record['n'] % 8 == 0

@rule(logs=['load:event'], outputs=['file:sink'])
def raises(record):
    return record['absent']

@rule(logs=['load:event'], outputs=['file:sink'], context={'seen': 0})
def with_context(record, context):
    context['seen'] = record['n']
    return record['n'] > 35

@rule(logs=['load:event'], outputs=['file:sink'])
def falls_back(record):
    return record['n'] == 3 and socket.gethostname() != ''
";

#[test]
fn without_native_evaluation_the_alerts_are_the_same() {
    let project = project(MANY_WAYS);
    let mut delivered = Vec::new();
    for native in ["true", "false"] {
        let setting = format!("rules.native={native}");
        let file = format!("outputs.\"file:sink\".path=alerts-{native}.jsonl");
        let (summary, log) = ingest(&project, native, &[&setting, &file]);
        let expected = [
            ("falls_back", 1),
            ("native", 5),
            ("raises", 0),
            ("with_context", 4),
        ];
        let expected = expected.map(|(rule, count)| (rule.to_owned(), count));
        assert_eq!(alerts(&summary), expected.into(), "{summary}\n{log}");
        assert_eq!(
            summary["rules"]["raises"]["exceptions"], EVENTS as u64,
            "{summary}"
        );
        let text = std::fs::read_to_string(project.path(&format!("alerts-{native}.jsonl"))).unwrap();
        let mut rows: Vec<String> = text.lines().map(without_the_time).collect();
        rows.sort();
        delivered.push(rows);
    }
    assert_eq!(delivered[0].len(), 10);
    assert_eq!(delivered[0], delivered[1]);
}

/// The alert without the only thing that two runs may differ in.
fn without_the_time(line: &str) -> String {
    let mut alert: Value = serde_json::from_str(line).unwrap();
    assert!(alert["created"].take().is_string(), "{line}");
    alert.to_string()
}
