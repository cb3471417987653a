use super::super::Settings;
use crate::Secret;
use crate::outputs::http;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("ph_auth_token", "the token of an automation user")
        .secret()
        .check(token),
    Field::required("url", "where the server is")
        .check(url)
        .example("https://soar.example.com"),
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
            token: settings.secret("ph_auth_token")?,
        })
    }
}
