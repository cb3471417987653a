use streamalert_value::{Map, Value};

use super::config::Config;
use crate::outputs::http::{Method, Request};
use crate::outputs::json::{cut, map, text};
use crate::outputs::pagerduty_v2::request::{EVENT_BYTES_MAX, dedup_key, details};
use crate::{Publication, to_json};

/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 1024;

/// The event of one delivery.
pub(super) fn event(config: &Config, publication: &Publication) -> Request {
    let whole = body(config, publication, details(publication, "pagerduty", "details"));
    let body = if whole.len() <= EVENT_BYTES_MAX {
        whole
    } else {
        let short = publication.shortened(whole.len(), EVENT_BYTES_MAX);
        body(config, publication, short)
    };
    Request::new(Method::POST, &config.url).with_json_bytes(body)
}

fn body(config: &Config, publication: &Publication, details: Value) -> Vec<u8> {
    let magic_text = |name: &str| publication.magic_text("pagerduty", name);
    let description = magic_text("description").map_or_else(
        || format!("StreamAlert Rule Triggered - {}", publication.alert.rule_name),
        str::to_owned,
    );
    let mut event = Map::from_iter([
        ("service_key".to_owned(), text(config.service_key.expose())),
        ("event_type".to_owned(), text("trigger")),
        ("incident_key".to_owned(), text(&dedup_key(publication))),
        (
            "description".to_owned(),
            Value::Str(cut(&description, DESCRIPTION_CHARS_MAX)),
        ),
        ("client".to_owned(), text("streamalert")),
        ("details".to_owned(), details),
    ]);
    if let Some(url) = magic_text("client_url") {
        event.insert("client_url".to_owned(), text(url));
    }
    let contexts = contexts(publication);
    if !contexts.is_empty() {
        event.insert("contexts".to_owned(), Value::List(contexts));
    }
    to_json(&Value::Map(event))
}

/// The publisher's links and images that PagerDuty can read, or the links of the alert itself.
fn contexts(publication: &Publication) -> Vec<Value> {
    let link = |href: &str, label: &str| {
        map([
            ("type", text("link")),
            ("href", text(href)),
            ("text", text(label)),
        ])
    };
    match publication.magic("pagerduty", "contexts") {
        Some(Value::List(items)) => {
            let readable = |item: &Value| {
                let of = |name: &str| item.get(name).and_then(Value::as_str);
                match of("type")? {
                    "link" => Some(link(of("href")?, of("text")?)),
                    "image" => Some(map([("type", text("image")), ("src", text(of("src")?))])),
                    _ => None,
                }
            };
            items.iter().filter_map(readable).collect()
        }
        _ => {
            let links = publication.card().links;
            links.iter().map(|to| link(&to.url, to.text)).collect()
        }
    }
}
