use super::super::Settings;
use crate::Secret;
use crate::service::{Field, FieldKind, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("token", "the token of the bot, as BotFather gave it")
        .secret()
        .check(token)
        .example("123456:ABC-DEF1234ghIkl"),
    Field::required(
        "chat_id",
        "the number of the chat or group, or @NAME of a channel",
    )
    .check(token)
    .example("-1001234567890"),
    Field::optional("message_thread_id", "the topic of a forum").kind(FieldKind::Number),
    Field::optional("url", "another Bot API server")
        .check(url)
        .default("https://api.telegram.org"),
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) token: Secret,
    pub(super) chat_id: String,
    pub(super) message_thread_id: Option<u64>,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            token: settings.secret("token")?,
            chat_id: settings.text("chat_id")?,
            message_thread_id: settings.optional_number("message_thread_id")?,
        })
    }
}
