//! `streamalert bench` on rules: what is shipped to measure with must be what the figures are said to be about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{TestProject, binary, stdout};

fn typical() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/rules/typical")
}

fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(binary())
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// A corpus of the typical mix in a folder of its own.
fn corpus(dir: &Path, mix: &str, events: &str) -> String {
    let file = dir.join("corpus.jsonl.gz").display().to_string();
    stdout(&run(
        dir,
        &[
            "bench", "corpus", "--mix", mix, "--events", events, "--out", &file,
        ],
    ));
    file
}

#[test]
fn forty_typical_rules_load_without_a_warning() {
    let output = run(&typical(), &["validate"]);
    let out = stdout(&output);
    assert!(out.contains("41 rules; 0 errors, 0 warnings"), "{out}");
    let listed = stdout(&run(&typical(), &["rules", "list", "--json"]));
    let enabled = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|rule| rule["state"] == "enabled")
        .count();
    assert_eq!(enabled, 40, "{listed}");
}

#[test]
fn every_test_event_passes_and_every_typical_rule_fires() {
    let out = stdout(&run(&typical(), &["test"]));
    assert!(out.trim_end().ends_with("96 passed, 0 failed"), "{out}");
    assert!(!out.contains("no test event for"), "{out}");
    assert!(!out.contains("raised"), "{out}");
}

#[test]
fn seven_typical_rules_apply_to_an_event_and_cpython_comes_to_the_same_alerts() {
    let dir = tempfile::tempdir().unwrap();
    let input = corpus(dir.path(), "typical", "3000");
    for stage in ["rules", "all"] {
        let args = [
            "bench",
            "--stage",
            stage,
            "--in",
            &input,
            "--passes",
            "1",
            "--compare",
            "cpython",
            "--threads",
            "2",
            "--json",
        ];
        let report = json(&run(&typical(), &args));
        assert_eq!(report["stage"], stage);
        assert_eq!(
            (report["rules"].as_u64(), report["events"].as_u64()),
            (Some(40), Some(3_000))
        );
        let pairs = report["pairs_per_event"].as_f64().unwrap();
        assert!((6.7..7.3).contains(&pairs), "{pairs}");
        assert_eq!(report["exceptions"], 0, "{}", report["exceptions_by_rule"]);
        assert_eq!(report["alerts"], report["cpython"]["alerts"]);
        assert!(
            report["alerts"].as_u64().unwrap() > 0,
            "nothing is measured where nothing fires"
        );
        for side in [&report, &report["cpython"]] {
            for key in ["events_per_core_s", "bytes_per_core_s", "ns_per_pair"] {
                assert!(side[key].as_f64().unwrap() > 0.0, "{key}: {side}");
            }
        }
        assert!(report["threads"]["scaling"].as_f64().unwrap() > 0.0);
        assert_eq!(report["cpython"]["slowest"].as_array().unwrap().len(), 10);
    }
}

#[test]
fn generated_rules_load_without_a_warning_and_ninety_of_five_hundred_apply_to_cloudtrail() {
    let dir = tempfile::tempdir().unwrap();
    let made = run(
        dir.path(),
        &[
            "bench",
            "rules-generate",
            "--count",
            "500",
            "--out",
            "set",
            "--json",
        ],
    );
    assert_eq!(json(&made)["cloudtrail"], 90);
    let root = dir.path().join("set");
    let out = stdout(&run(&root, &["validate"]));
    assert!(out.contains("500 rules; 0 errors, 0 warnings"), "{out}");
    let input = corpus(dir.path(), "cloudtrail", "4000");
    let report = json(&run(
        &root,
        &[
            "bench", "--stage", "rules", "--in", &input, "--passes", "1", "--json",
        ],
    ));
    assert_eq!(report["pairs_per_event"], 90.0);
    assert_eq!(report["exceptions"], 0, "{}", report["exceptions_by_rule"]);
    // About one in a thousand.
    let alerts = report["alerts"].as_u64().unwrap();
    assert!((1..=20).contains(&alerts), "{alerts}");
    let again = run(dir.path(), &["bench", "rules-generate", "--out", "set"]);
    assert!(
        !again.status.success(),
        "rules that are there are not overwritten"
    );
}

#[test]
fn every_generated_template_has_a_rule_for_each_log_type_of_the_mix() {
    let dir = tempfile::tempdir().unwrap();
    stdout(&run(
        dir.path(),
        &["bench", "rules-generate", "--count", "200", "--out", "set"],
    ));
    let input = corpus(dir.path(), "typical", "2000");
    let report = json(&run(
        &dir.path().join("set"),
        &[
            "bench",
            "--stage",
            "rules",
            "--in",
            &input,
            "--passes",
            "1",
            "--compare",
            "cpython",
            "--json",
        ],
    ));
    assert_eq!(report["exceptions"], 0, "{}", report["exceptions_by_rule"]);
    assert_eq!(report["alerts"], report["cpython"]["alerts"]);
}

#[test]
fn rules_without_a_project_are_measured_with_the_built_in_schemas() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    let rule = "from streamalert.shared.rule import rule\n\n@rule(logs=['cloudtrail:events'])\ndef reads(rec):\n    return rec['readOnly']\n";
    std::fs::write(rules.join("reads.py"), rule).unwrap();
    let args = [
        "bench", "--stage", "rules", "--rules", "rules", "--events", "200", "--passes", "1", "--json",
    ];
    let report = json(&run(dir.path(), &args));
    assert_eq!(
        (report["events"].as_u64(), report["rules"].as_u64()),
        (Some(200), Some(1))
    );
    // Four of the five calls that are generated when there is no input only read.
    assert_eq!(report["alerts"], 160);
}

#[test]
fn alerts_that_differ_are_a_failure_that_names_the_rule() {
    let project = TestProject::new(
        "import os\nimport sys\nfrom streamalert.shared.rule import rule\n\n\
         # A worker is started with one argument, the process to compare with has another.\n\
         WORKER = not any('cpython.py' in argument for argument in sys.orig_argv)\n\n\n\
         @rule(logs=['load:event'])\ndef two_faced(rec):\n    return WORKER\n\n\n\
         @rule(logs=['load:event'])\ndef honest(rec):\n    return rec['n'] == 1\n",
    );
    let lines =
        r#"{"service": "kinesis", "resource": "stream", "data": {"n": 1, "group": "g", "kind": "k"}}"#;
    project.write("inputs.jsonl", lines);
    let output = project.run(&[
        "bench",
        "--stage",
        "rules",
        "--in",
        "inputs.jsonl",
        "--passes",
        "1",
        "--compare",
        "cpython",
    ]);
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("two_faced: 1 alerts, cpython 0"), "{told}");
    assert!(!told.contains("honest"), "{told}");
}

#[test]
fn the_names_of_typical_rules_are_those_of_their_files() {
    let mut files = BTreeSet::new();
    for folder in std::fs::read_dir(typical().join("rules")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() || folder.ends_with("helpers") {
            continue;
        }
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let python = path.with_extension("py");
                let name = path.file_stem().unwrap().to_str().unwrap();
                let text = std::fs::read_to_string(&python).unwrap();
                assert!(text.contains(&format!("def {name}(rec")), "{}", python.display());
                files.insert(name.to_owned());
            }
        }
    }
    assert_eq!(files.len(), 40);
}

#[test]
fn the_services_apart_come_to_the_same_alerts_and_their_computing_time_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let input = corpus(dir.path(), "typical", "2000");
    let args = [
        "bench", "--stage", "apart", "--in", &input, "--events", "2000", "--passes", "1", "--json",
    ];
    let report = json(&run(&typical(), &args));
    assert_eq!(report["records"], 2_000, "{report}");
    assert_eq!(report["left_out"], 0, "{report}");
    assert!(report["alerts"].as_u64().unwrap() > 0, "{report}");
    let shapes: Vec<&str> = report["shapes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shape| shape["shape"].as_str().unwrap())
        .collect();
    assert_eq!(shapes, ["one process", "four processes"]);
    assert!(
        report["shapes"][1]["ratio_median"].as_f64().unwrap() > 0.0,
        "{report}"
    );
}

#[test]
fn every_alert_of_an_open_loop_arrives_and_has_its_latency() {
    let dir = tempfile::tempdir().unwrap();
    let report = json(&run(
        dir.path(),
        &["bench", "--stage", "latency", "--seconds", "1", "--json"],
    ));
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4, "{report}");
    for run in runs {
        let sum: u64 = run["histogram"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["alerts"].as_u64().unwrap())
            .sum();
        assert_eq!(run["alerts"], sum, "{run}");
        assert!(
            sum > 0 && run["latency"]["p50_ms"].as_f64().unwrap() > 0.0,
            "{run}"
        );
    }
}
