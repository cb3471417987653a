use super::super::Settings;
use crate::Secret;
use crate::service::{Field, url};

pub(super) const FIELDS: &[Field] = &[Field::required("url", "the incoming webhook, its token included")
    .secret()
    .check(url)
    .example("https://hooks.slack.com/services/T000/B000/XXXX")];

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
