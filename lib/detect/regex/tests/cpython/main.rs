//! Compares with the real CPython: hand-written pairs, generated ones and whole alphabets.
//!
//! `STREAMALERT_PYTHON` names another interpreter than `python3`; `STREAMALERT_REGEX_PATTERNS` and
//! `STREAMALERT_REGEX_SEED` make a longer run.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and tell what it compared"
)]

mod compare;
mod generate;
mod oracle;

use compare::Tally;
use generate::Generator;
use oracle::{Case, Oracle};
use serde_json::{Value, json};
use streamalert_regex::{Flags, Limits, Pattern, PyVersion};

/// Generated patterns of the default run, each with ten texts.
const PATTERNS: usize = 6_000;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn run(cases: Vec<Case>) -> Option<Tally> {
    let mut oracle = Oracle::start()?;
    let version = oracle.version();
    let mut tally = Tally::default();
    for chunk in cases.chunks(250) {
        let answers = oracle.ask(chunk.iter().map(Case::to_json).collect());
        for (case, answer) in chunk.iter().zip(answers) {
            compare::pattern(case, &answer, version, &mut tally);
        }
    }
    println!("3.{}: {}", version.minor, tally.summary());
    Some(tally)
}

/// The hand-written list: `[pattern, flags, [text, ...], template]`.
fn nasty() -> Vec<Case> {
    let list: Value = serde_json::from_str(include_str!("nasty.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| Case {
            pattern: text(&entry[0]),
            flags: entry[1].as_u64().unwrap() as u32,
            texts: entry[2]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| (text(one), 1, 3))
                .collect(),
            template: entry.get(3).map_or_else(|| "<\\g<0>>".to_owned(), text),
            count: 0,
        })
        .collect()
}

#[test]
fn hand_written_patterns_match_as_in_cpython() {
    let Some(tally) = run(nasty()) else { return };
    assert!(tally.pairs >= 300 && tally.limited == 0, "{}", tally.summary());
    assert!(tally.differences.is_empty(), "{:#?}", tally.shown());
}

#[test]
fn generated_patterns_match_as_in_cpython() {
    let mut generator = Generator::new(number("STREAMALERT_REGEX_SEED", 1) as u64);
    let patterns = number("STREAMALERT_REGEX_PATTERNS", PATTERNS);
    let mut left = patterns;
    while left > 0 {
        let batch = left.min(5_000);
        left -= batch;
        let Some(tally) = run((0..batch).map(|_| generator.case()).collect()) else {
            return;
        };
        assert!(tally.pairs * 10 > batch * 50, "{}", tally.summary());
        assert!(
            tally.limited * 1_000 < tally.pairs,
            "short texts reach the limit: {}",
            tally.summary()
        );
        assert!(tally.differences.is_empty(), "{:#?}", tally.shown());
        assert!(
            tally.untranslatable * 3 < batch,
            "too few patterns are translated: {}",
            tally.summary()
        );
    }
}

#[test]
fn damaged_patterns_are_errors_as_in_cpython() {
    let mut generator = Generator::new(number("STREAMALERT_REGEX_SEED", 1) as u64 + 7);
    let batch = number("STREAMALERT_REGEX_PATTERNS", PATTERNS) / 2;
    let Some(tally) = run((0..batch).map(|_| generator.damaged()).collect()) else {
        return;
    };
    assert!(tally.invalid * 10 > batch, "{}", tally.summary());
    assert!(tally.differences.is_empty(), "{:#?}", tally.shown());
}

#[test]
fn every_character_has_the_category_and_the_case_of_cpython() {
    let Some(mut oracle) = Oracle::start() else { return };
    let version = oracle.version();
    let answer = oracle.ask(vec![json!("classes")]).remove(0);
    for (name, pattern) in [("d", r"\d"), ("s", r"\s"), ("w", r"\w")] {
        let pattern = Pattern::compile(pattern, Flags::NONE, version, &Limits::default()).unwrap();
        let mut wanted = vec![false; 0x11_0000];
        for range in answer[name].as_array().unwrap() {
            let (low, high) = (
                range[0].as_u64().unwrap() as usize,
                range[1].as_u64().unwrap() as usize,
            );
            wanted[low..=high].fill(true);
        }
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            let found = pattern.is_match(c.encode_utf8(&mut [0; 4])).unwrap();
            assert_eq!(
                found, wanted[c as usize],
                "{name} of {:x} in {version:?}",
                c as u32
            );
        }
    }
}

#[test]
fn every_letter_matches_the_letters_that_it_matches_in_cpython() {
    let Some(mut oracle) = Oracle::start() else { return };
    let is_cased = |c: &char| c.to_lowercase().next() != Some(*c) || c.to_uppercase().next() != Some(*c);
    let letters: String = (0..0x11_0000)
        .filter_map(char::from_u32)
        .filter(is_cased)
        .collect();
    let answer = oracle.ask(vec![json!({"letters": letters})]).remove(0);
    compare::case(&letters, &answer, oracle.version());
}

#[test]
fn an_unknown_version_of_python_is_not_translated() {
    for minor in [7, 14] {
        let result = Pattern::compile("a", Flags::NONE, PyVersion { minor }, &Limits::default());
        assert!(result.is_err());
    }
}
