//! Publishers of every kind in whole projects: what names none is refused before anything runs, and what comes out is
//! what was asked for.

use serde_json::{Value, json};

use crate::support::{TestProject, stdout};

const HEAD: &str = "from streamalert.shared.rule import rule\n";

/// A project with the outputs `file:sink` and `slack:alerts`.
fn project(rules: &str, settings: &str) -> TestProject {
    let project = TestProject::new(&format!("{HEAD}{rules}"));
    project.write("conf/outputs.json", r#"{"file": ["sink"], "slack": ["alerts"]}"#);
    project.write(
        "conf/global.json",
        r#"{"general": {"rule_locations": ["rules"], "publisher_locations": ["publishers"]}}"#,
    );
    project.write("publishers/own.py", OWN);
    project.write(
        "streamalert.toml",
        &format!("[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n[python]\nworkers = 1\n{settings}"),
    );
    project.append_events("logs/events.jsonl", 0, 3, |_| "odd");
    project
}

const OWN: &str = "
from streamalert.shared.publisher import Register

@Register
def shout(alert, publication):
    publication['shout'] = alert.rule_name.upper()
    return publication
";

const INGEST: [&str; 5] = [
    "ingest",
    "--json",
    "--source",
    "kinesis:stream",
    "logs/events.jsonl",
];

/// What reached `file:sink`.
fn sent(project: &TestProject) -> Vec<Value> {
    stdout(&project.run(&INGEST));
    let text = std::fs::read_to_string(project.path("alerts.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn outputs_and_publishers_that_nobody_has_are_refused_with_file_line_and_rule_wherever_rules_are_loaded() {
    let rule = |options: &str| {
        format!(
            "@rule(logs=['load:event'], {options})\ndef named(record):\n    return record['kind'] == 'odd'\n"
        )
    };
    for (options, says, fix) in [
        (
            "outputs=['slack:nowhere']",
            "unknown output \"slack:nowhere\"",
            "add [outputs.\"slack:nowhere\"]",
        ),
        (
            "outputs=['slack:alrets']",
            "unknown output \"slack:alrets\"",
            "did you mean \"slack:alerts\"?",
        ),
        (
            "outputs=['slak:alerts']",
            "unknown output \"slak:alerts\"",
            "did you mean",
        ),
        (
            "outputs=['slack']",
            "unknown output \"slack\"",
            "name it service:descriptor",
        ),
        (
            "outputs=['file:sink'], publishers=['publishers.own.shuot']",
            "unknown publisher \"publishers.own.shuot\"",
            "did you mean \"publishers.own.shout\"?",
        ),
        (
            "outputs=['file:sink'], publishers={'file': ['redcat']}",
            "unknown publisher \"redcat\"",
            "did you mean \"redact\"?",
        ),
        (
            "outputs=['file:sink'], publishers='template:gone'",
            "unknown publisher \"template:gone\"",
            "write it as gone.j2 into a folder of publishers",
        ),
        (
            "outputs=['file:sink'], publishers=7",
            "unknown publisher \"7\"",
            "@Register",
        ),
    ] {
        let project = project(&rule(options), "");
        for args in [&["validate"] as &[&str], &["test"], &INGEST, &["run"]] {
            let output = project.run(args);
            let told = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(!output.status.success(), "{options} {args:?}: {told}");
            for part in ["rules/load.py:2", "named", says, fix] {
                assert!(told.contains(part), "{options} {args:?} {part}: {told}");
            }
        }
    }
}

#[test]
fn what_a_function_answers_that_is_no_output_becomes_a_dead_letter_with_the_reason() {
    let project = project(
        "
def where(record):
    return ['file:sink', 'slack:nowhere', 'jira']

@rule(logs=['load:event'], dynamic_outputs=[where])
def dynamic(record):
    return record['n'] == 1
",
        "",
    );
    let output = project.run(&INGEST);
    assert!(!output.status.success(), "dead letters are a failure of `ingest`");
    let text = std::fs::read_to_string(project.path("alerts.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let letters = stdout(&project.run(&["dead-letter", "list", "--json"]));
    for name in ["slack:nowhere", "jira"] {
        let letter = letters.lines().find(|line| line.contains(name));
        let letter = letter.unwrap_or_else(|| panic!("{name}: {letters}"));
        assert!(
            letter.contains("no output of this name is configured"),
            "{letter}"
        );
    }
}

#[test]
fn publishers_of_the_program_of_the_user_and_templates_work_together() {
    let project = project(
        "
from publishers.own import shout
from streamalert.publishers import remove_internal_fields

@rule(logs=['load:event'], outputs=['file:sink'], publishers=['default', remove_internal_fields, shout, 'redact'])
def chain(record):
    return record['n'] == 0

@rule(logs=['load:event'], outputs=['file:sink'], publishers='template:short')
def templated(record):
    return record['n'] == 1

@rule(logs=['load:event'], outputs=['file:sink'])
def of_the_output(record):
    return record['n'] == 2
",
        "[redact]\nkeys = [\"grou*\"]\n[dispatcher.output.\"file:sink\"]\npublishers = [\"add-record\", \"enumerate-fields\"]\n",
    );
    project.write(
        "publishers/short.json.j2",
        r#"{"said": "{{ rule.name }} saw {{ record.kind }}", "n": {{ record.n|json }}, "to": "{{ output.name }}"}"#,
    );
    let sent = sent(&project);
    let of = |n: usize| {
        let mut fields = sent[n].as_object().unwrap().clone();
        fields.remove("idempotency_key");
        Value::Object(fields)
    };
    let chain = sent.iter().position(|line| line.get("shout").is_some()).unwrap();
    assert_eq!(sent[chain]["shout"], "CHAIN");
    assert!(sent[chain].get("staged").is_none() && sent[chain].get("rule_name").is_some());
    assert_eq!(sent[chain]["record"]["group"], "[redacted]");
    assert_eq!(sent[chain]["record"]["kind"], "odd");
    let templated = sent.iter().position(|line| line.get("said").is_some()).unwrap();
    assert_eq!(
        of(templated),
        json!({"said": "templated saw odd", "n": 1, "to": "file:sink"})
    );
    let flat = sent
        .iter()
        .position(|line| line.get("record.n").is_some())
        .unwrap();
    assert_eq!(sent[flat]["record.n"], 2);
    assert_ne!(
        sent[flat]["record.group"], "[redacted]",
        "its rule does not name redact"
    );
    assert_eq!(sent.len(), 3);
}

#[test]
fn a_template_that_fails_costs_its_shape_and_not_the_alert() {
    let project = project(
        "@rule(logs=['load:event'], outputs=['file:sink'], publishers='template:short')\ndef r(record):\n    return record['n'] == 1\n",
        "",
    );
    project.write("publishers/short.j2", "line\n{{ record.gone }}\n");
    let sent = sent(&project);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["record"]["n"], 1);
    let told = sent[0]["streamalert_publisher_error"].as_str().unwrap();
    assert!(told.starts_with("publishers/short.j2:2:"), "{told}");
}

#[test]
fn templates_and_redaction_that_are_none_are_refused_with_their_place() {
    let project = project(
        "@rule(logs=['load:event'], outputs=['file:sink'])\ndef r(record):\n    return False\n",
        "[redact]\nclasses = [\"creditcard\"]\noutputs = [\"slak\"]\n[dispatcher.output.\"file:sink\"]\npublishers = [\"template:bad\"]\n",
    );
    project.write("publishers/bad.j2", "line\n{% if %}\n");
    for args in [&["validate"] as &[&str], &["validate", "--no-rules"], &["run"]] {
        let output = project.run(args);
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.status.success(), "{args:?}: {told}");
        for part in [
            "publishers/bad.j2:2",
            "\"creditcard\" is none of credit-card",
            "no output is \"slak\"",
            "unknown publisher \"template:bad\"",
        ] {
            assert!(told.contains(part), "{args:?} {part}: {told}");
        }
    }
    // what a test loads is refused there, too
    let output = project.run(&["test"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && told.contains("publishers/bad.j2:2"),
        "{told}"
    );
}

#[test]
fn publisher_tests_hold_templates_and_layouts_against_what_is_expected() {
    let project = project(
        "@rule(logs=['load:event'], outputs=['slack:alerts'], publishers=['template:login'])\ndef r(record):\n    return record['kind'] == 'bad'\n",
        "",
    );
    project.write("publishers/login.j2", "*{{ title }}*: {{ record.group }}\n");
    let event = |text: &str| {
        json!([{"description": "an event", "log": "load:event", "service": "kinesis", "source": "stream",
            "data": {"n": 1, "group": "<a>", "kind": "bad"}, "trigger_rules": ["r"],
            "publisher_tests": {"slack:alerts": [["\"@slack.text\"", "is", text]]}}])
        .to_string()
    };
    project.write("rules/load.json", &event("*R*: &lt;a&gt;"));
    stdout(&project.run(&["test"]));
    project.write("rules/load.json", &event("*R*: <a>"));
    let output = project.run(&["test"]);
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("&lt;a&gt;"), "{told}");
}
