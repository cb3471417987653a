//! Our own layout of an alert in Block Kit: what happened first, the facts next, the record last.

use streamalert_types::{Alert, Timestamp};
use streamalert_value::{Map, Value};

use super::text::{escaped, escaped_within, first_line, title, within};

/// Limits of Block Kit.
const BLOCKS_MAX: usize = 50;
const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3000;
const SECTION_FIELDS_MAX: usize = 10;
const BLOCK_ID_CHARS_MAX: usize = 255;

/// A longer value is no fact to be read at a glance; it is in the record below.
const FIELD_VALUE_CHARS_MAX: usize = 300;

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

/// The one-line form for notifications.
pub(super) fn summary(fields: &Map, alert: &Alert) -> String {
    let (name, _) = escaped(
        &title(text_of(fields, "rule_name", &alert.rule_name)),
        HEADER_CHARS_MAX,
    );
    let description = text_of(fields, "rule_description", &alert.rule_description);
    match escaped_within(first_line(description), SECTION_CHARS_MAX).as_str() {
        "" => format!("*{name}*"),
        line => format!("*{name}*: {line}"),
    }
}

/// The blocks of a message. `custom_text` takes the place of title and description.
pub(super) fn blocks(fields: &Map, alert: &Alert, custom_text: Option<&str>, key: &str) -> Vec<Value> {
    let mut blocks = Vec::new();
    match custom_text {
        Some(text) => blocks.push(section(within(text, SECTION_CHARS_MAX))),
        None => {
            let name = title(text_of(fields, "rule_name", &alert.rule_name));
            blocks.push(header(&name));
            let description = text_of(fields, "rule_description", &alert.rule_description);
            let line = escaped_within(first_line(description), SECTION_CHARS_MAX);
            if !line.is_empty() {
                blocks.push(section(line));
            }
        }
    }
    let record = fields.get("record").cloned().unwrap_or_else(|| rest_of(fields));
    let empty = Map::new();
    let content = record.as_map().unwrap_or(&empty);
    let facts = match merge_line(content) {
        Some(line) => {
            blocks.push(section(line));
            merged_facts(content)
        }
        None => telling_facts(content),
    };
    push_facts(&mut blocks, facts);
    if let Some(Value::Map(context)) = fields.get("context") {
        push_facts(&mut blocks, scalars(context, 1));
    }
    if let Some(Value::Str(error)) = fields.get("streamalert_publisher_error") {
        blocks.push(section(format!(
            ":warning: publisher failed: {}",
            escaped_within(error, 500)
        )));
    }
    blocks.push(record_block(&record));
    blocks.push(footer(fields, alert, key));
    at_most_50(blocks)
}

/// At most as many blocks as a message may have; the last one says how many are missing.
pub(super) fn at_most_50(mut blocks: Vec<Value>) -> Vec<Value> {
    let count = blocks.len();
    if count > BLOCKS_MAX {
        blocks.truncate(BLOCKS_MAX - 1);
        blocks.push(section(format!("… ({} more blocks)", count - (BLOCKS_MAX - 1))));
    }
    blocks
}

/// `12 alerts merged, 2020-01-01T… to … (3 min)`, for the record of a merged alert.
fn merge_line(record: &Map) -> Option<String> {
    let count = record.get("AlertCount")?.as_i64()?;
    let first = record.get("AlertTimeFirst")?.as_str()?;
    let last = record.get("AlertTimeLast")?.as_str()?;
    let span = match (first.parse::<Timestamp>(), last.parse::<Timestamp>()) {
        (Ok(first), Ok(last)) => format!(" ({})", duration(last.since(first).as_secs())),
        _ => String::new(),
    };
    let plural = if count == 1 { "" } else { "s" };
    let (first, last) = (escaped_within(first, 60), escaped_within(last, 60));
    Some(format!("*{count} alert{plural} merged*, {first} to {last}{span}"))
}

fn duration(secs: u64) -> String {
    match secs {
        0..=119 => format!("{secs} s"),
        120..=7199 => format!("{} min", secs / 60),
        _ => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
    }
}

fn merged_facts(record: &Map) -> Vec<(String, String)> {
    let of = |name: &str| record.get(name).and_then(Value::as_map);
    let mut facts = of("MergedBy").map(|map| scalars(map, 1)).unwrap_or_default();
    facts.extend(of("OtherCommonKeys").map(telling_facts).unwrap_or_default());
    facts.truncate(SECTION_FIELDS_MAX);
    facts
}

/// The facts of a record that tell most, then its first plain values.
fn telling_facts(record: &Map) -> Vec<(String, String)> {
    let mut facts: Vec<(usize, String, String)> = scalars(record, FACT_DEPTH_MAX)
        .into_iter()
        .map(|(path, value)| (rank(&path), path, value))
        .collect();
    // what is deep and not known to tell anything is noise
    facts.retain(|(rank, path, _)| *rank < TELLING.len() || !path.contains('.'));
    facts.sort_by_key(|(rank, ..)| *rank);
    facts.truncate(SECTION_FIELDS_MAX);
    facts.into_iter().map(|(_, path, value)| (path, value)).collect()
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
fn scalars(map: &Map, depth: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect_scalars(map, "", depth, &mut found);
    found
}

fn collect_scalars(map: &Map, prefix: &str, depth: usize, found: &mut Vec<(String, String)>) {
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
                    found.push((format!("{prefix}{name}"), text));
                }
            }
        }
    }
}

fn push_facts(blocks: &mut Vec<Value>, facts: Vec<(String, String)>) {
    for chunk in facts.chunks(SECTION_FIELDS_MAX) {
        let fields = chunk
            .iter()
            .map(|(name, value)| {
                let (name, _) = escaped(name, 200);
                let value = escaped_within(value, FIELD_VALUE_CHARS_MAX);
                mrkdwn(format!("*{name}*\n{value}"))
            })
            .collect();
        blocks.push(map([("type", text("section")), ("fields", Value::List(fields))]));
    }
}

/// What a publication without a record holds besides the usual.
fn rest_of(fields: &Map) -> Value {
    let rest = fields
        .iter()
        .filter(|(name, _)| !name.starts_with('@') && !PLACED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()));
    Value::Map(rest.collect())
}

fn record_block(record: &Value) -> Value {
    const FENCE: &str = "```";
    // a fence inside the record would end ours
    let json = crate::json::to_pretty_json(record).replace(FENCE, "'''");
    let room = SECTION_CHARS_MAX - 2 * FENCE.len() - 80;
    let (shown, missing) = escaped(&json, room);
    let note = match missing {
        0 => String::new(),
        missing => format!("\n_… {missing} more characters, the whole alert is in the history_"),
    };
    section(format!("{FENCE}{shown}{FENCE}{note}"))
}

fn footer(fields: &Map, alert: &Alert, key: &str) -> Value {
    let cluster = alert.cluster.as_deref().unwrap_or_default();
    let parts = [
        text_of(fields, "log_source", &alert.log_source).to_owned(),
        text_of(fields, "source_entity", &alert.source_entity).to_owned(),
        text_of(fields, "cluster", cluster).to_owned(),
        alert.created.to_string(),
        format!("alert {}", alert.id),
        alert
            .trace_id()
            .map(|id| format!("trace {id}"))
            .unwrap_or_default(),
    ];
    let line: Vec<String> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| escaped_within(part, 250))
        .collect();
    let block_id: String = key.chars().take(BLOCK_ID_CHARS_MAX).collect();
    map([
        ("type", text("context")),
        ("block_id", Value::Str(block_id)),
        ("elements", Value::List(vec![mrkdwn(line.join(" · "))])),
    ])
}

fn text_of<'a>(fields: &'a Map, name: &str, otherwise: &'a str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or(otherwise)
}

fn header(title: &str) -> Value {
    let clean: String = title
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let title = Value::Str(within(&clean, HEADER_CHARS_MAX));
    map([
        ("type", text("header")),
        (
            "text",
            map([
                ("type", text("plain_text")),
                ("text", title),
                ("emoji", Value::Bool(false)),
            ]),
        ),
    ])
}

fn section(markup: String) -> Value {
    map([("type", text("section")), ("text", mrkdwn(markup))])
}

fn mrkdwn(markup: String) -> Value {
    map([("type", text("mrkdwn")), ("text", Value::Str(markup))])
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}
