//! Rules written to hurt, evaluated natively: each costs itself a strike or an exception, and nobody else anything.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::{ServiceProcess, ServiceSpec};
use tokio::time::Instant;

use crate::support::{PATIENCE, TestProject, binary, stdout};

const HOSTILE: &str = r#"
import itertools
import re
from streamalert.shared.rule import rule

TABLE = {'seen': []}
LONG = 'a' * 100000 + '!'

@rule(logs=['load:event'], outputs=['file:sink'])
def good(record):
    return record['n'] % 10 == 0

@rule(logs=['load:event'], outputs=['file:sink'])
def power(record):
    return record['n'] % 10 == 1 and 10 ** 10 ** (10 + record['n']) > 0

@rule(logs=['load:event'], outputs=['file:sink'])
def long_text(record):
    return record['n'] % 10 == 2 and len('a' * 10 ** 12 * record['n']) > 0

@rule(logs=['load:event'], outputs=['file:sink'])
def backtracks(record):
    return record['n'] % 10 == 3 and bool(re.match(r'(a+)+$', LONG))

@rule(logs=['load:event'], outputs=['file:sink'])
def endless(record):
    if record['n'] % 10 == 4:
        for _ in itertools.count():
            pass
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def spins(record):
    while record['n'] % 10 == 4:
        try:
            pass
        except:
            pass
    return False

def deeper(number):
    return deeper(number + 1)

@rule(logs=['load:event'], outputs=['file:sink'])
def recursive(record):
    return record['n'] % 10 == 5 and deeper(0)

@rule(logs=['load:event'], outputs=['file:sink'])
def changes_the_record(record):
    if record['n'] % 10 == 0:
        record['n'] = 7
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def changes_a_constant(record):
    if record['n'] % 10 == 0:
        TABLE['seen'].append(record['n'])
    return False

@rule(logs=['load:event'], outputs=['file:sink'])
def good_after(record):
    return record['n'] % 10 == 0
"#;

fn project(rules: &str) -> TestProject {
    let project = TestProject::new(rules);
    project.write("conf/outputs.json", r#"{"file": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        "[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n[python]\nworkers = 1\n[rules]\nsteps_max = 50000\n",
    );
    project
}

fn ingest(project: &TestProject) -> (Value, String) {
    let output = project.run(&[
        "ingest",
        "--json",
        "--source",
        "kinesis:stream",
        "logs/events.jsonl",
    ]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{log}"));
    (summary, log)
}

#[test]
fn what_hurts_ends_by_itself_and_good_rules_raise_every_alert() {
    let project = project(HOSTILE);
    project.append_events("logs/events.jsonl", 0, 200, |_| "noise");
    let (summary, log) = ingest(&project);
    let rules = &summary["rules"];
    for good in ["good", "good_after"] {
        assert_eq!(rules[good]["alerts"], 20, "{summary}\n{log}");
    }
    for over in ["power", "long_text", "endless", "spins"] {
        let kills = rules[over]["kills"].as_u64().unwrap_or(0);
        let raised = rules[over]["exceptions"].as_u64().unwrap_or(0);
        assert!(kills >= 3 || raised == 20, "{over}: {summary}\n{log}");
    }
    assert!(rules["spins"]["suspended"].as_u64().unwrap() > 0, "{summary}");
    assert!(log.contains("rule is suspended"), "{log}");
    assert_eq!(rules["recursive"]["exceptions"], 20, "{summary}\n{log}");
    let letters = stdout(&project.run(&["dead-letter", "list", "--json"]));
    assert!(
        letters.contains("rule spins gave no answer: over the limit of 50000 steps"),
        "{letters}"
    );
}

#[test]
fn a_file_of_a_megabyte_and_ten_thousand_rules_load_natively() {
    let mut rules = String::from("from streamalert.shared.rule import rule\n");
    for number in 0..10_000 {
        let _ = write!(
            rules,
            "\n@rule(logs=['load:event'], outputs=['file:sink'])\ndef rule_{number}(record):\n    \
             return record['n'] == {number} and record['kind'] == 'noise'\n"
        );
    }
    assert!(rules.len() > 1_000_000, "{}", rules.len());
    let project = project(&rules);
    project.append_events("logs/events.jsonl", 0, 100, |_| "noise");
    let (summary, log) = ingest(&project);
    assert_eq!(summary["alerts"], 100, "{log}");
}

#[test]
fn two_rules_of_one_name_are_told_with_both_places() {
    let one = "from streamalert.shared.rule import rule\n\n@rule(logs=['load:event'])\ndef twice(record):\n    return True\n";
    let project = project(one);
    project.write("rules/other.py", one);
    let output = project.run(&["rules", "list"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        log.contains("rules/load.py:3") && log.contains("rules/other.py:"),
        "{log}"
    );
}

/// Kilobytes of memory that a process holds.
fn resident_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_bounded_under_hostile_rules_and_load() {
    let secs = std::env::var("STREAMALERT_SOAK_SECS").map_or(20, |secs| secs.parse().unwrap());
    let project = project(HOSTILE);
    let settings = std::fs::read_to_string(project.path("streamalert.toml")).unwrap();
    project.write(
        "streamalert.toml",
        &format!(
            "{settings}suspend_secs = 1\n[listen]\nadmin = \"127.0.0.1:0\"\n[[sources]]\ntype = \"directory\"\n\
             service = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n"
        ),
    );
    let spec = ServiceSpec {
        binary: binary(),
        args: vec!["run".to_owned()],
        env: Vec::new(),
        dir: project.root().to_owned(),
        log_dir: project.root().to_owned(),
        name: "all".to_owned(),
    };
    let process = ServiceProcess::start(&spec, Some("ready"), PATIENCE)
        .await
        .unwrap();
    let id = process.id().unwrap();
    let ends = Instant::now() + Duration::from_secs(secs);
    let (mut sent, mut most) = (0, 0);
    while Instant::now() < ends {
        project.append_events("logs/events.jsonl", sent, 200, |_| "noise");
        sent += 200;
        most = most.max(resident_kb(id));
        assert!(most < 600 << 10, "{most} kB after {sent} records");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let deadline = Instant::now() + PATIENCE;
    let alerts =
        || std::fs::read_to_string(project.path("alerts.jsonl")).map_or(0, |text| text.lines().count());
    while alerts() < sent / 5 {
        assert!(Instant::now() < deadline, "{} of {} alerts", alerts(), sent / 5);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
