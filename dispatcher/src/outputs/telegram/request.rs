use serde_json::{Value as Json, json};

use super::config::Config;
use super::http::{Request, url_with};
use super::layout;
use crate::outputs::SendError;
use crate::outputs::json::cut;
use crate::{IncidentAction, Publication};

/// Characters of a message, in code units of UTF-16, after entities were read.
pub(super) const TEXT_UNITS_MAX: usize = 4096;

/// The request that sends the message.
pub(super) fn send(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let method = format!("bot{}", config.token.expose());
    let url = url_with(&config.url, &[&method, "sendMessage"], &[])?;
    Ok(Request::post_json(&url, &message(config, publication)))
}

/// The message.
pub(super) fn message(config: &Config, publication: &Publication) -> Json {
    let text = publication.magic_text("telegram", "text");
    let mut message = json!({
        "chat_id": config.chat_id,
        // what is cut out of HTML might break it, so only what cannot be right anyway is cut
        "text": text.map_or_else(|| layout::text(&publication.card()), |text| cut(text, TEXT_UNITS_MAX)),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": true},
    });
    if let Some(topic) = config.message_thread_id {
        message["message_thread_id"] = topic.into();
    }
    if publication.incident().action == IncidentAction::Update
        && let Some(id) = publication
            .reference
            .as_deref()
            .and_then(|id| id.parse::<i64>().ok())
    {
        message["reply_parameters"] = json!({"message_id": id, "allow_sending_without_reply": true});
    }
    for (name, value) in publication.magic_fields("telegram") {
        if !["text", "chat_id"].contains(&name) {
            message[name] = serde_json::from_slice(&crate::to_json(value)).unwrap_or_default();
        }
    }
    message
}
