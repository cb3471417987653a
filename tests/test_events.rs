//! `streamalert test` on whole projects: what fails must say why.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::TestProject;

const RULES: &str = r#"
from streamalert.shared.rule import disable, rule
from streamalert.shared.lookup_tables.core import LookupTables
from publishers.load import shout

@rule(logs=['load:event'], outputs=['slack:alerts'], publishers=[shout])
def bad_kind(record):
    """Something bad"""
    return record['kind'] == 'bad'

@rule(logs=['load:event'])
def known_group(record):
    return record['group'] in LookupTables.get('known', 'groups', [])

@rule(logs=['load:event'])
def raises(record):
    return record['group'] == 'raise' and record['missing']

@rule(logs=['load:event'])
def malicious(record):
    return bool(record.get('streamalert:ioc', {}).get('ip'))

@disable
@rule(logs=['load:event'])
def switched_off(record):
    return True
"#;

const PUBLISHER: &str = r#"
from streamalert.shared.publisher import Register

@Register
def shout(alert, publication):
    publication['@slack.text'] = alert.rule_name.upper()
    publication['@slack._previous_publication'] = {}
    return publication
"#;

fn project(events: &Value) -> TestProject {
    let project = TestProject::new(RULES);
    project.write(
        "conf/global.json",
        r#"{"general": {"rule_locations": ["rules"], "publisher_locations": ["publishers"]}}"#,
    );
    project.write("conf/outputs.json", r#"{"slack": ["alerts"]}"#);
    project.write(
        "conf/schemas/load.json",
        r#"{"load:event": {"parser": "json", "schema": {"n": "integer", "group": "string", "kind": "string"},
            "configuration": {"normalization": {"ip_address": [{"path": ["group"], "function": "group"}]}}}}"#,
    );
    project.write(
        "conf/threat_intel.json",
        r#"{"enabled": true, "normalized_ioc_types": {"ip": ["ip_address"]}}"#,
    );
    project.write("publishers/load.py", PUBLISHER);
    project.write("rules/load.json", &serde_json::to_string_pretty(events).unwrap());
    project
}

/// An event of a log line, with further keys over the usual ones.
fn event(data: Value, more: Value) -> Value {
    let mut event = json!({"description": "an event", "log": "load:event", "service": "kinesis", "source": "stream",
        "data": data, "trigger_rules": []});
    event
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    event
}

fn load(group: &str, kind: &str) -> Value {
    json!({"n": 1, "group": group, "kind": kind})
}

/// Output and exit code; the last line apart.
fn told(output: &Output) -> (String, String, i32) {
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    let last = out.lines().last().unwrap_or_default().to_owned();
    assert!(!out.is_empty(), "{output:?}");
    (out, last, output.status.code().unwrap())
}

#[test]
fn fixtures_publishers_partial_records_and_packed_ones_pass() {
    let project = project(&json!([
        event(
            load("g", "bad"),
            json!({"compress": true, "trigger_rules": ["bad_kind", "switched_off"],
            "publisher_tests": {"slack:alerts": [
                ["\"@slack.text\"", "is", "BAD_KIND"],
                {"jmespath_expression": "keys(@)", "condition": "contains", "value": "@slack.text"},
                ["\"@slack.text\"", "in", ["BAD_KIND", "x"]]]}})
        ),
        event(
            json!(null),
            json!({"override_record": {"kind": "bad"}, "trigger_rules": ["bad_kind"]})
        ),
        event(
            load("g", ""),
            json!({"trigger_rules": ["known_group"],
            "test_fixtures": {"lookup_tables": {"known": {"groups": ["g"]}}}})
        ),
        event(load("g", ""), json!({})),
        event(
            load("1.1.1.2", ""),
            json!({"trigger_rules": ["malicious"],
            "test_fixtures": {"threat_intel": [{"ioc_value": "1.1.1.2", "ioc_type": "ip", "sub_type": "mal_ip"}]}})
        ),
        event(load("1.1.1.2", ""), json!({})),
        event(load("g", "bad"), json!({"classify_only": true})),
        event(load("raise", ""), json!({})),
    ]));
    let (out, last, code) = told(&project.run(&["test"]));
    assert_eq!((last.as_str(), code), ("8 passed, 0 failed", 0), "{out}");
    assert!(out.contains("note: raises raised KeyError: 'missing'"), "{out}");
    assert!(out.contains("no test event for: raises"), "{out}");
    assert!(!out.contains('\u{1b}'), "colours are for terminals: {out}");
}

#[test]
fn every_way_to_fail_is_told_with_its_difference() {
    let project = project(&json!([
        event(
            load("g", "bad"),
            json!({"description": "wrong publication", "trigger_rules": ["bad_kind"],
            "publisher_tests": {"slack:alerts": [["\"@slack.text\"", "is", "bad_kind"]]}})
        ),
        event(json!({"n": 1, "grp": "x"}), json!({"description": "wrong keys"})),
        event(
            load("raise", "bad"),
            json!({"description": "wrong rules", "trigger_rules": ["raises", "bad_knd"]})
        ),
        event(
            load("g", ""),
            json!({"description": "wrong source", "source": "strea"})
        ),
        event(
            load("g", ""),
            json!({"description": "wrong log", "log": "load:evnt"})
        ),
        event(json!([1]), json!({"description": "wrong data"})),
    ]));
    project.write("rules/broken.json", "[\n  {},\n  nothing\n]");
    project.write(
        "rules/broken.py",
        "from streamalert.shared.rule import rule\n\ndef x(:\n",
    );
    let (out, last, code) = told(&project.run(&["test", "--junit", "report.xml"]));
    assert_eq!((last.as_str(), code), ("0 passed, 8 failed", 1), "{out}");
    for expected in [
        "alert of bad_kind\n        \"@slack.text\" is\n      - \"bad_kind\"\n      + \"BAD_KIND\"\n",
        "log type (- expected, + found)\n      - load:event\n      + none: no schema takes it\n",
        "        nearest schema is load:event\n          missing: group, kind\n          unexpected: grp\n",
        "      - bad_knd: no such rule; did you mean \"bad_kind\"?\n      - raises: raised KeyError: 'missing'\n",
        "rules/load.py, line 17\n",
        "      + bad_kind: fired, but is not among trigger_rules (rules/load.py:6)\n",
        "no cluster file has the source kinesis:strea\n        known are: kinesis:stream\n",
        "no schema defines the log type \"load:evnt\"; did you mean \"load:event\"?",
        "data: expected an object or a text, not ",
        "rules/broken.json:3:3: not valid json",
        "rules/broken.py:3 does not load",
    ] {
        assert!(out.contains(expected), "{expected:?} is not in:\n{out}");
    }
    let report = std::fs::read_to_string(project.path("report.xml")).unwrap();
    assert!(report.contains("tests=\"8\" failures=\"8\""), "{report}");
    assert!(
        report.contains("name=\"#3 wrong rules\" classname=\"rules/load.json\""),
        "{report}"
    );
}

#[test]
fn one_json_object_is_written_for_each_event() {
    let project = project(&json!([
        event(
            load("g", "bad"),
            json!({"description": "fine", "trigger_rules": ["bad_kind"]})
        ),
        event(load("g", "bad"), json!({"description": "wrong"})),
    ]));
    let output = project.run(&["test", "--json"]);
    let (out, _, code) = told(&output);
    let rows: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((rows.len(), code), (2, 1), "{out}");
    assert_eq!(
        (&rows[0]["passed"], &rows[0]["fired_rules"]),
        (&json!(true), &json!(["bad_kind"]))
    );
    assert_eq!(
        (&rows[1]["passed"], &rows[1]["unexpected_rules"]),
        (&json!(false), &json!(["bad_kind"]))
    );
    assert_eq!(
        (&rows[1]["number"], &rows[1]["file"]),
        (&json!(2), &json!("rules/load.json"))
    );
    assert_eq!(rows[1]["failures"][0]["kind"], "rules");
}

#[test]
fn files_folders_rules_and_the_classifier_alone_can_be_chosen() {
    let project = project(&json!([
        event(load("g", "bad"), json!({"trigger_rules": ["bad_kind"]})),
        event(load("g", ""), json!({"trigger_rules": ["raises"]})),
    ]));
    project.write(
        "rules/more/x.json",
        &json!([event(load("g", ""), json!({}))]).to_string(),
    );
    project.write(
        "tests/integration/rules/y.json",
        &json!([event(load("g", ""), json!({}))]).to_string(),
    );
    for (args, expected) in [
        (&["test"][..], "3 passed, 1 failed"),
        (&["test", "rules"], "3 passed, 1 failed"),
        (&["test", "classifier"], "4 passed, 0 failed"),
        (&["test", "rules/more"], "1 passed, 0 failed"),
        (
            &["test", "rules", "rules/more/x.json", "rules"],
            "2 passed, 1 failed",
        ),
        (&["test", "bad_kind"], "1 passed, 0 failed"),
        (&["test", "classifier", "tests/integration"], "1 passed, 0 failed"),
    ] {
        let (out, last, _) = told(&project.run(args));
        assert_eq!(last, expected, "{args:?}: {out}");
    }
    for (args, expected) in [
        (&["test", "bad_knd"][..], "did you mean \"bad_kind\"?"),
        (
            &["test", "rules/nothing"],
            "no such file or folder: rules/nothing",
        ),
        (&["test", "live"], "test events are never sent to outputs"),
    ] {
        let output = project.run(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.contains(expected) && !output.status.success(),
            "{args:?}: {error}"
        );
    }
}

#[test]
fn a_wrong_copy_of_the_example_fails_with_exactly_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    crate::quickstart::copy(&example, dir.path());
    let file = dir.path().join("rules/aws/trail_stopped.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replacen("\"aws_trail_stopped\"", "\"aws_root_console_login\"", 1),
    )
    .unwrap();
    let output = std::process::Command::new(crate::support::binary())
        .arg("test")
        .current_dir(dir.path())
        .output();
    let (out, last, code) = told(&output.unwrap());
    assert!(last.ends_with(" passed, 1 failed") && code == 1, "{out}");
    let expected = "✘ rules/aws/trail_stopped.json:2 A trail is stopped
    rules (- expected, + fired)
      - aws_root_console_login: did not fire
      + aws_trail_stopped: fired, but is not among trigger_rules (rules/aws/trail_stopped.py:8)
";
    assert!(out.contains(expected), "{out}");
}
