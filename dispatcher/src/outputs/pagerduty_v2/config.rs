use super::super::Settings;
use crate::Secret;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("routing_key", "the integration key of a service or ruleset")
        .secret()
        .check(token)
        .example("0123456789abcdef0123456789abcdef"),
    Field::optional(
        "url",
        "another endpoint, such as https://events.eu.pagerduty.com/v2/enqueue",
    )
    .check(url)
    .default("https://events.pagerduty.com/v2/enqueue"),
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) routing_key: Secret,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            routing_key: settings.secret("routing_key")?,
        })
    }
}
