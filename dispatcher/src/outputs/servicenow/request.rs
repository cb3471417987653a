use streamalert_value::{Map, Value};

use super::config::{Config, Login};
use crate::outputs::SendError;
use crate::outputs::document::{Markup, document};
use crate::outputs::http::{Method, Request, url_with};
use crate::outputs::json::{cut, map, one_line, text};
use crate::{Incident, Publication, Severity, to_json};

const SHORT_DESCRIPTION_CHARS_MAX: usize = 160;
const TEXT_CHARS_MAX: usize = 4000;

/// What is read of a record.
const FIELDS: &str = "sys_id,number,correlation_display";

/// Looks for the record of an incident.
pub(super) fn search(config: &Config, incident: &Incident) -> Result<Request, SendError> {
    let by = format!("correlation_id={}", incident.key);
    let query = [
        ("sysparm_query", by.as_str()),
        ("sysparm_fields", FIELDS),
        ("sysparm_limit", "1"),
    ];
    let url = url_with(&config.url, &["api", "now", "table", &config.table], &query)?;
    signed(config, Request::get(&url))
}

/// Inserts a record.
pub(super) fn create(
    config: &Config,
    incident: &Incident,
    publication: &Publication,
) -> Result<Request, SendError> {
    let card = publication.card();
    let magic_text = |name: &str| publication.magic_text("servicenow", name);
    let headline = Markup::Plain.inert(&card.headline());
    let title = one_line(magic_text("short_description").unwrap_or(&headline));
    let description = magic_text("description").map_or_else(
        || document(&card, Markup::Plain, TEXT_CHARS_MAX),
        |text| cut(text, TEXT_CHARS_MAX),
    );
    let mut fields = Map::from_iter([
        (
            "short_description".to_owned(),
            Value::Str(cut(&title, SHORT_DESCRIPTION_CHARS_MAX)),
        ),
        ("description".to_owned(), Value::Str(description)),
        ("correlation_id".to_owned(), text(&incident.key)),
        ("correlation_display".to_owned(), Value::Str(display(publication))),
    ]);
    let level = match card.severity {
        Severity::Critical | Severity::High => Some("1"),
        Severity::Medium => Some("2"),
        Severity::Low | Severity::Info => Some("3"),
        Severity::Unknown => None,
    };
    for name in ["urgency", "impact"] {
        fields.extend(level.map(|level| (name.to_owned(), text(level))));
    }
    fields.extend(config.fields.clone());
    if let Some(Value::Map(more)) = publication.magic("servicenow", "fields") {
        fields.extend(more.clone());
    }
    let url = url_with(
        &config.url,
        &["api", "now", "table", &config.table],
        &[("sysparm_fields", FIELDS)],
    )?;
    signed(
        config,
        Request::new(Method::POST, &url).with_json_bytes(to_json(&Value::Map(fields))),
    )
}

/// Adds a work note to the record with this `sys_id`, and says whose it is.
pub(super) fn update(config: &Config, publication: &Publication, id: &str) -> Result<Request, SendError> {
    let note = document(&publication.card(), Markup::Plain, TEXT_CHARS_MAX);
    let fields = map([
        ("work_notes", Value::Str(note)),
        ("correlation_display", Value::Str(display(publication))),
    ]);
    let url = url_with(
        &config.url,
        &["api", "now", "table", &config.table, id],
        &[("sysparm_fields", FIELDS)],
    )?;
    signed(
        config,
        Request::new(Method::PATCH, &url).with_json_bytes(to_json(&fields)),
    )
}

/// By what a record tells which alert was added last.
pub(super) fn display(publication: &Publication) -> String {
    format!("StreamAlert {}", publication.alert.id)
}

fn signed(config: &Config, request: Request) -> Result<Request, SendError> {
    match &config.login {
        Login::Password { username, password } => request.basic(username, password),
        Login::Key(key) => request.secret_header("x-sn-apikey", key.expose()),
    }
}
