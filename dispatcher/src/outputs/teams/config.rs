use super::super::Settings;
use crate::Secret;
use crate::service::{Field, url};

pub(super) const FIELDS: &[Field] = &[Field::required(
    "url",
    "the url of the workflow or incoming webhook, its signature included",
)
.secret()
.check(url)
.example("https://prod-00.westeurope.logic.azure.com/workflows/0123/triggers/manual/paths/invoke?sig=XXXX")];

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
