use super::super::Settings;
use crate::Secret;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("token", "an access key of the REST API")
        .secret()
        .check(token)
        .example("u+abcdefghijklmnopqr"),
    Field::required(
        "integration_key",
        "the integration key (Events API v2) of the service that incidents are opened for",
    )
    .secret()
    .check(token)
    .example("0123456789abcdef0123456789abcdef"),
    Field::required(
        "email_from",
        "the e-mail address of the user in whose name is worked",
    )
    .check(token)
    .example("streamalert@example.com"),
    Field::required(
        "escalation_policy_id",
        "the id of the escalation policy that incidents get unless somebody is assigned",
    )
    .check(token)
    .example("PABC123"),
    Field::optional("escalation_policy", "the name of that policy; not needed"),
    Field::optional("service_id", "the id of the service; not needed"),
    Field::optional("service_name", "the name of the service; not needed"),
    Field::optional("api", "another REST API, such as https://api.eu.pagerduty.com")
        .check(url)
        .default("https://api.pagerduty.com"),
    Field::optional(
        "events_url",
        "another endpoint for events, such as https://events.eu.pagerduty.com/v2/enqueue",
    )
    .check(url)
    .default("https://events.pagerduty.com/v2/enqueue"),
];

pub(super) struct Config {
    pub(super) token: Secret,
    pub(super) integration_key: Secret,
    pub(super) email_from: String,
    pub(super) escalation_policy_id: String,
    pub(super) api: Secret,
    pub(super) events_url: Secret,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            token: settings.secret("token")?,
            integration_key: settings.secret("integration_key")?,
            email_from: settings.text("email_from")?,
            escalation_policy_id: settings.text("escalation_policy_id")?,
            api: settings.secret("api")?,
            events_url: settings.secret("events_url")?,
        })
    }
}
