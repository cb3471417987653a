use streamalert_value::{Map, Value};

use super::layout;
use super::text::within;
use crate::{IncidentAction, Publication};

/// Slack truncates a message's text here by itself.
const TEXT_CHARS_MAX: usize = 40_000;

/// Attachments that StreamAlert sent at most.
const ATTACHMENTS_MAX: usize = 20;

/// Characters of an attachment's text that StreamAlert sent at most; Slack hides more behind "show more".
const ATTACHMENT_TEXT_CHARS_MAX: usize = 4000;

/// The message to post.
pub(super) fn message(publication: &Publication, key: &str) -> Value {
    let card = publication.card();
    let magic = |name: &str| publication.magic("slack", name);
    let custom_text = magic("text")
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty());

    let mut message = Map::new();
    let text = custom_text.map_or_else(|| layout::summary(&card), str::to_owned);
    message.insert("text".to_owned(), Value::Str(within(&text, TEXT_CHARS_MAX)));
    message.insert("mrkdwn".to_owned(), Value::Bool(true));
    if let Some(attachments) = magic("attachments").filter(|value| !value.is_null()) {
        message.insert("attachments".to_owned(), attachments_of(attachments));
    } else if let Some(Value::List(blocks)) = magic("blocks") {
        message.insert(
            "blocks".to_owned(),
            Value::List(layout::at_most_50(blocks.clone())),
        );
    } else {
        let blocks = layout::blocks(&card, custom_text, key);
        message.insert("blocks".to_owned(), Value::List(blocks));
    }
    for (name, value) in publication.magic_fields("slack") {
        if !(message.contains_key(name) || name == "blocks") {
            message.insert(name.to_owned(), value.clone());
        }
    }
    Value::Map(message)
}

/// Where a bot's message goes: the channel, and the thread of the incident's first message, whose timestamp is the
/// reference.
pub(super) fn address(message: &mut Value, publication: &Publication, channel: &str, in_thread: bool) {
    let Value::Map(message) = message else { return };
    let text = |text: &str| Value::Str(text.to_owned());
    message.insert("channel".to_owned(), text(channel));
    // what a log says is no address to fetch
    for name in ["unfurl_links", "unfurl_media"] {
        message.entry(name.to_owned()).or_insert(Value::Bool(false));
    }
    if in_thread
        && publication.incident().action == IncidentAction::Update
        && let Some(first) = publication.reference.as_deref()
    {
        message.insert("thread_ts".to_owned(), text(first));
    }
}

/// A publisher's attachments within StreamAlert's limits, with its defaults where they matter.
fn attachments_of(value: &Value) -> Value {
    let list = match value {
        Value::List(list) => list.clone(),
        single => vec![single.clone()],
    };
    let count = list.len();
    let mut attachments: Vec<Value> = list
        .into_iter()
        .take(ATTACHMENTS_MAX)
        .map(attachment_of)
        .collect();
    if count > ATTACHMENTS_MAX {
        let note = format!("{} more attachments left out", count - (ATTACHMENTS_MAX - 1));
        attachments[ATTACHMENTS_MAX - 1] = text_attachment(note);
    }
    Value::List(attachments)
}

fn attachment_of(value: Value) -> Value {
    let Value::Map(mut fields) = value else {
        return text_attachment(value.python_str());
    };
    if let Some(Value::Str(text)) = fields.get_mut("text") {
        *text = within(text, ATTACHMENT_TEXT_CHARS_MAX);
    }
    fields
        .entry("mrkdwn_in".to_owned())
        .or_insert_with(|| Value::List(["text", "pretext"].map(|name| Value::Str(name.to_owned())).into()));
    Value::Map(fields)
}

fn text_attachment(text: String) -> Value {
    Value::Map(Map::from_iter([
        ("fallback".to_owned(), Value::Str(within(&text, 100))),
        (
            "text".to_owned(),
            Value::Str(within(&text, ATTACHMENT_TEXT_CHARS_MAX)),
        ),
    ]))
}
