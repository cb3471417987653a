use super::super::Settings;
use crate::Secret;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("service_key", "the integration key of a service (Events API v1)")
        .secret()
        .check(token)
        .example("0123456789abcdef0123456789abcdef"),
    Field::optional("url", "another endpoint, such as that of the service region EU")
        .check(url)
        .default("https://events.pagerduty.com/generic/2010-04-15/create_event.json"),
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) service_key: Secret,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            service_key: settings.secret("service_key")?,
        })
    }
}
