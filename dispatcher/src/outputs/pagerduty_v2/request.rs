use streamalert_value::{Map, Value};

use super::http::{Method, Request};
use crate::outputs::json::{cut, map, text};
use crate::{Card, Link, Publication, Secret, Severity, to_json};

/// Characters of a summary (PD-CEF).
const SUMMARY_CHARS_MAX: usize = 1024;

/// Bytes of an event. PagerDuty says 512 KB; which KB it does not say.
pub(in crate::outputs) const EVENT_BYTES_MAX: usize = 512_000;

/// What `severity` may be; anything else is refused by PagerDuty.
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];

/// Where an event goes and what it brings; `pagerduty-incident` sends events, too.
pub(in crate::outputs) struct Event<'a> {
    pub(in crate::outputs) url: &'a Secret,
    pub(in crate::outputs) routing_key: &'a Secret,
    pub(in crate::outputs) publication: &'a Publication,
    /// Whether the details may hold the record.
    pub(in crate::outputs) has_record: bool,
}

impl Event<'_> {
    /// The request of one delivery.
    pub(in crate::outputs) fn request(&self) -> Request {
        let mut details = details(self.publication, "pagerduty-v2", "custom_details");
        if let (false, Value::Map(details)) = (self.has_record, &mut details) {
            details.shift_remove("record");
        }
        let whole = body(self, details);
        let body = if whole.len() <= EVENT_BYTES_MAX {
            whole
        } else {
            body(self, self.publication.shortened(whole.len(), EVENT_BYTES_MAX))
        };
        Request::new(Method::POST, self.url).with_json_bytes(body)
    }
}

fn body(event: &Event<'_>, details: Value) -> Vec<u8> {
    let publication = event.publication;
    let alert = &publication.alert;
    let magic = |name: &str| publication.magic("pagerduty-v2", name);
    let magic_text = |name: &str| publication.magic_text("pagerduty-v2", name);
    let summary = magic_text("summary").map_or_else(
        || format!("StreamAlert Rule Triggered - {}", alert.rule_name),
        str::to_owned,
    );
    let card = publication.card();
    let severity = magic_text("severity").filter(|severity| SEVERITIES.contains(severity));
    let mut payload = map([
        ("summary", Value::Str(cut(&summary, SUMMARY_CHARS_MAX))),
        ("source", text(&alert.log_source)),
        ("severity", text(severity.unwrap_or(severity_of(&card)))),
        ("timestamp", text(&alert.created.to_string())),
        ("custom_details", details),
    ]);
    for name in ["component", "group", "class"] {
        if let (Some(value), Value::Map(payload)) = (magic_text(name), &mut payload) {
            payload.insert(name.to_owned(), text(value));
        }
    }
    let mut fields = Map::from_iter([
        ("routing_key".to_owned(), text(event.routing_key.expose())),
        ("event_action".to_owned(), text("trigger")),
        ("dedup_key".to_owned(), text(&dedup_key(publication))),
        ("payload".to_owned(), payload),
        ("client".to_owned(), text("StreamAlert")),
    ]);
    if let Some(url) = magic_text("client_url") {
        fields.insert("client_url".to_owned(), text(url));
    }
    for (name, needs) in [("images", "src"), ("links", "href")] {
        if let Some(Value::List(items)) = magic(name) {
            // one entry that PagerDuty cannot read would refuse the event
            let items = items
                .iter()
                .filter(|item| item.get(needs).is_some_and(|url| url.as_str().is_some()));
            fields.insert(name.to_owned(), Value::List(items.cloned().collect()));
        }
    }
    if !fields.contains_key("links") && !card.links.is_empty() {
        let link = |link: &Link| map([("href", text(&link.url)), ("text", text(link.text))]);
        fields.insert(
            "links".to_owned(),
            Value::List(card.links.iter().map(link).collect()),
        );
    }
    to_json(&Value::Map(fields))
}

/// PagerDuty's word for it; StreamAlert's default where nobody said.
fn severity_of(card: &Card) -> &'static str {
    match card.severity {
        Severity::Unknown | Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

/// The same for everything about one incident, and different for each output, as StreamAlert's is.
pub(in crate::outputs) fn dedup_key(publication: &Publication) -> String {
    let incident = publication.incident();
    format!("{}:{}", publication.output.descriptor(), incident.key)
}

/// The details that responders see: those of the publisher, in this magic field, or description and record.
pub(in crate::outputs) fn details(publication: &Publication, service: &str, field: &str) -> Value {
    if let Some(details @ Value::Map(_)) = publication.magic(service, field) {
        return details.clone();
    }
    let plain =
        |(name, value): (&String, &Value)| (!name.starts_with('@')).then(|| (name.clone(), value.clone()));
    let fields = publication.fields();
    if !fields.contains_key("record") {
        // a publisher made something else of it
        return Value::Map(fields.iter().filter_map(plain).collect());
    }
    let kept = [
        "rule_description",
        "record",
        "context",
        "streamalert_trace_id",
        "streamalert_publisher_error",
    ];
    let entries = kept.iter().filter_map(|name| {
        let value = fields.get(*name)?;
        let name = if *name == "rule_description" {
            "description"
        } else {
            name
        };
        Some((name.to_owned(), value.clone()))
    });
    Value::Map(entries.collect())
}
