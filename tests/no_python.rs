//! Where no Python is installed: rules load and run natively, and what only CPython knows is kept as a dead letter.

use serde_json::Value;

use crate::support::{TestProject, stdout};

const RULES: &str = r#"
import socket
from rules.helpers.sets import WANTED
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['file:sink'], merge_by_keys=['group'], merge_window_mins=5)
def seventh(record):
    """Every seventh."""
    return record['group'] in WANTED

@rule(logs=['load:event'], outputs=['file:sink'])
def asks_the_host(record):
    return record['n'] == 3 and socket.gethostname() == 'x'
"#;

const BEYOND: &str = r#"
import os
from streamalert.shared.rule import rule

def decorated(function):
    return os.path.exists(function)

@rule(logs=LOGS_OF_NOWHERE, outputs=['file:sink'])
def unknown_options(record):
    return True
"#;

fn project() -> TestProject {
    let project = TestProject::new(RULES);
    project.write("rules/helpers/sets.py", "WANTED = {'g0'}\n");
    project.write("rules/beyond.py", BEYOND);
    project.write("conf/outputs.json", r#"{"file": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        "[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n[python]\ninterpreter = \"/nowhere/python\"\n",
    );
    project.append_events("logs/events.jsonl", 0, 70, |_| "k");
    project
}

#[test]
fn rules_run_natively_and_what_needs_python_becomes_a_dead_letter() {
    let project = project();
    let output = project.run(&[
        "ingest",
        "--json",
        "--source",
        "kinesis:stream",
        "logs/events.jsonl",
    ]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{log}"));
    assert_eq!(output.status.code(), Some(1), "{summary}");
    assert_eq!(summary["rules"]["seventh"]["alerts"], 10, "{summary}\n{log}");
    assert_eq!(summary["rules"]["asks_the_host"]["kills"], 1, "{summary}\n{log}");
    let not_loaded = summary["not_loaded"].to_string();
    assert!(not_loaded.contains("rules/beyond.py:8"), "{not_loaded}");
    assert!(log.contains("no python"), "{log}");
    let letters = stdout(&project.run(&["dead-letter", "list", "--json"]));
    assert!(
        letters.contains("rule asks_the_host gave no answer: needs python"),
        "{letters}"
    );
    assert!(letters.contains("socket.gethostname"), "{letters}");
}

#[test]
fn a_rule_is_explained_with_the_place_that_needs_python() {
    let project = project();
    let told = stdout(&project.run(&["rules", "explain", "asks_the_host", "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["native"], "partly", "{told}");
    let place = &told["fallbacks"][0];
    assert_eq!(
        (&place["file"], &place["line"]),
        (&"rules/load.py".into(), &13.into()),
        "{told}"
    );
    assert!(told["runs_when"][0].as_str().unwrap().contains("is 3"), "{told}");
    let told = stdout(&project.run(&["rules", "explain", "seventh"]));
    assert!(told.contains("natively"), "{told}");
    assert!(told.contains("is \"g0\""), "{told}");
}
