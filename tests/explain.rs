//! What the old system answered, through the binary's `explain --json`.

use std::process::Command;

use streamalert_testkit::{golden_path, shared_dir};

/// Runs `explain --json` on a golden input file and has the judge of the golden files compare.
fn agrees(conf: &str, name: &str) {
    let (Some(golden), Some(inputs), Some(conf)) = (
        golden_path(&format!("{name}.jsonl")),
        golden_path(&format!("{name}.inputs.jsonl")),
        golden_path(conf),
    ) else {
        println!("skipped: no golden files here");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(crate::support::binary())
        .current_dir(dir.path())
        .args(["explain", "--json", "--conf"])
        .arg(conf)
        .arg("--in")
        .arg(inputs)
        .output()
        .unwrap();
    let answers = dir.path().join("answers.jsonl");
    std::fs::write(&answers, crate::support::stdout(&output)).unwrap();
    let judge = shared_dir().unwrap().join("golden/compare.py");
    let verdict = Command::new("python3")
        .arg(judge)
        .arg(golden)
        .arg(answers)
        .args(["--level", "records"])
        .output()
        .unwrap();
    let verdict = crate::support::stdout(&verdict);
    println!("{name}: {verdict}");
    assert!(verdict.contains(" 0 differ, 0 missing"), "{verdict}");
}

#[test]
fn variants_of_every_shipped_schema_are_classified_as_recorded() {
    agrees("conf", "all_schemas");
}

#[test]
fn real_cloudtrail_is_classified_as_recorded() {
    agrees("conf-real", "real_cloudtrail");
}

#[test]
fn a_line_that_no_schema_takes_is_told_its_nearest_schema_and_the_difference() {
    let project = crate::support::TestProject::new("");
    let told = crate::support::stdout(&project.run(&[
        "explain",
        "--source",
        "kinesis:stream",
        r#"{"n": 1, "grp": "x"}"#,
    ]));
    for word in [
        "no schema matches",
        "nearest is load:event",
        "missing: group, kind",
        "unexpected: grp",
    ] {
        assert!(told.contains(word), "{word:?} is not in:\n{told}");
    }
}
