use super::super::Settings;
use crate::Secret;
use crate::outputs::http;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("url", "where the server is")
        .check(url)
        .example("https://demisto.example.com"),
    Field::required("token", "an API key").secret().check(token),
    Field::optional("auth_id", "the id of that key, which XSOAR 8 wants to know")
        .check(token)
        .example("12"),
    http::CA_FILE,
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) token: Secret,
    pub(super) auth_id: Option<String>,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            token: settings.secret("token")?,
            auth_id: settings.optional_text("auth_id")?,
        })
    }
}
