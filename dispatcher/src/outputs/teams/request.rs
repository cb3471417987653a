use serde_json::{Value as Json, json};
use streamalert_value::Value;

use super::layout::{self, Look};
use crate::Publication;
use crate::card::Card;
use crate::outputs::markup::fit;

/// Bytes of a message. Teams says 28 KB and counts what it makes of the card, which is more than what was sent.
pub(super) const MESSAGE_BYTES_MAX: usize = 24_000;

/// The message to post.
pub(super) fn message(publication: &Publication, key: &str) -> Vec<u8> {
    let card = publication.card();
    let sections = sections(publication);
    let with = |sections: &[Json]| {
        fit(MESSAGE_BYTES_MAX, Vec::len, |room| {
            let content = layout::card(&card, &look(publication, &card), sections, room, key);
            to_bytes(&json!({
                "type": "message",
                "summary": layout::headline(&card),
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": null,
                    "content": content,
                }],
            }))
        })
    };
    let whole = with(&sections);
    if whole.len() <= MESSAGE_BYTES_MAX || sections.is_empty() {
        return whole;
    }
    let note = format!(
        "{} sections of publishers left out, they are too large",
        sections.len()
    );
    with(&[layout::line(&note)])
}

fn to_bytes(json: &Json) -> Vec<u8> {
    serde_json::to_vec(json).expect("json has text keys")
}

/// What publishers say about the look.
fn look<'a>(publication: &'a Publication, card: &Card) -> Look<'a> {
    let text = |name: &str| publication.magic_text("teams", name);
    let colour = text("card_color").and_then(style_of_colour);
    let with_record = publication.magic("teams", "with_record");
    Look {
        title: text("title"),
        description: text("description"),
        style: colour.unwrap_or_else(|| layout::style(card.severity)),
        with_record: !matches!(with_record, Some(Value::Bool(false))),
    }
}

/// The style of a card that comes nearest to `RRGGBB`: cards have no colours of their own.
pub(super) fn style_of_colour(text: &str) -> Option<&'static str> {
    let hex = text.trim().trim_start_matches('#');
    if hex.len() != 6 || !hex.is_ascii() {
        return None;
    }
    let word = u32::from_str_radix(hex, 16).ok()?;
    let (red, green, blue) = (word >> 16 & 255, word >> 8 & 255, word & 255);
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    Some(match () {
        // grey
        () if most - least < 32 => "emphasis",
        () if most == red && green * 2 > red => "warning",
        () if most == red => "attention",
        () if most == green => "good",
        () => "accent",
    })
}

/// Sections of publishers as elements of a card: those that are elements already, and those in the form that
/// connectors took before.
fn sections(publication: &Publication) -> Vec<Json> {
    let one;
    let list = match publication.magic("teams", "additional_card_sections") {
        Some(Value::List(list)) => list.as_slice(),
        Some(Value::Null) | None => &[],
        Some(other) => {
            one = [other.clone()];
            &one
        }
    };
    list.iter().filter_map(section).collect()
}

fn section(value: &Value) -> Option<Json> {
    value.as_map()?;
    let json: Json = serde_json::from_slice(&crate::to_json(value)).ok()?;
    if json.get("type").is_some_and(Json::is_string) {
        return Some(json);
    }
    let text = |name: &str| {
        json.get(name)
            .and_then(Json::as_str)
            .filter(|text| !text.is_empty())
    };
    let block =
        |text: &str, weight: &str| json!({"type": "TextBlock", "text": text, "weight": weight, "wrap": true});
    let mut items = Vec::new();
    items.extend(
        text("title")
            .or(text("activityTitle"))
            .map(|text| block(text, "Bolder")),
    );
    for name in ["activitySubtitle", "activityText", "text"] {
        items.extend(text(name).map(|text| block(text, "Default")));
    }
    for fact in json.get("facts").and_then(Json::as_array).into_iter().flatten() {
        let part = |name: &str| fact.get(name).and_then(Json::as_str).unwrap_or_default();
        items.push(layout::row(part("name"), part("value")));
    }
    (!items.is_empty()).then(|| json!({"type": "Container", "separator": true, "items": items}))
}
