use streamalert_value::{Map, Value};

use super::config::{Access, Config};
use super::http::{Method, Parcel, Request, url_with};
use crate::card::Severity;
use crate::outputs::SendError;
use crate::outputs::json::{cut, map, text};
use crate::{Publication, to_json};

/// Bytes of a document's id.
const ID_BYTES_MAX: usize = 512;

/// How record and context are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Each field a field of the index.
    Fields,
    /// As text: whatever they hold, any index takes them.
    Text,
}

/// The request that creates the document unless it is there.
pub(super) fn create(config: &Config, parcel: &Parcel<'_>, form: Form) -> Result<Request, SendError> {
    let id = id(parcel);
    let pipeline = config.pipeline.as_deref().map(|pipeline| ("pipeline", pipeline));
    let query: Vec<(&str, &str)> = pipeline.into_iter().collect();
    let url = url_with(&config.url, &[&config.index, "_create", &id], &query)?;
    let request = Request::new(Method::PUT, &url).with_json_bytes(body(config, parcel, form)?);
    match &config.access {
        Access::None => Ok(request),
        Access::ApiKey(key) => request.authorization("ApiKey", key),
        Access::Password(user, password) => request.basic(user, password),
    }
}

/// The idempotency key without the slash, which proxies are known to mistake for a path. Outputs' names are short; the
/// alert's id alone is for one that is not.
fn id(parcel: &Parcel<'_>) -> String {
    let id = parcel.key.replace('/', ":");
    if id.len() <= ID_BYTES_MAX {
        id
    } else {
        parcel.publication.alert.id.to_string()
    }
}

fn body(config: &Config, parcel: &Parcel<'_>, form: Form) -> Result<Vec<u8>, SendError> {
    let publication = parcel.publication;
    let mut fields = publication.fields().into_owned();
    if form == Form::Text {
        to_text(&mut fields);
    }
    let whole = document(publication, fields);
    if whole.len() <= config.body_bytes_max {
        return Ok(whole);
    }
    let short = match publication.shortened(whole.len(), config.body_bytes_max) {
        Value::Map(fields) => fields,
        _ => Map::new(),
    };
    let short = document(publication, short);
    if short.len() <= config.body_bytes_max {
        return Ok(short);
    }
    let message = format!(
        "document of {} bytes, over the limit of {} even without its record",
        whole.len(),
        config.body_bytes_max
    );
    Err(SendError::permanent(message))
}

/// Every field that has fields of its own as JSON text, under another name: the index may know the first as an object.
fn to_text(fields: &mut Map) {
    let with_fields: Vec<String> = fields
        .iter()
        .filter(|(_, value)| matches!(value, Value::Map(_) | Value::List(_)))
        .map(|(name, _)| name.clone())
        .collect();
    for name in with_fields {
        if let Some(value) = fields.get(&name) {
            let json = String::from_utf8_lossy(&to_json(value)).into_owned();
            fields.insert(format!("{name}_text"), Value::Str(json));
        }
    }
    fields.retain(|_, value| !matches!(value, Value::Map(_) | Value::List(_)));
}

fn document(publication: &Publication, fields: Map) -> Vec<u8> {
    let alert = &publication.alert;
    let card = publication.card();
    let mut event = map([
        ("kind", text("alert")),
        ("module", text("streamalert")),
        ("dataset", text("streamalert.alerts")),
        ("id", text(&alert.id.to_string())),
    ]);
    if let (Value::Map(event), Some(severity)) = (&mut event, number(card.severity)) {
        event.insert("severity".to_owned(), Value::Int(severity));
    }
    let mut document = map([
        ("@timestamp", text(&alert.created.to_string())),
        ("message", Value::Str(cut(&card.headline(), 1000))),
        ("event", event),
        (
            "rule",
            map([
                ("name", text(&alert.rule_name)),
                ("description", Value::Str(card.summary)),
            ]),
        ),
        ("streamalert", Value::Map(fields)),
    ]);
    if let (Value::Map(document), Some(trace)) = (&mut document, alert.trace_id()) {
        document.insert("trace".to_owned(), map([("id", text(trace))]));
    }
    to_json(&document)
}

/// Severities as numbers, as Elastic Security counts risk: 21, 47, 73, 99.
fn number(severity: Severity) -> Option<i64> {
    match severity {
        Severity::Unknown => None,
        Severity::Info => Some(1),
        Severity::Low => Some(21),
        Severity::Medium => Some(47),
        Severity::High => Some(73),
        Severity::Critical => Some(99),
    }
}
