use streamalert_value::{Map, Value};

use super::text::clean;

/// A name and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The path of the field, joined by dots.
    pub name: String,
    /// Its value as text.
    pub value: String,
}

/// Facts of a record at most: what is read at a glance.
const FACTS_MAX: usize = 10;

/// Facts of a context at most: its author chose them.
const CONTEXT_FACTS_MAX: usize = 20;

/// How deep facts are looked for. Deeper ones rarely mean anything without their surroundings.
const FACT_DEPTH_MAX: usize = 3;

/// Names under which logs tell who did what where, most telling first. Compared without case and separators.
const TELLING: [&str; 30] = [
    "eventname",
    "action",
    "event",
    "eventtype",
    "username",
    "user",
    "actor",
    "arn",
    "email",
    "principalid",
    "sourceipaddress",
    "srcip",
    "srcaddr",
    "sourceip",
    "ipaddress",
    "dstip",
    "dstaddr",
    "dstport",
    "hostname",
    "hostidentifier",
    "host",
    "computername",
    "awsregion",
    "recipientaccountid",
    "account",
    "process",
    "commandline",
    "errorcode",
    "result",
    "severity",
];

/// Fields of a publication that have a place of their own, or say nothing to a reader.
const PLACED: [&str; 15] = [
    "cluster",
    "context",
    "created",
    "id",
    "log_source",
    "log_type",
    "outputs",
    "publishers",
    "record",
    "rule_description",
    "rule_name",
    "source_entity",
    "source_service",
    "staged",
    "streamalert_trace_id",
];

pub(super) fn of_context(context: &Map) -> Vec<Fact> {
    let mut facts = scalars(context, 1);
    facts.truncate(CONTEXT_FACTS_MAX);
    facts
}

pub(super) fn merged_facts(record: &Map) -> Vec<Fact> {
    let of = |name: &str| record.get(name).and_then(Value::as_map);
    let mut facts = of("MergedBy").map(|map| scalars(map, 1)).unwrap_or_default();
    facts.extend(of("OtherCommonKeys").map(telling_facts).unwrap_or_default());
    facts.truncate(FACTS_MAX);
    facts
}

/// The facts of a record that tell most, then its first plain values.
pub(super) fn telling_facts(record: &Map) -> Vec<Fact> {
    let mut facts: Vec<(usize, Fact)> = scalars(record, FACT_DEPTH_MAX)
        .into_iter()
        .map(|fact| (rank(&fact.name), fact))
        .collect();
    // what is deep and not known to tell anything is noise
    facts.retain(|(rank, fact)| *rank < TELLING.len() || !fact.name.contains('.'));
    facts.sort_by_key(|(rank, _)| *rank);
    facts.truncate(FACTS_MAX);
    facts.into_iter().map(|(_, fact)| fact).collect()
}

fn rank(path: &str) -> usize {
    let last = path.rsplit('.').next().unwrap_or(path);
    let plain: String = last
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    TELLING
        .iter()
        .position(|name| *name == plain)
        .unwrap_or(TELLING.len())
}

/// The values that are no containers and not empty, with their dotted paths, in order.
fn scalars(map: &Map, depth: usize) -> Vec<Fact> {
    let mut found = Vec::new();
    collect_scalars(map, "", depth, &mut found);
    found
}

fn collect_scalars(map: &Map, prefix: &str, depth: usize, found: &mut Vec<Fact>) {
    for (name, value) in map {
        if name.starts_with('@') || name.starts_with("streamalert") {
            continue;
        }
        match value {
            Value::Map(inner) if depth > 1 => {
                collect_scalars(inner, &format!("{prefix}{name}."), depth - 1, found);
            }
            Value::Null | Value::List(_) | Value::Map(_) => {}
            scalar => {
                let text = scalar.python_str();
                if !text.trim().is_empty() {
                    found.push(Fact {
                        name: clean(&format!("{prefix}{name}")),
                        value: clean(&text),
                    });
                }
            }
        }
    }
}

/// What a publication without a record holds besides the usual.
pub(super) fn rest_of(fields: &Map) -> Value {
    let rest = fields
        .iter()
        .filter(|(name, _)| !name.starts_with('@') && !PLACED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()));
    Value::Map(rest.collect())
}
