//! `streamalert rules new`, `rules lint` and `rules stubs` on whole projects.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use crate::support::{TestProject, binary, stdout};

const RULES: &str = r#"
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['file:alerts'])
def everything(record):
    """Fires on each event"""
    return True
"#;

fn project(rules: &str) -> TestProject {
    let project = TestProject::new(rules);
    project.write("conf/outputs.json", r#"{"file": ["alerts"]}"#);
    project.write("rules/__init__.py", "");
    project.write(
        "rules/load.json",
        r#"[{"description": "an event", "log": "load:event", "service": "kinesis", "source": "stream",
            "data": {"n": 1, "group": "g", "kind": "example"}, "trigger_rules": ["everything"]}]"#,
    );
    project
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

#[test]
fn a_new_rule_passes_its_test_and_the_whole_project_still_does() {
    let project = project(RULES);
    let out = stdout(&project.run(&["rules", "new", "no_mfa", "--log", "load:event"]));
    assert!(out.contains("wrote rules/no_mfa.py"), "{out}");
    assert_eq!(last_line(&out), "2 passed, 0 failed", "{out}");
    let rule = std::fs::read_to_string(project.path("rules/no_mfa.py")).unwrap();
    assert!(rule.contains("outputs=['file:alerts']"), "{rule}");
    assert!(
        rule.contains("return record['kind'] == 'NoMfaExample'") || rule.contains("record['group']"),
        "{rule}"
    );
    let all = stdout(&project.run(&["test"]));
    assert_eq!(last_line(&all), "3 passed, 0 failed", "{all}");
    let lint = stdout(&project.run(&["rules", "lint"]));
    assert_eq!(last_line(&lint), "3 files, 0 errors, 0 warnings", "{lint}");
}

#[test]
fn a_new_rule_can_be_made_for_every_source_of_the_example_project() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("quickstart");
    let copied = Command::new("cp")
        .arg("-r")
        .args([&example, &root])
        .status()
        .unwrap();
    assert!(copied.success());
    let run = |args: &[&str]| {
        Command::new(binary())
            .arg("-C")
            .arg(&root)
            .args(args)
            .output()
            .unwrap()
    };
    for (name, log, more) in [
        (
            "made_for_trail",
            "cloudtrail:events",
            "--matcher=matchers.aws.ApiCall.by_a_person",
        ),
        ("made_for_flow", "cloudwatch:flow_logs", "--output=file:urgent"),
        ("made_for_syslog", "syslog:linux", "--dir=rules/host"),
        ("made_for_osquery", "osquery:differential", "--no-test"),
    ] {
        let _ = stdout(&run(&["rules", "new", name, "--log", log, more]));
    }
    let lint = stdout(&run(&["rules", "lint"]));
    assert!(last_line(&lint).ends_with("0 errors, 0 warnings"), "{lint}");
    let all = stdout(&run(&["test"]));
    assert!(last_line(&all).ends_with(", 0 failed"), "{all}");
}

#[test]
fn what_cannot_be_made_is_refused_with_a_hint_and_nothing_is_written() {
    let project = project(RULES);
    project.write("rules/there.json", "[]");
    for (args, expected) in [
        (
            ["everything", "--log", "load:event"],
            "everything is already defined in rules/load.py:5",
        ),
        (
            ["there", "--log", "load:event"],
            "rules/there.json exists, and is not overwritten",
        ),
        (["no-mfa", "--log", "load:event"], "\"no_mfa\" would be one"),
        (["class", "--log", "load:event"], "not a name for a function"),
        (["1st", "--log", "load:event"], "not a name for a function"),
        (["new", "--log", "load:evnt"], "did you mean \"load:event\"?"),
        (["new", "--log", "load"], "\"load\" has load:event"),
        (
            ["new", "--log", "okta:logevents"],
            "no source reads okta:logevents",
        ),
    ] {
        let output = project.run(&[&["rules", "new"], &args[..]].concat());
        let out = told(&output);
        assert!(
            !output.status.success() && out.contains(expected),
            "{args:?}: {out}"
        );
    }
    for (option, expected) in [
        ("--output=file:alrts", "did you mean \"file:alerts\"?"),
        ("--matcher=matchers.none.x", "no such matcher"),
        ("--dir=elsewhere", "nothing would load it"),
        ("--dir=rules/load", "rules/load.py has its name"),
    ] {
        let out = told(&project.run(&["rules", "new", "new", "--log", "load:event", option]));
        assert!(out.contains(expected), "{option}: {out}");
    }
    assert!(!project.path("rules/new.py").exists());
    assert!(!project.path("elsewhere").exists());
}

const BAD: &str = r#"
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['file:alrts'])
def misspelt(record):
    """Wrong in two places"""
    return record['knd'] == 'x'

@rule(logs=['load:event'], outputs=['file:alerts'])
def untested(record):
    """Fine but for its test"""
    return record['n'] == 3
"#;

#[test]
fn lint_knows_the_projects_schemas_outputs_and_tests() {
    let project = project(BAD);
    let output = project.run(&["rules", "lint", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let out = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["line"].as_u64().unwrap(),
                row["code"].as_str().unwrap(),
                row["rule"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (4, "SA113", "misspelt"),
            (5, "SA602", "misspelt"),
            (7, "SA201", "misspelt"),
            (10, "SA602", "untested")
        ]
    );
    assert_eq!(rows[2]["fix"], "did you mean 'kind'?");
}

#[test]
fn lint_of_one_rule_tells_of_that_rule_only_and_warnings_do_not_fail() {
    let project = project(BAD);
    let out = stdout(&project.run(&["rules", "lint", "untested"]));
    assert_eq!(last_line(&out), "2 files, 0 errors, 1 warning", "{out}");
    let of_file = project.run(&["rules", "lint", "rules/load.py"]);
    assert!(
        last_line(&told(&of_file)).ends_with("2 errors, 2 warnings"),
        "{}",
        told(&of_file)
    );
    assert!(told(&project.run(&["rules", "lint", "nobody"])).contains("nor a rule: \"nobody\""));
    assert!(told(&project.run(&["rules", "lint", "rules/none.py"])).contains("no such file"));
}

#[test]
fn the_examples_rules_have_nothing_to_mend() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    let output = Command::new(binary())
        .arg("-C")
        .arg(example)
        .args(["rules", "lint"])
        .output()
        .unwrap();
    let out = stdout(&output);
    assert!(last_line(&out).ends_with("0 errors, 0 warnings"), "{out}");
}

/// `test --watch` on a project, line by line.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Watching {
    fn start(project: &TestProject) -> Self {
        let mut child = Command::new(binary())
            .args(["test", "--watch"])
            .current_dir(project.root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What a run says of itself, and whether it needed CPython.
    fn run(&mut self) -> (String, bool) {
        let mut with_python = false;
        for line in self.lines.by_ref().map_while(Result::ok) {
            with_python |= line.contains("loading with CPython");
            if let Some((ran, _)) = line.split_once(" ms; waiting for changes") {
                return (ran.rsplit_once(", ").unwrap().0.to_owned(), with_python);
            }
        }
        panic!("it ended by itself");
    }

    /// The sums of all runs.
    fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let mut out = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        self.child.wait().unwrap();
        let sums = out.lines().filter(|line| line.ends_with(" failed"));
        sums.map(str::to_owned).collect()
    }
}

fn touched(tests: &str) -> (String, bool) {
    (format!("ran what the change touches: {tests}"), false)
}

#[test]
fn watching_runs_again_what_an_edit_touches_and_nothing_else() {
    let project = project(RULES);
    let other = |answer: &str| {
        let text = RULES.replace("everything", "other").replace("True", answer);
        project.write("rules/other.py", &text);
    };
    other("record['kind'] == 'no'");
    let mut watching = Watching::start(&project);
    assert_eq!(watching.run(), ("ran everything: 1 test".to_owned(), false));
    project.write("rules/load.py", &RULES.replace("return True", "return False"));
    assert_eq!(watching.run(), touched("1 test"));
    other("record['kind'] == 'never'");
    assert_eq!(watching.run(), touched("0 tests"));
    // It fires where it must not, on the event of another rule.
    other("record['kind'] == 'example'");
    assert_eq!(watching.run(), touched("1 test"));
    project.write("rules/load.py", RULES);
    assert_eq!(watching.run(), touched("1 test"));
    project.write("conf/outputs.json", "{");
    assert!(watching.run().0.starts_with("ran everything"));
    assert_eq!(
        watching.end(),
        [
            "1 passed, 0 failed",
            "0 passed, 1 failed",
            "0 passed, 0 failed",
            "0 passed, 1 failed",
            "0 passed, 1 failed",
        ]
    );
}

#[test]
fn watching_follows_helpers_events_and_what_only_cpython_understands() {
    let project = project(
        &RULES
            .replace("return True", "return record['kind'] in KINDS")
            .replace("import rule\n", "import rule\nfrom helpers.kinds import KINDS\n"),
    );
    project.write("helpers/__init__.py", "");
    project.write("helpers/kinds.py", "KINDS = ['example']\n");
    project.write(
        "rules/other.py",
        &RULES.replace("everything", "other").replace("True", "False"),
    );
    project.write(
        "rules/other.json",
        r#"[{"description": "nothing", "log": "load:event", "service": "kinesis", "source": "stream",
            "data": {"n": 1, "group": "g", "kind": "x"}, "trigger_rules": []}]"#,
    );
    let mut watching = Watching::start(&project);
    assert_eq!(watching.run(), ("ran everything: 2 tests".to_owned(), false));
    project.write("helpers/kinds.py", "KINDS = ['none']\n");
    assert_eq!(watching.run(), touched("1 test"));
    // A loop at the module level is beyond the loader without Python.
    project.write(
        "helpers/kinds.py",
        "KINDS = []\nfor word in ['example']:\n    KINDS.append(word)\n",
    );
    let (ran, with_python) = watching.run();
    assert!(with_python && ran.ends_with("touches: 1 test"), "{ran}");
    let events = std::fs::read_to_string(project.path("rules/load.json")).unwrap();
    project.write("rules/load.json", &events.replace("\"example\"", "\"other\""));
    assert_eq!(watching.run(), touched("1 test"));
    assert_eq!(
        watching.end(),
        [
            "2 passed, 0 failed",
            "0 passed, 1 failed",
            "1 passed, 0 failed",
            "0 passed, 1 failed"
        ]
    );
}

#[test]
fn explain_tells_what_a_rule_calls_and_why_it_is_not_indexed() {
    let rules = RULES.replace("    return True", "    return small(record)")
        + "\n\ndef small(record):\n    for key in record:\n        if len(key) > 9:\n            return True\n    return False\n";
    let project = project(&rules);
    let out = stdout(&project.run(&["rules", "explain", "everything"]));
    for word in [
        "calls helper small (rules/load.py:10): native",
        "rules/load.py:7: the call of small() may raise",
    ] {
        assert!(out.contains(word), "{word:?} is not in:\n{out}");
    }
    let out = stdout(&project.run(&["rules", "explain", "everything", "--json"]));
    let row: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(row["functions"][0]["name"], "small");
    assert_eq!(row["functions"][0]["native"], true);
    assert_eq!(row["not_indexed"][0]["line"], 7);
}

#[test]
fn stubs_are_written_where_a_checker_looks() {
    let project = project(RULES);
    let _ = stdout(&project.run(&["rules", "stubs", "--dir", "types"]));
    let text = std::fs::read_to_string(project.path("types/streamalert/shared/rule.pyi")).unwrap();
    assert!(text.contains("merge_window_mins: int"), "{text}");
    assert!(project.path("types/rules/helpers/base.pyi").is_file());
}
