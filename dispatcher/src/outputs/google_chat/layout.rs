//! Our own layout of an alert as a card: title and severity in its header, what happened, the facts each under its
//! name, buttons, and the record in a section that is closed.

use serde_json::{Value as Json, json};

use crate::card::{Card, Fact};
use crate::outputs::markup::{Room, html, name, plain, record, status};

/// The card. Chat ignores what is after 100 widgets; there are never so many.
pub(super) fn card(card: &Card, room: Room) -> Json {
    let mut sections = vec![what_happened(card)];
    sections.extend(facts(None, &card.facts, room));
    sections.extend(facts(Some("Context"), &card.context, room));
    sections.push(raw(card, room));
    sections.push(json!({
        "widgets": [paragraph(&format!(
            "<font color=\"#5F6B7A\"><i>{}</i></font>",
            html(&plain(&card.origin.join(" · "), 600))
        ))],
    }));
    json!({"header": header(card), "sections": sections})
}

fn header(card: &Card) -> Json {
    let mut header = json!({"title": plain(&card.title, 200)});
    let status = status(card);
    if !status.is_empty() {
        header["subtitle"] = status.into();
    }
    header
}

fn what_happened(card: &Card) -> Json {
    let mut widgets = Vec::new();
    if !card.summary.is_empty() {
        widgets.push(paragraph(&html(&plain(&card.summary, 1000))));
    }
    if let Some(merged) = &card.merged {
        widgets.push(json!({
            "decoratedText": {
                "startIcon": {"knownIcon": "CLOCK"}, "text": html(&plain(&merged.span(), 200)), "wrapText": true,
            },
        }));
    }
    if let Some(warning) = &card.warning {
        let text = html(&plain(warning, 500));
        widgets.push(paragraph(&format!("⚠ <font color=\"#B3001B\">{text}</font>")));
    }
    if !card.links.is_empty() {
        let button =
            |link: &crate::card::Link| json!({"text": link.text, "onClick": {"openLink": {"url": link.url}}});
        let buttons: Vec<Json> = card.links.iter().map(button).collect();
        widgets.push(json!({"buttonList": {"buttons": buttons}}));
    }
    if widgets.is_empty() {
        widgets.push(paragraph(&html(&plain(&card.title, 200))));
    }
    json!({"widgets": widgets})
}

fn facts(title: Option<&str>, facts: &[Fact], room: Room) -> Option<Json> {
    if facts.is_empty() {
        return None;
    }
    let widget = |fact: &Fact| {
        json!({
            "decoratedText": {
                "topLabel": name(&fact.name, 80),
                "text": html(&plain(&fact.value, room.value_chars)),
                "wrapText": true,
            },
        })
    };
    let mut widgets: Vec<Json> = facts.iter().take(room.facts).map(widget).collect();
    if facts.len() > room.facts {
        widgets.push(paragraph(&format!("… {} more fields", facts.len() - room.facts)));
    }
    let mut section = json!({"widgets": widgets});
    if let Some(title) = title {
        section["header"] = title.into();
    }
    Some(section)
}

fn raw(card: &Card, room: Room) -> Json {
    let (text, note) = record(card, room.record_chars);
    // spaces at the beginning of a line would be lost
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let inner = line.trim_start_matches(' ');
            format!("{}{}", "\u{a0}".repeat(line.len() - inner.len()), html(inner))
        })
        .collect();
    let mut widgets = Vec::new();
    if !lines.is_empty() {
        widgets.push(paragraph(&lines.join("\n")));
    }
    widgets.extend(note.map(|note| paragraph(&note)));
    json!({"header": "Record", "collapsible": true, "uncollapsibleWidgetsCount": 0, "widgets": widgets})
}

/// Text with the markup of cards.
fn paragraph(markup: &str) -> Json {
    json!({"textParagraph": {"text": markup}})
}
