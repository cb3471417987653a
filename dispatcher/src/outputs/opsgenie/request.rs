use serde_json::{Map as JsonMap, Value as Json, json};
use streamalert_value::Value;

use super::config::{Config, PRIORITIES, Responder};
use crate::outputs::SendError;
use crate::outputs::document::{Markup, document};
use crate::outputs::http::{Request, url_with};
use crate::outputs::json::{cut, one_line};
use crate::{Card, Publication, Severity};

const MESSAGE_CHARS_MAX: usize = 130;
const DESCRIPTION_CHARS_MAX: usize = 15_000;
const ENTITY_CHARS_MAX: usize = 512;
const TAGS_MAX: usize = 20;
const TAG_CHARS_MAX: usize = 50;
const DETAILS_CHARS_MAX: usize = 8000;
const NOTE_CHARS_MAX: usize = 25_000;

/// The alias of everything about one incident.
pub(super) fn alias(publication: &Publication) -> String {
    let incident = publication.incident();
    format!("streamalert:{}:{}", publication.output.descriptor(), incident.key)
}

/// Opens the alert, or counts it up.
pub(super) fn create(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let url = url_with(&config.url, &["v2", "alerts"], &[])?;
    Request::post_json(&url, &body(config, publication)).authorization("GenieKey", &config.api_key)
}

/// The notes of the alert, newest first.
pub(super) fn notes(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let query = [("identifierType", "alias"), ("order", "desc"), ("limit", "100")];
    let url = url_with(
        &config.url,
        &["v2", "alerts", &alias(publication), "notes"],
        &query,
    )?;
    // a hundred notes of the greatest length
    let request = Request::get(&url).reads(12 << 20);
    request.authorization("GenieKey", &config.api_key)
}

/// Adds a note.
pub(super) fn add_note(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let query = [("identifierType", "alias")];
    let url = url_with(
        &config.url,
        &["v2", "alerts", &alias(publication), "notes"],
        &query,
    )?;
    let note = document(&publication.card(), Markup::Plain, NOTE_CHARS_MAX);
    let body = json!({"note": note, "source": "StreamAlert", "user": "StreamAlert"});
    Request::post_json(&url, &body).authorization("GenieKey", &config.api_key)
}

fn body(config: &Config, publication: &Publication) -> Json {
    let card = publication.card();
    let magic = |name: &str| publication.magic("opsgenie", name);
    let magic_text = |name: &str| publication.magic_text("opsgenie", name);
    let headline = Markup::Plain.inert(&card.headline());
    let description = magic_text("description").map_or_else(
        || document(&card, Markup::Plain, DESCRIPTION_CHARS_MAX),
        |text| cut(text, DESCRIPTION_CHARS_MAX),
    );
    let tags = match magic("tags").and_then(Value::as_list) {
        Some(tags) => tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => config.tags.clone(),
    };
    let mut body = json!({
        "message": cut(&one_line(magic_text("message").unwrap_or(&headline)), MESSAGE_CHARS_MAX),
        "alias": alias(publication),
        "description": description,
        "details": details(publication),
        "entity": cut(magic_text("entity").unwrap_or(&publication.alert.log_source), ENTITY_CHARS_MAX),
        "source": "StreamAlert",
        "priority": priority(config, publication, &card),
        "tags": tags.iter().take(TAGS_MAX).map(|tag| cut(tag, TAG_CHARS_MAX)).collect::<Vec<_>>(),
    });
    let responders = match magic("responders") {
        Some(Value::List(items)) => items.iter().filter_map(wanted_responder).collect(),
        _ => config.responders.iter().map(responder).collect::<Vec<_>>(),
    };
    if !responders.is_empty() {
        body["responders"] = Json::Array(responders);
    }
    body
}

fn responder(responder: &Responder) -> Json {
    let by = if responder.kind == "user" {
        "username"
    } else {
        "name"
    };
    json!({"type": responder.kind, by: responder.name})
}

/// A publisher's responder: its type and one of the ways to name it. Another would refuse the whole alert.
fn wanted_responder(item: &Value) -> Option<Json> {
    let of = |name: &str| item.get(name).and_then(Value::as_str);
    let by = ["id", "name", "username"]
        .into_iter()
        .find(|by| of(by).is_some())?;
    Some(json!({"type": of("type")?, by: of(by)?}))
}

fn priority<'a>(config: &'a Config, publication: &'a Publication, card: &Card) -> &'a str {
    let said = publication.magic_text("opsgenie", "priority");
    match (said.filter(|said| PRIORITIES.contains(said)), card.severity) {
        (Some(said), _) => said,
        (None, Severity::Critical) => "P1",
        (None, Severity::High) => "P2",
        (None, Severity::Medium) => "P3",
        (None, Severity::Low) => "P4",
        (None, Severity::Info) => "P5",
        (None, Severity::Unknown) => &config.priority,
    }
}

/// Properties of the alert: what identifies it, and the facts of it as far as there is room.
fn details(publication: &Publication) -> Json {
    let alert = &publication.alert;
    let mut details = JsonMap::new();
    details.insert("alert".to_owned(), json!(alert.id.to_string()));
    details.insert("rule".to_owned(), json!(cut(&alert.rule_name, 500)));
    let more: Vec<(String, String)> = match publication.magic("opsgenie", "details") {
        Some(Value::Map(fields)) => {
            let text = |(name, value): (&String, &Value)| (name.clone(), value.python_str());
            fields.iter().map(text).collect()
        }
        _ => {
            let facts = publication.card().facts;
            let text = |text: &str| Markup::Plain.inert(text);
            facts
                .iter()
                .map(|fact| (text(&fact.name), text(&fact.value)))
                .collect()
        }
    };
    // a name that is given twice is one name
    let chars = |name: &str, value: &str| name.chars().count() + value.chars().count();
    let mut room = DETAILS_CHARS_MAX - 100 - chars("alertrule", &alert.rule_name).min(600);
    for (name, value) in more {
        let value = cut(&value, 1000);
        let taken = chars(&name, &value);
        if name.is_empty() || taken > room {
            continue;
        }
        room -= taken;
        details.insert(name, Json::String(value));
    }
    Json::Object(details)
}
