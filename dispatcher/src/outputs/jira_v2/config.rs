use crate::outputs::Settings;
use crate::outputs::jira::config::{
    ADDITIONAL_JQL, AGGREGATE, Config, Edition, ISSUE_TYPE, PROJECT_KEY, REQUIRED_FIELDS, SSL_VERIFY, URL,
};
use crate::service::Field;

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "username",
        "the e-mail address of the user in whose name issues are made",
    )
    .example("streamalert@example.com"),
    Field::required("password", "an API token of that user").secret(),
    URL.example("https://example.atlassian.net"),
    PROJECT_KEY,
    ISSUE_TYPE,
    AGGREGATE,
    ADDITIONAL_JQL,
    SSL_VERIFY,
    REQUIRED_FIELDS,
];

pub(super) fn read(settings: &Settings<'_>) -> Result<Config, String> {
    Config::read(settings, Edition::Cloud)
}
