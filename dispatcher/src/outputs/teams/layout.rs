//! Our own layout of an alert as an Adaptive Card: a band in the colour of the severity with the title, what happened,
//! the facts in two columns, buttons, where it comes from. Texts of logs are runs of rich text, which know no Markdown.

use serde_json::{Value as Json, json};

use crate::card::{Card, Fact, Severity};
use crate::outputs::markup::{Room, plain, record, status};

const TITLE_CHARS_MAX: usize = 200;
const SUMMARY_CHARS_MAX: usize = 1000;
const NAME_CHARS_MAX: usize = 80;

/// What publishers may decide.
pub(super) struct Look<'a> {
    pub(super) title: Option<&'a str>,
    /// Markdown.
    pub(super) description: Option<&'a str>,
    pub(super) style: &'static str,
    pub(super) with_record: bool,
}

/// The style of the band at the top.
pub(super) fn style(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "attention",
        Severity::Medium => "warning",
        Severity::Low => "accent",
        Severity::Info | Severity::Unknown => "emphasis",
    }
}

/// For notifications and old clients.
pub(super) fn headline(card: &Card) -> String {
    plain(&card.headline(), 250)
}

/// The card. `sections` are elements of publishers.
pub(super) fn card(card: &Card, look: &Look<'_>, sections: &[Json], room: Room, key: &str) -> Json {
    let mut body = vec![band(card, look)];
    match look.description {
        Some(text) => body.push(json!({
            "type": "TextBlock", "text": crate::outputs::json::cut(text, 4 * SUMMARY_CHARS_MAX), "wrap": true,
        })),
        None if !card.summary.is_empty() => body.push(line(&plain(&card.summary, SUMMARY_CHARS_MAX))),
        None => {}
    }
    if let Some(merged) = &card.merged {
        body.push(small(&plain(&merged.span(), 200)));
    }
    push_rows(&mut body, None, &card.facts, room);
    push_rows(&mut body, Some("Context"), &card.context, room);
    body.extend(sections.iter().cloned());
    if let Some(warning) = &card.warning {
        let items = [line(&format!("⚠ {}", plain(warning, 500)))];
        body.push(json!({"type": "Container", "style": "warning", "items": items}));
    }
    if look.with_record {
        body.push(record_container(card, room));
    }
    let origin = plain(&card.origin.join(" · "), 600);
    body.push(json!({
        "type": "RichTextBlock", "id": plain(key, 250), "separator": true, "spacing": "Medium",
        "inlines": [{"type": "TextRun", "text": origin, "size": "Small", "isSubtle": true}],
    }));
    let mut actions: Vec<Json> = card
        .links
        .iter()
        .map(|link| json!({"type": "Action.OpenUrl", "title": link.text, "url": link.url}))
        .collect();
    if look.with_record {
        actions.push(
            json!({"type": "Action.ToggleVisibility", "title": "Show record", "targetElements": ["record"]}),
        );
    }
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": headline(card),
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    })
}

fn band(card: &Card, look: &Look<'_>) -> Json {
    let title = plain(look.title.unwrap_or(&card.title), TITLE_CHARS_MAX);
    let mut items = vec![json!({
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": title, "size": "Large", "weight": "Bolder"}],
    })];
    let status = status(card);
    if !status.is_empty() {
        items.push(json!({
            "type": "RichTextBlock", "spacing": "None",
            "inlines": [{"type": "TextRun", "text": status, "weight": "Bolder"}],
        }));
    }
    json!({"type": "Container", "style": look.style, "bleed": true, "items": items})
}

fn push_rows(body: &mut Vec<Json>, title: Option<&str>, facts: &[Fact], room: Room) {
    if facts.is_empty() {
        return;
    }
    let mut items: Vec<Json> = title
        .map(|title| {
            json!({
                "type": "RichTextBlock",
                "inlines": [{"type": "TextRun", "text": title, "weight": "Bolder"}],
            })
        })
        .into_iter()
        .collect();
    let rows = facts.iter().take(room.facts);
    items.extend(rows.map(|fact| row(&fact.name, &plain(&fact.value, room.value_chars))));
    if facts.len() > room.facts {
        items.push(small(&format!("… {} more fields", facts.len() - room.facts)));
    }
    body.push(
        json!({"type": "Container", "separator": title.is_some(), "spacing": "Medium", "items": items}),
    );
}

/// Name and value beside each other.
pub(super) fn row(name: &str, value: &str) -> Json {
    let name = plain(name, NAME_CHARS_MAX);
    json!({
        "type": "ColumnSet", "spacing": "Small",
        "columns": [
            {"type": "Column", "width": 1, "items": [{
                "type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": name, "isSubtle": true}],
            }]},
            {"type": "Column", "width": 2, "items": [line(value)]},
        ],
    })
}

/// The record, not shown until asked for. Clients that know no blocks of code show its beginning as text.
fn record_container(card: &Card, room: Room) -> Json {
    let (text, note) = record(card, room.record_chars);
    let short: String = text.chars().take(800).collect();
    let mut items = Vec::new();
    if !text.is_empty() {
        items.push(json!({
            "type": "CodeBlock", "language": "Json", "codeSnippet": text,
            "fallback": {
                "type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": short, "fontType": "Monospace"}],
            },
        }));
    }
    items.extend(note.map(|note| small(&note)));
    json!({"type": "Container", "id": "record", "isVisible": false, "separator": true, "items": items})
}

/// Text as it is.
pub(super) fn line(text: &str) -> Json {
    json!({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]})
}

fn small(text: &str) -> Json {
    json!({
        "type": "RichTextBlock", "spacing": "Small",
        "inlines": [{"type": "TextRun", "text": text, "size": "Small", "isSubtle": true}],
    })
}
