use super::super::Settings;
use crate::Secret;
use crate::service::{Field, url};

pub(super) const FIELDS: &[Field] = &[Field::required(
    "url",
    "the webhook, its token included; add ?thread_id=ID to post into a thread",
)
.secret()
.check(url)
.example("https://discord.com/api/webhooks/000000000000000000/XXXX")];

pub(super) struct Config {
    pub(super) url: Secret,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
        })
    }
}
