use serde_json::{Value as Json, json};
use streamalert_value::Value;

use super::config::Config;
use super::http::{Method, Parcel, Request, url_with};
use super::layout;
use crate::Publication;
use crate::card::Card;
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

/// The message. Cards of publishers that are too large give way to ours, which says so.
pub(super) fn message(publication: &Publication) -> Vec<u8> {
    let mut card = publication.card();
    if let Some(cards @ Value::List(_)) = publication.magic("google-chat", "cardsV2") {
        let cards = serde_json::from_slice(&crate::to_json(cards)).unwrap_or_default();
        let message = with_cards(publication, &card, cards);
        if message.len() <= MESSAGE_BYTES_MAX {
            return message;
        }
        card.warning = Some("the cards of the publisher are too large".to_owned());
    }
    fit(MESSAGE_BYTES_MAX, Vec::len, |room| {
        let cards = json!([{"cardId": "alert", "card": layout::card(&card, room)}]);
        with_cards(publication, &card, cards)
    })
}

fn with_cards(publication: &Publication, card: &Card, cards: Json) -> Vec<u8> {
    let mut message = json!({
        "thread": {"threadKey": publication.incident().key},
        // `<users/all>` would notify
        "fallbackText": plain(&card.headline(), 300).replace('<', "‹").replace('>', "›"),
    });
    if let Some(text) = publication.magic_text("google-chat", "text") {
        message["text"] = cut(text, TEXT_CHARS_MAX).into();
    }
    message["cardsV2"] = cards;
    serde_json::to_vec(&message).expect("json has text keys")
}
