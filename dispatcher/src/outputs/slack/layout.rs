//! Our own layout of an alert in Block Kit: what happened first, the facts next, the record last.

use streamalert_value::Value;

use super::super::json::{map, text};
use super::text::{escaped, escaped_within, within};
use crate::card::{Card, Fact};

/// Limits of Block Kit.
const BLOCKS_MAX: usize = 50;
const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3000;
const SECTION_FIELDS_MAX: usize = 10;
const BLOCK_ID_CHARS_MAX: usize = 255;

/// A longer value is no fact to be read at a glance; it is in the record below.
const FIELD_VALUE_CHARS_MAX: usize = 300;

/// The one-line form for notifications.
pub(super) fn summary(card: &Card) -> String {
    let (name, _) = escaped(&card.title, HEADER_CHARS_MAX);
    match escaped_within(&card.summary, SECTION_CHARS_MAX).as_str() {
        "" => format!("*{name}*"),
        line => format!("*{name}*: {line}"),
    }
}

/// The blocks of a message. `custom_text` takes the place of title and description.
pub(super) fn blocks(card: &Card, custom_text: Option<&str>, key: &str) -> Vec<Value> {
    let mut blocks = Vec::new();
    match custom_text {
        Some(text) => blocks.push(section(within(text, SECTION_CHARS_MAX))),
        None => {
            blocks.push(header(&card.title));
            let line = escaped_within(&card.summary, SECTION_CHARS_MAX - 20);
            match (card.severity.word(), line.is_empty()) {
                ("", true) => {}
                ("", false) => blocks.push(section(line)),
                (severity, true) => blocks.push(section(format!("*{severity}*"))),
                (severity, false) => blocks.push(section(format!("*{severity}*  {line}"))),
            }
        }
    }
    if let Some(merged) = &card.merged {
        let span = escaped_within(&merged.span(), 200);
        blocks.push(section(format!("*{}*, {span}", merged.title())));
    }
    push_facts(&mut blocks, &card.facts);
    push_facts(&mut blocks, &card.context);
    if !card.links.is_empty() {
        let link = |link: &crate::card::Link| format!("<{}|{}>", link_url(&link.url), link.text);
        let links: Vec<String> = card.links.iter().map(link).collect();
        blocks.push(section(links.join("  ·  ")));
    }
    if let Some(warning) = &card.warning {
        blocks.push(section(format!(":warning: {}", escaped_within(warning, 500))));
    }
    blocks.push(record_block(card));
    blocks.push(footer(card, key));
    at_most_50(blocks)
}

/// A url inside `<…|…>`, where three characters mean something.
fn link_url(url: &str) -> String {
    url.replace('&', "&amp;").replace(['<', '>', '|'], "")
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

fn push_facts(blocks: &mut Vec<Value>, facts: &[Fact]) {
    for chunk in facts.chunks(SECTION_FIELDS_MAX) {
        let fields = chunk
            .iter()
            .map(|fact| {
                let (name, _) = escaped(&fact.name, 200);
                let value = escaped_within(&fact.value, FIELD_VALUE_CHARS_MAX);
                mrkdwn(format!("*{name}*\n{value}"))
            })
            .collect();
        blocks.push(map([("type", text("section")), ("fields", Value::List(fields))]));
    }
}

fn record_block(card: &Card) -> Value {
    const FENCE: &str = "```";
    // a fence inside the record would end ours
    let json = card.record_text().replace(FENCE, "'''");
    let room = SECTION_CHARS_MAX - 2 * FENCE.len() - 80;
    let (shown, missing) = escaped(&json, room);
    let note = match missing {
        0 => String::new(),
        missing => format!("\n_… {missing} more characters, the whole alert is in the history_"),
    };
    section(format!("{FENCE}{shown}{FENCE}{note}"))
}

fn footer(card: &Card, key: &str) -> Value {
    let parts: Vec<String> = card.origin.iter().map(|part| escaped_within(part, 250)).collect();
    let block_id: String = key.chars().take(BLOCK_ID_CHARS_MAX).collect();
    map([
        ("type", text("context")),
        ("block_id", Value::Str(block_id)),
        ("elements", Value::List(vec![mrkdwn(parts.join(" · "))])),
    ])
}

fn header(title: &str) -> Value {
    let title = Value::Str(within(title, HEADER_CHARS_MAX));
    let title = map([
        ("type", text("plain_text")),
        ("text", title),
        ("emoji", Value::Bool(false)),
    ]);
    map([("type", text("header")), ("text", title)])
}

fn section(markup: String) -> Value {
    map([("type", text("section")), ("text", mrkdwn(markup))])
}

fn mrkdwn(markup: String) -> Value {
    map([("type", text("mrkdwn")), ("text", Value::Str(markup))])
}
