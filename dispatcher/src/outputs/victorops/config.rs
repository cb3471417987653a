use super::super::Settings;
use crate::Secret;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("victorops_api_id", "the API id")
        .secret()
        .check(token),
    Field::required("victorops_api_key", "the API key")
        .secret()
        .check(token),
    Field::required("url", "the REST endpoint with its key, without the routing key")
        .secret()
        .check(url)
        .example("https://alert.victorops.com/integrations/generic/20131114/alert/0123-4567"),
    Field::required("routing_key", "the routing key, which says which team is told")
        .secret()
        .check(token)
        .example("security"),
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) api_id: Secret,
    pub(super) api_key: Secret,
    pub(super) routing_key: Secret,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            api_id: settings.secret("victorops_api_id")?,
            api_key: settings.secret("victorops_api_key")?,
            routing_key: settings.secret("routing_key")?,
        })
    }
}
