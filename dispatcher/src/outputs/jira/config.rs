use streamalert_value::{Map, Value};

use super::super::Settings;
use crate::Secret;
use crate::outputs::http;
use crate::service::{Field, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("username", "the user in whose name issues are made"),
    Field::required("password", "the password of that user").secret(),
    URL,
    PROJECT_KEY,
    ISSUE_TYPE,
    AGGREGATE,
    ADDITIONAL_JQL,
    SSL_VERIFY,
    REQUIRED_FIELDS,
    http::CA_FILE,
];

pub(in crate::outputs) const URL: Field = Field::required("url", "where Jira is")
    .check(url)
    .example("https://jira.example.com");

pub(in crate::outputs) const PROJECT_KEY: Field =
    Field::required("project_key", "the key of the project").example("SEC");

pub(in crate::outputs) const ISSUE_TYPE: Field =
    Field::required("issue_type", "the type of the issues").example("Task");

pub(in crate::outputs) const AGGREGATE: Field = Field::optional(
    "aggregate",
    "`yes`: alerts with the summary of an issue that is there become comments on it",
)
.check(yes_or_no)
.default("no");

pub(in crate::outputs) const ADDITIONAL_JQL: Field = Field::optional(
    "aggregation_additional_jql",
    "which issues may get such comments, as a clause of JQL",
)
.example("created > startOfWeek(-1w)");

pub(in crate::outputs) const SSL_VERIFY: Field = Field::optional(
    "ssl_verify",
    "read for StreamAlert's sake; certificates are always verified",
);

pub(in crate::outputs) const REQUIRED_FIELDS: Field = Field::optional(
    "additional_required_issue_fields",
    "further fields of every issue, as JSON",
)
.check(json_object)
.example(r#"{"customfield_10001": {"value": "Low"}}"#);

fn yes_or_no(text: &str) -> Result<(), String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "no" | "true" | "false" => Ok(()),
        _ => Err("must be yes or no".to_owned()),
    }
}

fn json_object(text: &str) -> Result<(), String> {
    match Value::parse_json(text.as_bytes()) {
        Ok(Value::Map(_)) => Ok(()),
        Ok(_) => Err("must be a dictionary".to_owned()),
        Err(_) => Err("must be JSON".to_owned()),
    }
}

/// Which Jira it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::outputs) enum Edition {
    DataCenter,
    Cloud,
}

pub(in crate::outputs) struct Config {
    pub(in crate::outputs) edition: Edition,
    pub(in crate::outputs) url: Secret,
    pub(in crate::outputs) username: String,
    pub(in crate::outputs) password: Secret,
    pub(in crate::outputs) project_key: String,
    pub(in crate::outputs) issue_type: String,
    pub(in crate::outputs) aggregates: bool,
    pub(in crate::outputs) additional_jql: Option<String>,
    pub(in crate::outputs) fields: Map,
}

impl Config {
    pub(in crate::outputs) fn read(settings: &Settings<'_>, edition: Edition) -> Result<Self, String> {
        let aggregate = settings.text("aggregate")?.to_ascii_lowercase();
        let fields = match settings.optional_text("additional_required_issue_fields")? {
            Some(text) => match Value::parse_json(text.as_bytes()) {
                Ok(Value::Map(fields)) => fields,
                _ => return Err("additional_required_issue_fields: must be a dictionary".to_owned()),
            },
            None => Map::new(),
        };
        Ok(Self {
            edition,
            url: settings.secret("url")?,
            username: settings.text("username")?,
            password: settings.secret("password")?,
            project_key: settings.text("project_key")?,
            issue_type: settings.text("issue_type")?,
            aggregates: matches!(aggregate.as_str(), "yes" | "true"),
            additional_jql: settings.optional_text("aggregation_additional_jql")?,
            fields,
        })
    }
}
