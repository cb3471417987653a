use std::fmt::Write as _;

use streamalert_value::Value;

use super::example::{Bystanders, Example};
use crate::explain::{object, text};

/// What a new rule is to be.
#[derive(Debug)]
pub(crate) struct NewRule<'a> {
    pub(crate) name: &'a str,
    pub(crate) log: &'a str,
    pub(crate) outputs: &'a [String],
    pub(crate) matchers: &'a [Reference],
}

/// A function of the project: what to import, and how to name it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) module: String,
    pub(crate) name: String,
}

/// The text of the rule's file.
pub(crate) fn rule_text(rule: &NewRule<'_>, example: &Example) -> String {
    let words = rule.name.replace('_', " ");
    let mut out = format!("\"\"\"{}.\"\"\"\n", sentence(&words));
    let mut imports: Vec<String> = rule
        .matchers
        .iter()
        .map(|one| {
            let root = one.name.split('.').next().unwrap_or_default();
            format!("from {} import {root}\n", one.module)
        })
        .collect();
    imports.push("from streamalert.shared.rule import rule\n".to_owned());
    imports.sort();
    imports.dedup();
    out.extend(imports);
    let _ = write!(out, "\n\n@rule(\n    logs=[{}]", quoted(rule.log));
    if !rule.matchers.is_empty() {
        let names: Vec<&str> = rule.matchers.iter().map(|one| one.name.as_str()).collect();
        let _ = write!(out, ",\n    matchers=[{}]", names.join(", "));
    }
    if !rule.outputs.is_empty() {
        let names: Vec<String> = rule.outputs.iter().map(|output| quoted(output)).collect();
        let _ = write!(out, ",\n    outputs=[{}]", names.join(", "));
    }
    let (name, condition) = (rule.name, condition(example));
    let _ = write!(
        out,
        ")\ndef {name}(record):\n    \"\"\"\n    author:       you\n    description:  What happened, and why it \
         matters.\n    playbook:     (a) What to look at first\n                  (b) What to do about it\n    \"\"\"\n    \
         return {condition}\n"
    );
    out
}

fn condition(example: &Example) -> String {
    match &example.probe {
        Some(probe) => {
            let keys = probe.path.iter().map(|key| format!("[{}]", quoted(key)));
            format!("record{} == {}", keys.collect::<String>(), quoted(&probe.value))
        }
        None => "bool(record)".to_owned(),
    }
}

/// The text of the file of test events.
pub(crate) fn events_text(rule: &NewRule<'_>, example: &Example, others: &Bystanders) -> String {
    let event = |description: String, data: &Value, fired: Vec<&str>| {
        object([
            ("description", text(&description)),
            ("log", text(rule.log)),
            ("service", text(&example.source.service)),
            ("source", text(&example.source.resource)),
            ("data", data.clone()),
            (
                "trigger_rules",
                Value::List(fired.into_iter().map(text).collect()),
            ),
        ])
    };
    let name = rule.name;
    let fired = std::iter::once(name).chain(others.data.iter().map(String::as_str));
    let mut events = vec![event(
        format!("{name} fires on this"),
        &example.data,
        fired.collect(),
    )];
    if let Some(probe) = &example.probe {
        let what = probe.path.join(".");
        let description = format!("{name} does not fire: {what} is another");
        events.push(event(
            description,
            &probe.other_data,
            others.other_data.iter().map(String::as_str).collect(),
        ));
    }
    let mut out = String::new();
    pretty(&Value::List(events), 0, &mut out);
    out.push('\n');
    out
}

/// JSON with two spaces a level; what has no members stays on one line.
fn pretty(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth + 1);
    let members = |out: &mut String, entries: Vec<(Option<&String>, &Value)>, (open, close): (char, char)| {
        out.push(open);
        for (at, (key, value)) in entries.into_iter().enumerate() {
            let _ = write!(out, "{}\n{indent}", if at > 0 { "," } else { "" });
            if let Some(key) = key {
                let _ = write!(out, "{}: ", text(key).to_json());
            }
            pretty(value, depth + 1, out);
        }
        let _ = write!(out, "\n{}{close}", "  ".repeat(depth));
    };
    match value {
        Value::List(items) if !items.is_empty() => {
            members(out, items.iter().map(|item| (None, item)).collect(), ('[', ']'));
        }
        Value::Map(map) if !map.is_empty() => {
            members(
                out,
                map.iter().map(|(key, value)| (Some(key), value)).collect(),
                ('{', '}'),
            );
        }
        other => out.push_str(&other.to_json()),
    }
}

/// With a capital letter in front.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
