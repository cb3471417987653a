use super::super::Settings;
use crate::Secret;
use crate::outputs::http;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("url", "where the server is")
        .check(url)
        .example("https://cb.example.com"),
    Field::required("token", "the API token of a user who may ban files")
        .secret()
        .check(token),
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
            token: settings.secret("token")?,
        })
    }
}
