use serde_json::{Value as Json, json};

use super::config::Config;
use super::layout;
use crate::Publication;
use crate::outputs::json::cut;
use crate::outputs::markup::{fit, units};

/// Characters of a message, its attachment included; longer ones would be split.
pub(super) const MESSAGE_CHARS_MAX: usize = 16_383;

/// The message to post.
pub(super) fn message(config: &Config, publication: &Publication, key: &str) -> Json {
    let card = publication.card();
    let mut message = json!({});
    for (name, text) in [("channel", &config.channel), ("username", &config.username)] {
        if let Some(text) = text {
            message[name] = text.as_str().into();
        }
    }
    let mut has_attachments = false;
    for (name, value) in publication.magic_fields("mattermost") {
        let value: Json = serde_json::from_slice(&crate::to_json(value)).unwrap_or_default();
        has_attachments |= name == "attachments";
        message[name] = match value {
            Json::String(text) => cut(&text, MESSAGE_CHARS_MAX / 2).into(),
            other => other,
        };
    }
    if !has_attachments {
        let attachment = fit(
            MESSAGE_CHARS_MAX / 2,
            |json: &Json| units(&json.to_string()),
            |room| layout::attachment(&card, room),
        );
        message["attachments"] = json!([attachment]);
    }
    if !message["props"].is_object() {
        message["props"] = json!({"card": layout::record_card(&card)});
    }
    message["props"]["streamalert_key"] = key.into();
    message
}
