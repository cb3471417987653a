use serde_json::{Value as Json, json};
use streamalert_value::Value;

use super::config::Config;
use super::http::{Method, Request, url_with};
use super::layout;
use crate::outputs::SendError;
use crate::outputs::json::cut;
use crate::{IncidentAction, Publication};

/// Characters of a message's plain text.
const CONTENT_CHARS_MAX: usize = 2000;

/// Embeds of a message.
const EMBEDS_MAX: usize = 10;

/// The message about the same incident that is there already.
pub(super) fn message_to_edit(publication: &Publication) -> Option<&str> {
    let id = publication.reference.as_deref()?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    (is_id && publication.incident().action == IncidentAction::Update).then_some(id)
}

/// A new message. `wait` makes Discord answer with its id, after it is stored.
pub(super) fn post(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let url = url_with(&config.url, &[], &[("wait", "true")])?;
    Ok(Request::post_json(&url, &message(publication)))
}

/// A change of message `id`: its embeds stay, and what came later is said above them.
pub(super) fn edit(config: &Config, publication: &Publication, id: &str) -> Result<Request, SendError> {
    let url = url_with(&config.url, &["messages", id], &[])?;
    let mut message = message(publication);
    if let Some(message) = message.as_object_mut() {
        // who it is from cannot be edited
        message.remove("username");
        message.remove("avatar_url");
        if publication.magic("discord", "embeds").is_none() {
            message.remove("embeds");
        }
        let later = || cut(&layout::later(&publication.card()), CONTENT_CHARS_MAX);
        message.entry("content").or_insert_with(|| later().into());
    }
    Ok(Request::json(Method::PATCH, &url, &message))
}

/// The message. Embeds of publishers that are too large give way to ours, which say so.
pub(super) fn message(publication: &Publication) -> Json {
    let text = |name: &str| publication.magic_text("discord", name);
    let mut message = json!({"allowed_mentions": {"parse": []}});
    for (name, chars_max) in [
        ("content", CONTENT_CHARS_MAX),
        ("username", 80),
        ("avatar_url", 2000),
    ] {
        if let Some(text) = text(name) {
            message[name] = cut(text, chars_max).into();
        }
    }
    message["embeds"] = embeds(publication).into();
    message
}

fn embeds(publication: &Publication) -> Vec<Json> {
    let mut card = publication.card();
    if let Some(Value::List(embeds)) = publication.magic("discord", "embeds") {
        let embeds: Vec<Json> = embeds.iter().take(EMBEDS_MAX).map(as_json).collect();
        if layout::measure(&embeds) <= layout::EMBEDS_UNITS_MAX {
            return embeds;
        }
        card.warning = Some("the embeds of the publisher are too large".to_owned());
    }
    layout::embeds(&card, publication.alert.created)
}

fn as_json(value: &Value) -> Json {
    serde_json::from_slice(&crate::to_json(value)).unwrap_or_default()
}
