use streamalert_value::Value;

use super::super::stdout::told;
use crate::card::Severity;
use crate::outputs::json::cut;
use crate::outputs::markup::{plain, shown};
use crate::{Publication, to_json};

/// What messages look like.
pub(super) struct Shape {
    pub(super) facility: u8,
    pub(super) hostname: String,
    pub(super) app_name: String,
    pub(super) enterprise_id: u64,
    pub(super) format: Format,
    pub(super) bytes_max: usize,
}

/// What stands after the structured data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
}

/// Characters of a value of structured data: what identifies, not what tells.
const VALUE_CHARS_MAX: usize = 60;

/// `<PRI>1 TIME HOST APP - RULE [DATA] MESSAGE`, at most `shape.bytes_max` bytes, in one line.
pub(super) fn message(publication: &Publication, key: &str, shape: &Shape) -> Vec<u8> {
    let mut head = header(publication, shape);
    let room = shape.bytes_max.saturating_sub(head.len() + 1);
    head.push_str(&data(publication, key, shape.enterprise_id, room));
    let room = shape.bytes_max.saturating_sub(head.len() + 1);
    head.push(' ');
    let mut message = head.into_bytes();
    match shape.format {
        Format::Json => message.extend(json(publication, room)),
        Format::Text => message.extend(text(publication, room).into_bytes()),
    }
    message
}

fn header(publication: &Publication, shape: &Shape) -> String {
    let alert = &publication.alert;
    let priority = u32::from(shape.facility) * 8 + level(publication.card().severity);
    let fit = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let rule: String = alert.rule_name.chars().map(fit).take(32).collect();
    let rule = if rule.is_empty() { "-" } else { &rule };
    format!(
        "<{priority}>1 {} {} {} - {rule} ",
        alert.created, shape.hostname, shape.app_name
    )
}

/// The severity of RFC 5424.
const fn level(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium | Severity::Unknown => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    }
}

/// What identifies the alert, in at most `room` bytes: parts that do not fit are left out, the last ones first.
fn data(publication: &Publication, key: &str, enterprise_id: u64, room: usize) -> String {
    let alert = &publication.alert;
    let card = publication.card();
    let count = card.merged.as_ref().map(|merged| merged.count.to_string());
    let text_of = |name: &str, otherwise: &str| {
        let fields = publication.fields();
        fields
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or(otherwise)
            .to_owned()
    };
    let parts = [
        ("key", key.to_owned()),
        ("id", alert.id.to_string()),
        ("severity", card.severity.word().to_lowercase()),
        ("rule", alert.rule_name.to_string()),
        ("incident", publication.incident().key),
        ("merged", count.unwrap_or_default()),
        ("log_source", text_of("log_source", &alert.log_source)),
        ("source_entity", text_of("source_entity", &alert.source_entity)),
        (
            "cluster",
            text_of("cluster", alert.cluster.as_deref().unwrap_or_default()),
        ),
        ("trace", alert.trace_id().unwrap_or_default().to_owned()),
    ];
    let mut data = format!("[streamalert@{enterprise_id}");
    for (name, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
        // a key is never cut: it is what a repetition is told by
        let chars_max = if *name == "key" {
            usize::MAX
        } else {
            VALUE_CHARS_MAX
        };
        let part = format!(" {name}=\"{}\"", escaped(&plain(value, chars_max)));
        if data.len() + part.len() < room {
            data.push_str(&part);
        }
    }
    data.push(']');
    data
}

/// A value of structured data (RFC 5424, 6.3.3).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The publication, as ASCII: such a message needs no byte order mark, which readers of JSON stumble over.
fn json(publication: &Publication, room: usize) -> Vec<u8> {
    let whole = ascii(&to_json(&publication.body));
    if whole.len() <= room {
        return whole;
    }
    let short = ascii(&to_json(&publication.shortened(whole.len(), room)));
    if short.len() <= room {
        return short;
    }
    let id = publication.alert.id;
    let least = format!(
        "{{\"id\":\"{id}\",\"streamalert_truncated\":\"over the limit, the whole alert is in the history\"}}"
    );
    cut_bytes(&least, room).into_bytes()
}

fn ascii(json: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(json);
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            // json has no control characters but in escapes, except DEL
            out.push(if c == '\u{7f}' { b' ' } else { c as u8 });
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend(format!("\\u{unit:04x}").into_bytes());
            }
        }
    }
    out
}

/// UTF-8, which a message says by its first character.
const BYTE_ORDER_MARK: char = '\u{feff}';

const NOTE: &str = "… the whole alert is in the history";

fn text(publication: &Publication, room: usize) -> String {
    let line: String = cut(&told(publication), usize::MAX).chars().map(shown).collect();
    let line = line.replace(['\n', '\t'], " ");
    let mark = |text: String| {
        if text.is_ascii() {
            text
        } else {
            format!("{BYTE_ORDER_MARK}{text}")
        }
    };
    let whole = mark(line);
    if whole.len() <= room {
        return whole;
    }
    let Some(kept) = room.checked_sub(NOTE.len() + BYTE_ORDER_MARK.len_utf8()) else {
        return String::new();
    };
    let mut begin = cut_bytes(&whole, kept);
    begin.push_str(NOTE);
    if begin.starts_with(BYTE_ORDER_MARK) {
        begin
    } else {
        mark(begin)
    }
}

/// At most so many bytes, whole characters.
fn cut_bytes(text: &str, bytes_max: usize) -> String {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
