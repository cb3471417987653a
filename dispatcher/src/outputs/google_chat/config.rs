use super::super::Settings;
use crate::Secret;
use crate::service::{Field, url};

pub(super) const FIELDS: &[Field] =
    &[
        Field::required("url", "the webhook of the space, key and token included")
            .secret()
            .check(url)
            .example("https://chat.googleapis.com/v1/spaces/AAAA/messages?key=XXXX&token=XXXX"),
    ];

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
