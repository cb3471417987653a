use std::collections::BTreeSet;

use streamalert_lint::{Finding, Known, Shape, SourceFile, lint};
use streamalert_value::Value;

const LOGS: &str = r#"{
  "cloudtrail:events": {"parser": "json", "schema": {
    "eventName": "string", "eventSource": "string", "port": "integer", "size": "float", "readOnly": "boolean",
    "resources": [], "userIdentity": {}, "detail": {"actor": "string", "count": "integer"}},
    "configuration": {"optional_top_level_keys": ["port"], "envelope_keys": {"account": "string"}}},
  "okta:logs": {"parser": "json", "schema": {"eventName": "string", "port": "string", "outcome": {}}},
  "open:logs": {"parser": "json", "schema": {}},
  "kept:logs": {"parser": "json", "schema": {"action": "string"}, "unknown_keys": "keep"}
}"#;

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A project with some log types, the output `slack:security`, and one publisher.
pub(crate) fn known() -> Known {
    let Value::Map(logs) = Value::parse_json(LOGS.as_bytes()).unwrap() else {
        panic!("the fixture is an object")
    };
    let logs = logs
        .iter()
        .map(|(name, definition)| (name.clone(), Shape::of_definition(definition)));
    Known {
        logs: logs.collect(),
        datatypes: Some(set(&["sourceAddress", "command"])),
        outputs: Some(set(&["slack:security", "file:alerts"])),
        publishers: Some(set(&["publishers.mail.short"])),
        tested: Some(set(&["example", "other"])),
    }
}

/// What is said of one file.
pub(crate) fn of_file(text: &str) -> Vec<Finding> {
    let file = SourceFile {
        path: "rules/a.py".to_owned(),
        text: text.to_owned(),
    };
    lint(&[file], &known())
}

/// The ids of what is found in a file, with their lines.
pub(crate) fn ids(text: &str) -> Vec<(usize, &'static str)> {
    let findings = of_file(text);
    findings
        .iter()
        .map(|found| (found.line, found.code.check().id))
        .collect()
}

/// A rule for `cloudtrail:events` with this body; its first line is line 6 of the file.
pub(crate) fn rule(body: &str) -> String {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "from streamalert.shared.rule import rule\n\
         @rule(logs=['cloudtrail:events'],\n      outputs=['slack:security'])\n\
         def example(record):\n    \"\"\"Something happened\"\"\"\n{body}"
    )
}

/// What is said of a rule with this body: ids, and messages with their fixes.
pub(crate) fn body(body: &str) -> Vec<String> {
    let found = of_file(&rule(body));
    let told = found.iter().map(|one| {
        assert_eq!(one.rule.as_deref(), Some("example"), "{one}");
        format!("{} {}; {}", one.code.check().id, one.message, one.fix)
    });
    told.collect()
}

/// What is said of a rule that returns this.
pub(crate) fn returning(expression: &str) -> Vec<String> {
    body(&format!("return {expression}"))
}

/// Only the ids of that.
pub(crate) fn returning_ids(expression: &str) -> Vec<String> {
    let told = returning(expression);
    told.iter().map(|one| one.chars().take(5).collect()).collect()
}

/// What is said of a rule with these options and a sound body: ids, and messages with their fixes.
pub(crate) fn options(options: &str) -> Vec<String> {
    let text = format!(
        "from streamalert.shared.rule import rule\n@rule({options})\n\
         def example(record):\n    \"\"\"Something happened\"\"\"\n    return record['eventName'] == 'x'\n"
    );
    let found = of_file(&text);
    let told = found
        .iter()
        .map(|one| format!("{} {}; {}", one.code.check().id, one.message, one.fix));
    told.collect()
}
