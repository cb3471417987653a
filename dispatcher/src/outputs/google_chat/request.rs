use serde_json::{Value as Json, json};
use streamalert_value::Value;

use super::config::Config;
use super::http::{Method, Parcel, Request, url_with};
use super::layout;
use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::json::cut;
use crate::outputs::markup::{fit, plain};

/// Bytes of a message with its cards.
pub(super) const MESSAGE_BYTES_MAX: usize = 32_000;

/// Characters of a message's text.
const TEXT_CHARS_MAX: usize = 4000;

/// The request that creates the message, or answers with the one that it has created before.
pub(super) fn create(config: &Config, parcel: &Parcel<'_>) -> Result<Request, SendError> {
    // fit for an id of any API
    let id: String = parcel
        .key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let query = [
        ("requestId", id.as_str()),
        ("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"),
    ];
    let url = url_with(&config.url, &[], &query)?;
    Ok(Request::new(Method::POST, &url).with_json_bytes(message(parcel.publication)))
}

/// The message.
pub(super) fn message(publication: &Publication) -> Vec<u8> {
    let card = publication.card();
    let incident = publication.incident();
    fit(MESSAGE_BYTES_MAX, Vec::len, |room| {
        let mut message = json!({
            "thread": {"threadKey": incident.key},
            // `<users/all>` would notify
            "fallbackText": plain(&card.headline(), 300).replace('<', "‹").replace('>', "›"),
        });
        let text = publication.magic_text("google-chat", "text");
        if let Some(text) = text {
            message["text"] = cut(text, TEXT_CHARS_MAX).into();
        }
        match publication.magic("google-chat", "cardsV2") {
            Some(cards @ Value::List(_)) => {
                message["cardsV2"] = serde_json::from_slice(&crate::to_json(cards)).unwrap_or_default();
            }
            _ => {
                let card: Json = layout::card(&card, room);
                message["cardsV2"] = json!([{"cardId": "alert", "card": card}]);
            }
        }
        serde_json::to_vec(&message).expect("json has text keys")
    })
}
