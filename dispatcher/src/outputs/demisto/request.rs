use serde_json::{Value as Json, json};
use streamalert_value::Value;

use super::config::Config;
use crate::outputs::SendError;
use crate::outputs::document::{Markup, document};
use crate::outputs::http::{Request, url_with};
use crate::outputs::json::cut;
use crate::{Publication, Severity};

const DETAILS_CHARS_MAX: usize = 20_000;
const NAME_CHARS_MAX: usize = 500;

/// Of one label.
const LABEL_CHARS_MAX: usize = 4000;

/// Of all labels, and of no more of them.
const LABELS_BYTES_MAX: usize = 256 << 10;
const LABELS_MAX: usize = 1000;

/// By what an incident is known as that of an alert.
fn mirror_id(id: &str) -> String {
    format!("streamalert-{id}")
}

/// Looks for the incident of the alert with this id.
pub(super) fn search(config: &Config, id: &str) -> Result<Request, SendError> {
    let query = format!("dbotMirrorId:\"{}\" or details:\"alert {id}\"", mirror_id(id));
    post(
        config,
        &["incidents", "search"],
        &json!({"filter": {"query": query, "page": 0, "size": 1}}),
    )
}

/// Makes an incident and starts its playbook.
pub(super) fn create(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let alert = &publication.alert;
    let id = alert.id.to_string();
    let magic_text = |name: &str| publication.magic_text("demisto", name);
    let details = magic_text("details").map_or_else(
        || document(&publication.card(), Markup::Plain, DETAILS_CHARS_MAX),
        |text| format!("{}\n\nalert {id}", cut(text, DETAILS_CHARS_MAX - 100)),
    );
    let incident = json!({
        "type": magic_text("incident_type").unwrap_or("Unclassified"),
        "name": cut(magic_text("incident_name").unwrap_or(&alert.rule_name), NAME_CHARS_MAX),
        "owner": magic_text("owner").unwrap_or("StreamAlert"),
        "severity": severity(publication),
        "labels": labels(publication),
        "customFields": {},
        "details": details,
        "dbotMirrorId": mirror_id(&id),
        "createInvestigation": true,
    });
    post(config, &["incident"], &incident)
}

/// Adds an entry to the war room of an incident.
pub(super) fn entry(
    config: &Config,
    publication: &Publication,
    incident: &str,
) -> Result<Request, SendError> {
    let text = document(&publication.card(), Markup::Plain, DETAILS_CHARS_MAX);
    post(
        config,
        &["entry"],
        &json!({"investigationId": incident, "data": text, "markdown": false}),
    )
}

fn post(config: &Config, path: &[&str], body: &Json) -> Result<Request, SendError> {
    let url = url_with(&config.url, path, &[])?;
    let request = Request::post_json(&url, body).secret_header("authorization", config.token.expose())?;
    match &config.auth_id {
        Some(id) => request.header("x-xdr-auth-id", id),
        None => Ok(request),
    }
}

/// XSOAR's numbers, as StreamAlert's words are mapped to them.
fn severity(publication: &Publication) -> f64 {
    let said = publication
        .magic_text("demisto", "severity")
        .map(|word| match word {
            _ if word.eq_ignore_ascii_case("med") => Severity::Medium,
            _ => Severity::of(word),
        });
    match said.unwrap_or_else(|| publication.card().severity) {
        Severity::Unknown => 0.0,
        Severity::Info => 0.5,
        Severity::Low => 1.0,
        Severity::Medium => 2.0,
        Severity::High => 3.0,
        Severity::Critical => 4.0,
    }
}

/// A label for every plain value of the publication, or of what a publisher wants instead, by name.
fn labels(publication: &Publication) -> Vec<Json> {
    let mut found = Labels::default();
    match publication.magic("demisto", "label_data") {
        Some(data) => found.collect(data, String::new()),
        None => {
            let fields = publication.fields();
            for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with('@')) {
                found.collect(value, name.clone());
            }
        }
    }
    let mut labels = found.labels;
    labels.sort();
    if found.missing > 0 {
        let note = format!(
            "{} more fields, the whole alert {} is in the history",
            found.missing, publication.alert.id
        );
        labels.push(("streamalert_truncated".to_owned(), note));
    }
    labels
        .into_iter()
        .map(|(name, value)| json!({"type": name, "value": value}))
        .collect()
}

#[derive(Default)]
struct Labels {
    labels: Vec<(String, String)>,
    bytes: usize,
    /// Those there was no room for.
    missing: usize,
}

impl Labels {
    /// `a.b[0]`. Recursion is bounded: no reader makes a value deeper than [`streamalert_value::DEPTH_MAX`].
    fn collect(&mut self, value: &Value, path: String) {
        let is_full = self.labels.len() >= LABELS_MAX || self.bytes >= LABELS_BYTES_MAX;
        match value {
            // what there is no room for needs no path
            Value::List(items) if is_full => self.missing += items.len(),
            Value::Map(fields) if is_full => self.missing += fields.len(),
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.collect(item, format!("{path}[{at}]"));
                }
            }
            Value::Map(fields) => {
                let prefix = if path.is_empty() {
                    String::new()
                } else {
                    format!("{path}.")
                };
                for (name, item) in fields {
                    self.collect(item, format!("{prefix}{name}"));
                }
            }
            _ if is_full => self.missing += 1,
            plain => {
                let value = cut(&plain.python_str(), LABEL_CHARS_MAX);
                let name = cut(&path, LABEL_CHARS_MAX);
                self.bytes += name.len() + value.len();
                self.labels.push((name, value));
            }
        }
    }
}
