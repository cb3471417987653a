//! Our own layout of an alert as an attachment with a border in the colour of the severity, and the record for the side
//! bar.

use serde_json::{Value as Json, json};

use crate::card::{Card, Fact};
use crate::outputs::markup::{Room, code, fenced, markdown, markdown_url, name, plain, record, status};

/// Characters of the record in the side bar.
const RECORD_CHARS_MAX: usize = 7000;

/// The attachment.
pub(super) fn attachment(card: &Card, room: Room) -> Json {
    let mut attachment = json!({
        "fallback": plain(&card.headline(), 300),
        "color": format!("#{}", card.severity.colour()),
        "title": name(&card.title, 200),
        "text": text(card),
        "fields": fields(card, room),
        "footer": plain(&card.origin.join(" · "), 600),
    });
    if let Some(link) = card.links.first() {
        attachment["title_link"] = link.url.as_str().into();
    }
    attachment
}

fn text(card: &Card) -> String {
    let mut parts = Vec::new();
    let status = status(card);
    if !status.is_empty() {
        parts.push(format!("**{status}**"));
    }
    if !card.summary.is_empty() {
        parts.push(markdown(&card.summary, 1000));
    }
    if let Some(merged) = &card.merged {
        parts.push(code(&merged.span(), 200));
    }
    let links: Vec<String> = card
        .links
        .iter()
        .map(|link| format!("[{}]({})", link.text, markdown_url(&link.url)))
        .collect();
    parts.push(links.join("  ·  "));
    if let Some(warning) = &card.warning {
        parts.push(format!(":warning: {}", code(warning, 500)));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn fields(card: &Card, room: Room) -> Vec<Json> {
    let field = |fact: &Fact| {
        json!({
            "title": name(&fact.name, 80),
            "value": code(&fact.value, room.value_chars),
            // long ones need a line of their own
            "short": fact.value.chars().count() <= 40,
        })
    };
    let facts = card.facts.iter().take(room.facts);
    let facts = facts.chain(card.context.iter().take(room.facts));
    let mut fields: Vec<Json> = facts.map(field).collect();
    let all = card.facts.len() + card.context.len();
    if fields.len() < all {
        let note = format!("{} more fields", all - fields.len());
        fields.push(json!({"title": "…", "value": note, "short": false}));
    }
    fields
}

/// The record, for the side bar.
pub(super) fn record_card(card: &Card) -> String {
    let (text, note) = record(card, RECORD_CHARS_MAX);
    let block = fenced("json", &text);
    match note {
        Some(note) => format!("{block}\n{note}"),
        None => block,
    }
}
