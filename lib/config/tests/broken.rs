//! Broken configurations and what is said of them. Each folder of `fixtures/broken` holds a configuration and
//! `expected.txt`, one complaint a line. `UPDATE_EXPECTED=1` writes the files anew, for a look at the difference.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::path::Path;

use streamalert_config::{Conf, Known, Located, Problem, RuleReference, Settings, Severity, validate};

const LOG_TYPES: [&str; 4] = [
    "cloudtrail:events",
    "duo:authentication",
    "osquery:differential",
    "osquery:status",
];

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path)
        .map(|text| text.lines().map(str::to_owned).collect())
        .unwrap_or_default()
}

fn rules(case: &Path) -> Vec<RuleReference> {
    lines(&case.join("rules.txt"))
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            RuleReference {
                file: words[0].into(),
                line: words[1].parse().unwrap(),
                rule: words[2].into(),
                logs: vec![words[3].into()],
                outputs: vec![words[4].into()],
                ..RuleReference::default()
            }
        })
        .collect()
}

fn complaints(case: &Path) -> Vec<String> {
    let file = case.join("streamalert.toml");
    let env = lines(&case.join("env.txt"));
    let env = env.iter().map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    let settings = Settings::load(
        file.is_file().then_some(&*file),
        env,
        &lines(&case.join("flags.txt")),
    );
    let show = |problems: &[Problem]| -> Vec<String> { problems.iter().map(Problem::to_string).collect() };
    let mut said = settings
        .as_ref()
        .err()
        .map(|problems| show(problems))
        .unwrap_or_default();
    let conf_dir = case.join("conf");
    if conf_dir.is_dir() {
        let conf = Conf::examine(&conf_dir).unwrap();
        let log_types = LOG_TYPES.map(str::to_owned);
        let known = Known {
            log_types: &log_types,
            rules: &rules(case),
            publishers: &[],
        };
        let report = validate(&conf, &settings.unwrap_or_default(), &known);
        assert_eq!(
            Conf::load(&conf_dir).is_err(),
            conf.problems.iter().any(Problem::is_error)
        );
        said.extend(show(&report.problems));
        said.extend(report.ignored.iter().map(ToString::to_string));
    }
    let prefix = format!("{}/", case.display());
    said.iter().map(|line| line.replace(&prefix, "")).collect()
}

#[test]
fn every_broken_configuration_is_complained_of_with_file_line_key_and_fix() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken");
    let mut cases: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 8, "fixtures are missing");
    for case in cases {
        let said = complaints(&case);
        let expected = case.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, said.join("\n") + "\n").unwrap();
        }
        assert_eq!(said, lines(&expected), "{}", case.display());
        assert!(!said.is_empty(), "{} is not broken", case.display());
    }
}

#[test]
fn a_missing_directory_is_one_clear_error() {
    let problems = Conf::load(Path::new("no/such/conf")).unwrap_err();
    let line = problems[0].to_string();
    assert!(
        line.starts_with("no/such/conf: the configuration directory cannot be read"),
        "{line}"
    );
    assert!(
        line.ends_with("name another with --conf DIR or conf.dir"),
        "{line}"
    );
}

#[test]
fn a_file_cut_off_anywhere_is_a_complaint_and_not_a_crash() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken");
    let dir = tempfile::tempdir().unwrap();
    let toml = dir.path().join("streamalert.toml");
    for case in ["settings-keys", "settings-sense"] {
        let text = fs::read_to_string(root.join(case).join("streamalert.toml")).unwrap();
        for end in 0..text.len() {
            fs::write(&toml, &text.as_bytes()[..end]).unwrap();
            if let Err(problems) = Settings::load(Some(&toml), std::iter::empty(), &[]) {
                assert!(
                    problems.iter().all(|problem| problem.line > 0),
                    "{end}: {problems:?}"
                );
            }
        }
    }
    let text = fs::read_to_string(root.join("references/conf/threat_intel.json")).unwrap();
    for end in 0..text.trim_end().len() {
        let problem = Located::parse("x.json", &text[..end]).unwrap_err();
        assert!(problem.line > 0 && !problem.fix.is_empty(), "{end}: {problem}");
    }
}

#[test]
fn what_the_schema_library_finds_is_placed_on_the_line_of_its_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken");
    let conf = Conf::examine(&root.join("unknown-keys/conf")).unwrap();
    let path = ["parser".to_owned()];
    let problem = conf.schema_problem(Severity::Error, "osquery:status", &path, "unknown parser");
    let line = problem.to_string();
    assert!(
        line.ends_with("conf/schemas/b.json:2:49: osquery:status.parser: unknown parser"),
        "{line}"
    );
    let built_in = conf.schema_problem(Severity::Warning, "pan:traffic", &path, "odd");
    assert_eq!(
        built_in.to_string(),
        "built-in schemas: warning: pan:traffic.parser: odd"
    );
}
