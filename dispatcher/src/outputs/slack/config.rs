use super::super::Settings;
use crate::Secret;
use crate::service::{Field, token, url};

/// The method of the Web API that posts.
const POST_MESSAGE: &str = "/chat.postMessage";

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "url",
        "the incoming webhook, its token included; for a bot https://slack.com/api/chat.postMessage",
    )
    .secret()
    .check(url)
    .example("https://hooks.slack.com/services/T000/B000/XXXX"),
    Field::optional("token", "the token of a bot with the scope chat:write")
        .secret()
        .check(token)
        .example("xoxb-0000-0000-XXXX"),
    Field::optional("channel", "the id of the channel that the bot posts to")
        .check(token)
        .example("C0123456789"),
];

pub(super) struct Config {
    pub(super) url: Secret,
    /// `None` for an incoming webhook.
    pub(super) bot: Option<Bot>,
}

/// What the Web API asks for and a webhook does not.
pub(super) struct Bot {
    pub(super) token: Secret,
    pub(super) channel: String,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let url = settings.secret("url")?;
        let is_api = url.expose().contains(POST_MESSAGE);
        let bot = match (
            settings.optional_secret("token")?,
            settings.optional_text("channel")?,
        ) {
            (None, None) if is_api => return Err("token: missing, chat.postMessage needs one".to_owned()),
            (None, None) => None,
            (Some(_), _) | (None, Some(_)) if !is_api => {
                return Err(
                    "url: must be https://slack.com/api/chat.postMessage where there are token and channel"
                        .to_owned(),
                );
            }
            (Some(token), Some(channel)) => Some(Bot { token, channel }),
            (Some(_), None) => return Err("channel: missing, a bot must be told one".to_owned()),
            (None, Some(_)) => return Err("token: missing, a bot needs one".to_owned()),
        };
        Ok(Self { url, bot })
    }
}
