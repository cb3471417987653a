use streamalert_value::{Map, Value};

use super::config::Config;
use crate::outputs::SendError;
use crate::outputs::document::{Markup, document};
use crate::outputs::http::{Method, Request, url_with};
use crate::outputs::json::{cut, one_line, text};
use crate::{Publication, to_json};

/// Characters of what is shown in lists and read out on the telephone.
const DISPLAY_NAME_CHARS_MAX: usize = 255;

const MESSAGE_CHARS_MAX: usize = 10_000;

/// Ours, see the page.
pub(super) const ALERT_BYTES_MAX: usize = 256 << 10;

/// What `message_type` may be to open something; the others end incidents.
const MESSAGE_TYPES: [&str; 3] = ["CRITICAL", "WARNING", "INFO"];

/// The request of one delivery.
pub(super) fn alert(config: &Config, publication: &Publication) -> Result<Request, SendError> {
    let fields = publication.fields();
    let record = fields.get("record").cloned();
    let mut body = to_json(&alert_with(publication, record));
    if body.len() > ALERT_BYTES_MAX {
        let short = publication.shortened(body.len(), ALERT_BYTES_MAX);
        body = to_json(&alert_with(publication, Some(short)));
    }
    let url = url_with(&config.url, &[config.routing_key.expose()], &[])?;
    Request::new(Method::POST, &url)
        .with_json_bytes(body)
        .secret_header("x-vo-api-id", config.api_id.expose())?
        .secret_header("x-vo-api-key", config.api_key.expose())
}

fn alert_with(publication: &Publication, record: Option<Value>) -> Value {
    let (alert, card) = (&publication.alert, publication.card());
    let magic_text = |name: &str| publication.magic_text("victorops", name);
    let message_type = magic_text("message_type").filter(|kind| MESSAGE_TYPES.contains(kind));
    let name = magic_text("entity_display_name")
        .map_or_else(|| Markup::Plain.inert(&card.headline()), str::to_owned);
    let message = magic_text("state_message").map_or_else(
        || document(&card, Markup::Plain, MESSAGE_CHARS_MAX),
        |text| cut(text, MESSAGE_CHARS_MAX),
    );
    let incident = publication.incident();
    let entity = format!("streamalert/{}/{}", publication.output.descriptor(), incident.key);
    let secs = alert.created.as_micros().div_euclid(1_000_000);
    let mut fields = Map::from_iter([
        (
            "message_type".to_owned(),
            text(message_type.unwrap_or("CRITICAL")),
        ),
        ("entity_id".to_owned(), Value::Str(entity)),
        (
            "entity_display_name".to_owned(),
            Value::Str(cut(&one_line(&name), DISPLAY_NAME_CHARS_MAX)),
        ),
        ("state_message".to_owned(), Value::Str(message)),
        ("state_start_time".to_owned(), Value::Int(secs)),
        ("monitoring_tool".to_owned(), text("StreamAlert")),
        ("rule".to_owned(), text(&alert.rule_name)),
        ("alert".to_owned(), Value::Str(alert.id.to_string())),
    ]);
    for link in &card.links {
        fields.insert(format!("vo_annotate.u.{}", link.text), text(&link.url));
    }
    if let Some(record) = record {
        fields.insert("record".to_owned(), record);
    }
    Value::Map(fields)
}
