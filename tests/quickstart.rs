//! The example that newcomers run first: what must come of it stands in its `expected.json`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart")
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_name() == ".streamalert" {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn ingest(dir: &Path) -> Value {
    let output = Command::new(crate::support::binary())
        .current_dir(dir)
        .args(["ingest", "--json"])
        .output()
        .unwrap();
    serde_json::from_str(&crate::support::stdout(&output)).unwrap()
}

fn lines(path: PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_example_gives_exactly_what_its_story_says_and_nothing_a_second_time() {
    let dir = tempfile::tempdir().unwrap();
    copy(&example(), dir.path());
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("expected.json")).unwrap()).unwrap();
    let first = ingest(dir.path());
    assert_eq!(first["records"], expected["records"]);
    assert_eq!(first["dead_letters"], expected["dead_letters"]);
    for (rule, alerts) in expected["alerts"].as_object().unwrap() {
        assert_eq!(&first["rules"][rule]["alerts"], alerts, "alerts of {rule}");
    }
    let groups: u64 = expected["merged_alerts"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(first["merged"], groups);
    for name in ["alerts", "urgent"] {
        let delivered = lines(dir.path().join(format!(".streamalert/{name}.jsonl")));
        assert_eq!(
            delivered.len() as u64,
            expected["deliveries"][format!("file:{name}")].as_u64().unwrap()
        );
    }
    let again = ingest(dir.path());
    assert_eq!(again["alerts"], 0, "{again}");
    assert_eq!(again["outputs"], serde_json::json!({}), "{again}");
}

#[test]
fn every_test_event_of_the_example_passes() {
    let output = Command::new(crate::support::binary())
        .current_dir(example())
        .arg("test")
        .output()
        .unwrap();
    let told = crate::support::stdout(&output);
    let last = told.lines().last().unwrap_or_default();
    assert!(last.ends_with(" passed, 0 failed"), "{told}");
}

#[test]
fn the_example_is_valid() {
    let output = Command::new(crate::support::binary())
        .current_dir(example())
        .arg("validate")
        .output()
        .unwrap();
    assert!(
        crate::support::stdout(&output).contains("0 errors, 0 warnings"),
        "{output:?}"
    );
}

#[test]
fn killed_while_it_delivers_the_example_still_writes_every_alert_once() {
    for lines_at_kill in [1, 5, 12] {
        let dir = tempfile::tempdir().unwrap();
        copy(&example(), dir.path());
        let alerts = dir.path().join(".streamalert/alerts.jsonl");
        let mut run = Command::new(crate::support::binary())
            .current_dir(dir.path())
            .arg("ingest")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let written = || std::fs::read_to_string(&alerts).map_or(0, |text| text.lines().count());
        while written() < lines_at_kill && run.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        run.kill().unwrap();
        run.wait().unwrap();
        ingest(dir.path());
        for (name, expected) in [("alerts", 16), ("urgent", 6)] {
            let delivered = lines(dir.path().join(format!(".streamalert/{name}.jsonl")));
            assert_eq!(
                delivered.len(),
                expected,
                "{name}, killed after {lines_at_kill} lines"
            );
        }
        let history = dir.path().join(".streamalert/history");
        assert_eq!(
            lines_below(&history),
            70,
            "history, killed after {lines_at_kill} lines"
        );
    }
}

/// Lines of all files below a folder.
fn lines_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                lines_below(&path)
            } else {
                std::fs::read_to_string(path).unwrap().lines().count()
            }
        })
        .sum()
}
