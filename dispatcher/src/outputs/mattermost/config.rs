use super::super::Settings;
use crate::Secret;
use crate::service::{Field, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("url", "the incoming webhook, its key included")
        .secret()
        .check(url)
        .example("https://mattermost.example.com/hooks/XXXX"),
    Field::optional(
        "channel",
        "another channel than that of the webhook, by its name in urls, or @USER",
    )
    .example("security-alerts"),
    Field::optional(
        "username",
        "who it is from; only where the server lets webhooks choose",
    )
    .example("StreamAlert"),
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) channel: Option<String>,
    pub(super) username: Option<String>,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            channel: settings.optional_text("channel")?,
            username: settings.optional_text("username")?,
        })
    }
}
