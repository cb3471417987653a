//! Rules that loop, eat memory, end their process or raise, beside good ones: the good ones' alerts are complete.

use crate::support::TestProject;
use serde_json::Value;

const EVENTS: usize = 3_000;

const HOSTILE: &str = r#"
import os
import sys
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['file:sink'])
def good_first(record):
    return record['n'] % 10 == 0

@rule(logs=['load:event'], outputs=['file:sink'])
def loops(record):
    while record['n'] % 500 == 1:
        try:
            pass
        except BaseException:
            pass
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def eats_memory(record):
    if record['n'] % 500 == 2:
        hoard = []
        while True:
            hoard.append(bytearray(16 << 20))
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def exits(record):
    if record['n'] % 500 == 3:
        os._exit(0)
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def leaves(record):
    if record['n'] % 500 == 4:
        sys.exit(1)
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def raises(record):
    return record['no such key'] == 1

@rule(logs=['load:event'], outputs=['file:sink'])
def floods(record):
    print('x' * 10000)
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def forks(record):
    if record['n'] % 500 == 5:
        os.fork()
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def good_last(record):
    return record['n'] % 10 == 7
"#;

#[test]
fn good_rules_beside_hostile_ones_raise_every_alert() {
    let project = TestProject::new(HOSTILE);
    project.write("conf/outputs.json", r#"{"file": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        "[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n",
    );
    project.append_events("logs/events.jsonl", 0, EVENTS, |_| "noise");
    // A file that does not parse costs only itself.
    project.write("rules/broken.py", "def broken(:\n");
    let output = project.run(&[
        "ingest",
        "--json",
        "--source",
        "kinesis:stream",
        "logs/events.jsonl",
    ]);
    // The run says no, because of the file that does not parse; everything else is complete.
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        summary["not_loaded"][0]
            .as_str()
            .unwrap()
            .starts_with("rules/broken.py:1"),
        "{summary}"
    );
    let rules = &summary["rules"];
    for good in ["good_first", "good_last"] {
        assert_eq!(rules[good]["alerts"], (EVENTS / 10) as u64, "{summary}");
        assert_eq!(rules[good]["kills"], 0, "{summary}");
    }
    for hostile in ["loops", "eats_memory", "exits"] {
        assert!(
            rules[hostile]["kills"].as_u64().unwrap() >= 3,
            "{hostile}: {summary}"
        );
        assert!(
            rules[hostile]["suspended"].as_u64().unwrap() > 0,
            "{hostile} is not suspended: {summary}"
        );
    }
    assert_eq!(rules["raises"]["exceptions"], EVENTS as u64, "{summary}");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        log.contains("rules/broken.py"),
        "the broken file is not named:\n{log}"
    );
    let delivered = std::fs::read_to_string(project.path("alerts.jsonl")).unwrap();
    assert_eq!(delivered.lines().count(), EVENTS / 5);
}
