use serde_json::{Value as Json, json};

use super::config::Config;
use super::http::{Request, url_with};
use super::layout;
use crate::outputs::SendError;
use crate::outputs::json::cut;
use crate::outputs::markup::units;
use crate::{IncidentAction, Publication};

/// Characters of a message, in code units of UTF-16, after entities were read.
pub(super) const TEXT_UNITS_MAX: usize = 4096;

/// How Telegram is to read the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    /// As it is: for texts of publishers that are no HTML.
    Plain,
}

/// The request that sends the message.
pub(super) fn send(config: &Config, publication: &Publication, form: Form) -> Result<Request, SendError> {
    let method = format!("bot{}", config.token.expose());
    let url = url_with(&config.url, &[&method, "sendMessage"], &[])?;
    Ok(Request::post_json(&url, &message(config, publication, form)))
}

/// The message.
pub(super) fn message(config: &Config, publication: &Publication, form: Form) -> Json {
    let (text, form) = match publication.magic_text("telegram", "text") {
        None => (layout::text(&publication.card()), form),
        // a cut may go through a tag
        Some(text) if units(text) > TEXT_UNITS_MAX => (cut(text, TEXT_UNITS_MAX / 2), Form::Plain),
        Some(text) => (text.to_owned(), form),
    };
    let mut message = json!({
        "chat_id": config.chat_id,
        "text": text,
        "link_preview_options": {"is_disabled": true},
    });
    if form == Form::Html {
        message["parse_mode"] = "HTML".into();
    }
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
        if !["text", "chat_id"].contains(&name) && (name != "parse_mode" || form == Form::Html) {
            message[name] = serde_json::from_slice(&crate::to_json(value)).unwrap_or_default();
        }
    }
    message
}
