//! What the generator promises.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use streamalert_difftest::{Generator, Rng};

/// Names that the writer counts beside the grammar's.
const FURTHER: [&str; 16] = [
    "call of a defined function",
    "wrong type",
    "field []",
    "field get",
    "field get with default",
    "field get or default",
    "field [] in object",
    "field get {} in object",
    "field get or {} in object",
    "field get in object",
    "field get_first_key",
    "field get_first_key with default",
    "rule matchers",
    "rule req_subkeys",
    "rule context",
    "rule dynamic_outputs",
];

#[test]
fn the_same_seed_makes_the_same_program_and_records() {
    let (one, two) = (Generator::new(11).unwrap(), Generator::new(11).unwrap());
    let mut sources = BTreeSet::new();
    for seed in 0..50 {
        let (one, two) = (one.program(seed), two.program(seed));
        assert_eq!(one.source, two.source);
        assert_eq!(one.records(seed, 9), two.records(seed, 9));
        assert_ne!(one.records(seed, 9), one.records(seed + 1, 9));
        sources.insert(one.source);
    }
    assert_eq!(sources.len(), 50, "different seeds make different programs");
}

#[test]
fn programs_in_the_thousands_use_every_production() {
    let generator = Generator::new(11).unwrap();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..5000 {
        let program = generator.program(Rng::part(1, number).next());
        for (name, count) in program.coverage {
            *counts.entry(name).or_default() += count;
        }
    }
    let unused: Vec<&str> = generator
        .productions()
        .into_iter()
        .chain(FURTHER)
        .filter(|name| !counts.contains_key(*name))
        .collect();
    assert!(unused.is_empty(), "never used: {unused:?}");
}

/// The oldest CPython at hand, which programs for 3.8 must compile in.
fn oldest() -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    let installed = std::path::Path::new(&home).join(".pyenv/versions/3.8.18/bin/python");
    if installed.exists() {
        installed.display().to_string()
    } else {
        "python3".to_owned()
    }
}

#[test]
fn every_program_compiles() {
    let generator = Generator::new(8).unwrap();
    let mut child = Command::new(oldest())
        .args([
            "-c",
            "import sys\nfor at, text in enumerate(sys.stdin.read().split('\\0')):\n    try:\n        compile(text, '', 'exec')\n    \
             except SyntaxError as error:\n        print(at, error)\n",
        ])
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let programs: Vec<String> = (0..1500)
        .map(|number| generator.program(Rng::part(2, number).next()).source)
        .collect();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(programs.join("\0").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}
