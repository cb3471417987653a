//! Fields of publications: flattened, removed, found, put together.

use regex::{Regex, RegexBuilder};
use streamalert_value::{Map, Value};

/// Bytes that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A pattern that is searched in time linear to the text.
pub(super) fn pattern(text: &str, ignores_case: bool) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(text);
    builder
        .case_insensitive(ignores_case)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    builder.build().map_err(|error| {
        let told = error.to_string();
        let last = told.lines().last().unwrap_or_default().trim();
        format!(
            "{text:?} is no pattern that can be searched for: {}",
            last.trim_start_matches("error: ")
        )
    })
}

pub(super) fn patterns(texts: &[&str]) -> Result<Vec<Regex>, String> {
    texts.iter().map(|text| pattern(text, false)).collect()
}

/// Takes out every member, at any depth, whose name `is_meant`. Recursion is bounded: no reader makes a value deeper
/// than [`streamalert_value::DEPTH_MAX`].
pub(super) fn remove(fields: &mut Map, is_meant: &dyn Fn(&str) -> bool) {
    fields.retain(|name, _| !is_meant(name));
    fields.values_mut().for_each(|value| remove_in(value, is_meant));
}

fn remove_in(value: &mut Value, is_meant: &dyn Fn(&str) -> bool) {
    match value {
        Value::Map(fields) => remove(fields, is_meant),
        Value::List(items) => items.iter_mut().for_each(|item| remove_in(item, is_meant)),
        _ => {}
    }
}

/// Every value that is no container under its path, such as `record.ips[0]`, sorted by path.
pub(super) fn enumerated(fields: &Map) -> Map {
    let mut flat = Map::new();
    for (name, value) in fields {
        flatten(value, name.clone(), &mut flat);
    }
    flat.sort_keys();
    flat
}

fn flatten(value: &Value, path: String, flat: &mut Map) {
    match value {
        Value::Map(fields) => {
            for (name, inner) in fields {
                flatten(inner, format!("{path}.{name}"), flat);
            }
        }
        Value::List(items) => {
            for (index, inner) in items.iter().enumerate() {
                flatten(inner, format!("{path}[{index}]"), flat);
            }
        }
        plain => {
            flat.insert(path, plain.clone());
        }
    }
}

/// What the normalized values stand under; they repeat what the record holds.
pub(super) const NORMALIZATION: &str = "streamalert_normalization";

/// The values of all members of this name but normalized ones, those nearest to the top first.
pub(super) fn values_of(value: &Value, name: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut open = std::collections::VecDeque::from([value]);
    while let Some(value) = open.pop_front() {
        match value {
            Value::Map(fields) => {
                found.extend(fields.get(name).cloned());
                let inner = fields.iter().filter(|(name, _)| *name != NORMALIZATION);
                open.extend(inner.map(|(_, value)| value));
            }
            Value::List(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

/// Lists of plain values as one text; those directly in lists stay.
pub(super) fn stringify(fields: &mut Map, delimiter: &str) {
    for value in fields.values_mut() {
        stringify_in(value, delimiter, true);
    }
}

fn stringify_in(value: &mut Value, delimiter: &str, is_member: bool) {
    let is_plain = |value: &Value| !matches!(value, Value::List(_) | Value::Map(_));
    match value {
        Value::List(items) if items.iter().all(is_plain) && is_member => {
            let texts: Vec<String> = items.iter().map(Value::python_str).collect();
            *value = Value::Str(texts.join(delimiter));
        }
        Value::List(items) => items
            .iter_mut()
            .for_each(|item| stringify_in(item, delimiter, false)),
        Value::Map(fields) => stringify(fields, delimiter),
        _ => {}
    }
}
