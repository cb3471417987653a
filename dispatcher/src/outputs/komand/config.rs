use super::super::Settings;
use crate::Secret;
use crate::outputs::http;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("komand_auth_token", "the key that the trigger wants")
        .secret()
        .check(token)
        .example("00000000-0000-0000-0000-000000000000"),
    Field::required(
        "url",
        "the url of the trigger; a secret, because whoever knows it can start the workflow",
    )
    .secret()
    .check(url)
    .example("https://komand.example.com/v2/triggers/00000000-0000-0000-0000-000000000000/events"),
    http::CA_FILE,
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) token: Secret,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            token: settings.secret("komand_auth_token")?,
        })
    }
}
