//! Our own layout of an alert as embeds in the colour of the severity: what happened with its facts in columns, then the
//! record as a block of code.

use serde_json::{Value as Json, json};
use streamalert_types::Timestamp;

use crate::card::{Card, Fact};
use crate::outputs::markup::{
    Room, code, fenced, fit, markdown, markdown_url, name, plain, record, status, units,
};

/// Limits of embeds.
const TITLE_CHARS_MAX: usize = 256;
const FIELDS_MAX: usize = 25;
const FOOTER_CHARS_MAX: usize = 600;
const RECORD_CHARS_MAX: usize = 3500;

/// Characters of all embeds of a message; some room is left for characters that Discord may count as more than one.
pub(super) const EMBEDS_UNITS_MAX: usize = 5900;

/// Embeds of a message.
pub(super) fn embeds(card: &Card, created: Timestamp) -> Vec<Json> {
    fit(
        EMBEDS_UNITS_MAX,
        |embeds: &Vec<Json>| measure(embeds),
        |room| build(card, created, room),
    )
}

/// What counts towards the limit.
pub(super) fn measure(embeds: &[Json]) -> usize {
    let text = |json: &Json| json.as_str().map_or(0, units);
    let embed = |embed: &Json| {
        let fields = embed["fields"].as_array().into_iter().flatten();
        let fields: usize = fields
            .map(|field| text(&field["name"]) + text(&field["value"]))
            .sum();
        text(&embed["title"]) + text(&embed["description"]) + text(&embed["footer"]["text"]) + fields
    };
    embeds.iter().map(embed).sum()
}

fn build(card: &Card, created: Timestamp, room: Room) -> Vec<Json> {
    let colour = u32::from_str_radix(card.severity.colour(), 16).unwrap_or_default();
    let title = markdown(&plain(&card.title, TITLE_CHARS_MAX / 2), TITLE_CHARS_MAX / 2);
    let mut embed = json!({
        "title": plain(&title, TITLE_CHARS_MAX),
        "description": description(card),
        "color": colour,
        "fields": fields(card, room),
    });
    if let Some(link) = card.links.first() {
        embed["url"] = link.url.as_str().into();
    }
    vec![embed, last(card, created, room, colour)]
}

fn description(card: &Card) -> String {
    let mut parts = Vec::new();
    let status = status(card);
    if !status.is_empty() {
        parts.push(format!("**{status}**"));
    }
    if !card.summary.is_empty() {
        parts.push(markdown(&card.summary, 700));
    }
    if let Some(merged) = &card.merged {
        parts.push(code(&merged.span(), 160));
    }
    if !card.links.is_empty() {
        let links = card.links.iter();
        let links: Vec<String> = links
            .map(|link| format!("[{}]({})", link.text, markdown_url(&link.url)))
            // a url can be longer than everything else together
            .filter(|link| link.len() <= 500)
            .collect();
        parts.push(links.join("  ·  "));
    }
    if let Some(warning) = &card.warning {
        parts.push(format!("⚠ {}", code(warning, 300)));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn fields(card: &Card, room: Room) -> Vec<Json> {
    let field = |fact: &Fact| {
        json!({
            "name": name(&fact.name, 80),
            "value": code(&fact.value, room.value_chars),
            // long ones need a line of their own
            "inline": fact.value.chars().count() <= 40,
        })
    };
    let facts = card.facts.iter().take(room.facts);
    let facts = facts.chain(card.context.iter().take(room.facts));
    let mut fields: Vec<Json> = facts.map(field).collect();
    let all = card.facts.len() + card.context.len();
    fields.truncate(FIELDS_MAX - 1);
    if fields.len() < all {
        let note = format!("{} more fields", all - fields.len());
        fields.push(json!({"name": "…", "value": note, "inline": false}));
    }
    fields
}

/// What came later about an incident, in few lines.
pub(super) fn later(card: &Card) -> String {
    let mut lines = vec![format!("**{}**", status(card))];
    if let Some(merged) = &card.merged {
        lines.push(code(&merged.span(), 160));
    }
    let facts = card.facts.iter().map(|fact| {
        let name = markdown(&plain(&fact.name, 60), 80);
        format!("{name}: {}", code(&fact.value, 80))
    });
    lines.extend(facts);
    if let Some(id) = card.origin.iter().find(|part| part.starts_with("alert ")) {
        lines.push(markdown(id, 80));
    }
    lines.retain(|line| line != "****");
    lines.join("\n")
}

/// The record, and where it all comes from.
fn last(card: &Card, created: Timestamp, room: Room, colour: u32) -> Json {
    let (text, note) = record(card, room.record_chars.min(RECORD_CHARS_MAX));
    let mut description = String::new();
    if !text.is_empty() {
        description = fenced("json", &text);
    }
    if let Some(note) = note {
        if !description.is_empty() {
            description.push('\n');
        }
        description.push_str(&note);
    }
    json!({
        "description": description,
        "color": colour,
        "footer": {"text": plain(&card.origin.join(" · "), FOOTER_CHARS_MAX)},
        "timestamp": created.to_string(),
    })
}
