use std::collections::HashMap;
use std::sync::Arc;

use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object, ValueKind};
use streamalert_types::Timestamp;
use streamalert_value::{Map, Value};

use super::escape::{HOW, How};
use crate::Publication;
use crate::outputs::json::{map, text};
use crate::publishers::Whole;

/// The variable that tells what time it is, in microseconds since 1970.
pub(super) const NOW: &str = "_now";

/// What templates can name.
pub(super) const NAMES: [&str; 12] = [
    "alert",
    "context",
    "facts",
    "links",
    "merge",
    "output",
    "publication",
    "record",
    "rule",
    "severity",
    "summary",
    "title",
];

/// A dictionary whose order is kept.
#[derive(Debug)]
struct Fields {
    names: Vec<String>,
    values: HashMap<String, Jinja>,
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.values.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        self.values.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names.iter().map(|name| Jinja::from(name.as_str())).collect())
    }
}

/// A value as templates see it.
pub(super) fn to_jinja(value: Value) -> Jinja {
    match value {
        Value::Null => Jinja::from(()),
        Value::Bool(value) => Jinja::from(value),
        Value::Int(value) => Jinja::from(value),
        Value::BigInt(digits) => match digits.parse::<i128>() {
            Ok(value) => Jinja::from(value),
            Err(_) => Jinja::from(digits.into_string()),
        },
        Value::Float(value) => Jinja::from(value),
        Value::Str(value) => Jinja::from(value),
        Value::List(items) => Jinja::from(items.into_iter().map(to_jinja).collect::<Vec<_>>()),
        Value::Map(fields) => Jinja::from_object(Fields {
            names: fields.keys().cloned().collect(),
            values: fields
                .into_iter()
                .map(|(name, value)| (name, to_jinja(value)))
                .collect(),
        }),
    }
}

/// A value of a template as ours. What has no end or no form is its text.
pub(super) fn from_jinja(value: &Jinja) -> Value {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(number) if value.is_integer() => Value::Int(number),
            _ => Value::parse_json(value.to_string().as_bytes()).unwrap_or_default(),
        },
        ValueKind::Seq | ValueKind::Iterable => match value.try_iter() {
            Ok(items) => Value::List(items.map(|item| from_jinja(&item)).collect()),
            Err(_) => Value::Str(value.to_string()),
        },
        ValueKind::Map => {
            let names = value.try_iter().into_iter().flatten();
            let of = |name: Jinja| Some((name.to_string(), from_jinja(&value.get_item(&name).ok()?)));
            Value::Map(names.filter_map(of).collect())
        }
        _ => Value::Str(value.to_string()),
    }
}

/// Everything that a template can name.
pub(super) fn inputs(whole: &Whole<'_>, made: Value, now: Timestamp, how: How) -> Jinja {
    let (record, context) = (whole.record(), whole.alert.context.clone());
    let mut alert = crate::json::output_dict(whole.alert);
    // severity, merge and links are told as the layouts tell them
    let mut publication = Publication::made(Arc::clone(whole.alert), whole.output.clone(), alert.clone());
    publication.links = Arc::clone(whole.links);
    let card = publication.card();
    if let Value::Map(fields) = &mut alert {
        let trace = whole.alert.trace_id().unwrap_or_default();
        fields.insert("trace_id".to_owned(), text(trace));
    }
    let merge = card.merged.as_ref().map_or(Value::Null, |merged| {
        let span = merged.span_secs.and_then(|secs| i64::try_from(secs).ok());
        map([
            ("count", Value::Int(merged.count)),
            ("first", text(&merged.first)),
            ("last", text(&merged.last)),
            ("span_secs", span.map_or(Value::Null, Value::Int)),
        ])
    });
    let facts = card
        .facts
        .iter()
        .map(|fact| map([("name", text(&fact.name)), ("value", text(&fact.value))]));
    let output = map([
        ("name", text(whole.output.as_str())),
        ("service", text(whole.output.service())),
        ("descriptor", text(whole.output.descriptor())),
    ]);
    let plain = [
        ("alert", alert),
        ("record", record),
        ("context", context),
        ("publication", made),
        ("merge", merge),
        ("output", output),
        ("severity", text(&card.severity.word().to_lowercase())),
        ("title", text(&card.title)),
        ("summary", text(&card.summary)),
        ("facts", Value::List(facts.collect())),
        ("rule", rule(whole)),
    ];
    let mut values: HashMap<String, Jinja> = plain
        .into_iter()
        .map(|(name, value)| (name.to_owned(), to_jinja(value)))
        .collect();
    // They were read and written as urls, in which nothing can end a text.
    let link = |name: &str| {
        let link = card.links.iter().find(|link| link.text == name);
        let url = link.map_or_else(String::new, |link| link.url.clone());
        (name.to_lowercase(), Jinja::from_safe_string(url))
    };
    let links = ["Playbook", "Alert", "Trace"].map(link);
    values.insert("links".to_owned(), Jinja::from_pairs(links));
    values.insert(NOW.to_owned(), Jinja::from(now.as_micros()));
    values.insert(HOW.to_owned(), Jinja::from_object(how));
    Jinja::from_object(Fields {
        names: Vec::new(),
        values,
    })
}

/// The rule's name, and what its docstring says in lines `label: text`.
fn rule(whole: &Whole<'_>) -> Value {
    let alert = whole.alert;
    let mut fields = Map::new();
    for line in alert.rule_description.lines() {
        if let Some((label, rest)) = line.split_once(':') {
            let label = label.trim().to_lowercase();
            let is_word = !label.is_empty()
                && label.len() <= 20
                && label.chars().all(|c| c.is_alphanumeric() || "_- ".contains(c))
                && !rest.starts_with("//");
            if is_word && !fields.contains_key(&label) {
                fields.insert(label, text(rest.trim()));
            }
        }
    }
    map([
        ("name", text(&alert.rule_name)),
        ("description", text(alert.rule_description.trim())),
        ("fields", Value::Map(fields)),
    ])
}
