use streamalert_value::{Map, Value};

use super::super::Settings;
use crate::Secret;
use crate::service::{Field, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("url", "the instance")
        .check(url)
        .example("https://example.service-now.com"),
    Field::optional("username", "the user in whose name records are made"),
    Field::optional("password", "the password of that user").secret(),
    Field::optional("api_key", "a REST API key, instead of username and password")
        .secret()
        .check(token),
    Field::optional("table", "the table that records are made in")
        .check(table)
        .default("incident"),
    Field::optional("fields", "further fields of every record, as JSON")
        .check(json_object)
        .example(r#"{"assignment_group": "Security", "category": "security"}"#),
];

fn table(text: &str) -> Result<(), String> {
    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name
        .then_some(())
        .ok_or_else(|| "must be the name of a table".to_owned())
}

fn json_object(text: &str) -> Result<(), String> {
    match Value::parse_json(text.as_bytes()) {
        Ok(Value::Map(_)) => Ok(()),
        Ok(_) => Err("must be a dictionary".to_owned()),
        Err(_) => Err("must be JSON".to_owned()),
    }
}

/// Who we are.
pub(super) enum Login {
    Password { username: String, password: Secret },
    Key(Secret),
}

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) login: Login,
    pub(super) table: String,
    pub(super) fields: Map,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let login = match (
            settings.optional_secret("api_key")?,
            settings.optional_text("username")?,
            settings.optional_secret("password")?,
        ) {
            (Some(key), ..) => Login::Key(key),
            (None, Some(username), Some(password)) => Login::Password { username, password },
            _ => return Err("missing field `api_key`, or `username` and `password`".to_owned()),
        };
        let fields = match settings.optional_text("fields")? {
            Some(text) => match Value::parse_json(text.as_bytes()) {
                Ok(Value::Map(fields)) => fields,
                _ => return Err("fields: must be a dictionary".to_owned()),
            },
            None => Map::new(),
        };
        Ok(Self {
            url: settings.secret("url")?,
            login,
            table: settings.text("table")?,
            fields,
        })
    }
}
