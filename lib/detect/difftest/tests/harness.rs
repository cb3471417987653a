//! The harness sees what it is there to see.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

use std::path::{Path, PathBuf};

use streamalert_difftest::{Answer, Case, Known, Mode, Options, Outcome, Python, Subject, run};

fn options(mutant: Option<&str>) -> Options {
    Options {
        seed: 5,
        pairs: 3000,
        records: 10,
        reference: PathBuf::from("python3"),
        minor: 8,
        others: vec![PathBuf::from("python3")],
        native: false,
        mutant: mutant.map(str::to_owned),
        only: None,
        cases: Vec::new(),
        threads: 2,
        sorts_max: 1,
        known: Known::default(),
    }
}

#[test]
fn cpython_agrees_with_itself() {
    let report = run(&options(None)).unwrap();
    assert_eq!(report.pairs, 3000);
    assert_eq!(report.unexplained(), 0, "{report}");
    assert!(
        report.words["true"] > 300 && report.words["raised"] > 300,
        "{report}"
    );
}

#[test]
fn a_broken_or_is_caught_and_shrunk() {
    let report = run(&options(Some("or-is-bool"))).unwrap();
    assert!(report.unexplained() > 0);
    let shown = &report.differences[0];
    assert!(shown.case.source.contains(" or "), "{report}");
    assert!(shown.case.source.lines().count() < 12, "{report}");
    assert_eq!(shown.case.records.len(), 1);
}

#[test]
fn answers_tell_values_of_different_types_apart() {
    let source = "from streamalert.shared.rule import rule\n\
                  @rule(logs=['a:b'], context={})\ndef r0(rec, context):\n    context['x'] = [1, True, 1.0, '1', (1,), {1}]\n    \
                  return 'yes'\n\
                  @rule(logs=['a:b'])\ndef r1(rec):\n    return rec['missing']\n";
    let case = Case {
        source: source.to_owned(),
        records: vec!["{}".to_owned(), "[]".to_owned()],
        ..Case::default()
    };
    let outcome = Python::new(Path::new("python3"), "0", None).run(&case, Mode::IndexOff);
    let Ok(Outcome::Loaded(rules, answers)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(rules, ["r0", "r1"]);
    let Answer::Ran(ran) = &answers[0][0] else {
        panic!("{answers:?}");
    };
    assert_eq!(
        ran.context.as_deref(),
        Some(r#"{"x":[1,true,1.0,"1",(1),set<1>]}"#)
    );
    assert_eq!(answers[0][1].to_string(), "KeyError: 'missing'");
    assert_eq!(answers[1], [Answer::Unreadable, Answer::Unreadable]);
}
