use streamalert_value::{Map, Value};

use super::config::Config;
use crate::outputs::SendError;
use crate::outputs::http::{Method, Request, url_with};
use crate::outputs::json::{cut, map, text};
use crate::{Publication, Severity, to_json};

/// Ours, see the page.
pub(super) const ARTIFACT_BYTES_MAX: usize = 1 << 20;

const NAME_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 4000;

/// Looks for the artifact of the alert.
pub(super) fn search_artifact(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let id = quoted(&publication.alert.id.to_string());
    get(config, "artifact", ("_filter_source_data_identifier", &id))
}

/// Looks for the container of the rule.
pub(super) fn search_container(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let name = quoted(&container_name(publication));
    get(config, "container", ("_filter_name", &name))
}

fn container_name(publication: &Publication) -> String {
    cut(&publication.alert.rule_name, NAME_CHARS_MAX)
}

/// Filters are texts of JSON.
fn quoted(text: &str) -> String {
    String::from_utf8(to_json(&Value::Str(text.to_owned()))).unwrap_or_default()
}

fn get(config: &Config, what: &str, filter: (&str, &str)) -> Result<Request, SendError> {
    let url = url_with(&config.url, &["rest", what], &[filter, ("page_size", "1")])?;
    // an artifact of the greatest size
    let request = Request::get(&url).reads(4 * ARTIFACT_BYTES_MAX);
    request.secret_header("ph-auth-token", config.token.expose())
}

/// Makes the container of the rule.
pub(super) fn create_container(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let alert = &publication.alert;
    let container = map([
        ("name", Value::Str(container_name(publication))),
        (
            "description",
            Value::Str(cut(alert.rule_description.trim(), DESCRIPTION_CHARS_MAX)),
        ),
        (
            "source_data_identifier",
            Value::Str(format!("streamalert/{}", container_name(publication))),
        ),
    ]);
    post(config, "container", to_json(&container))
}

/// Makes the artifact of the alert.
pub(super) fn create_artifact(
    config: &Config,
    publication: &Publication,
    container: u64,
) -> Result<Request, SendError> {
    let fields = publication.fields();
    let record = match fields.get("record") {
        Some(record @ Value::Map(_)) => record.clone(),
        _ => Value::Map(Map::new()),
    };
    let whole = to_json(&artifact(
        publication,
        container,
        record,
        Value::Map(fields.into_owned()),
    ));
    let body = if whole.len() <= ARTIFACT_BYTES_MAX {
        whole
    } else {
        let short = publication.shortened(whole.len(), ARTIFACT_BYTES_MAX);
        to_json(&artifact(publication, container, Value::Map(Map::new()), short))
    };
    post(config, "artifact", body)
}

fn artifact(publication: &Publication, container: u64, record: Value, data: Value) -> Value {
    let card = publication.card();
    let container = i64::try_from(container).map_or(Value::Null, Value::Int);
    let mut fields = Map::from_iter([
        ("cef".to_owned(), record),
        ("container_id".to_owned(), container),
        ("data".to_owned(), data),
        ("name".to_owned(), Value::Str(cut(&card.title, NAME_CHARS_MAX))),
        (
            "description".to_owned(),
            Value::Str(cut(&card.summary, DESCRIPTION_CHARS_MAX)),
        ),
        ("label".to_owned(), text("Alert")),
        (
            "source_data_identifier".to_owned(),
            Value::Str(publication.alert.id.to_string()),
        ),
    ]);
    let severity = match card.severity {
        Severity::Unknown => None,
        Severity::Critical | Severity::High => Some("high"),
        Severity::Medium => Some("medium"),
        Severity::Low | Severity::Info => Some("low"),
    };
    fields.extend(severity.map(|severity| ("severity".to_owned(), text(severity))));
    Value::Map(fields)
}

fn post(config: &Config, what: &str, body: Vec<u8>) -> Result<Request, SendError> {
    let url = url_with(&config.url, &["rest", what], &[])?;
    let request = Request::new(Method::POST, &url).with_json_bytes(body);
    request.secret_header("ph-auth-token", config.token.expose())
}
