//! Layouts of our own as fields of a publication, so that later publishers can change them.

use std::sync::Arc;

use streamalert_value::{Map, Value};

use super::Whole;
use crate::card::{Card, Severity};
use crate::outputs::json::{map, text};
use crate::outputs::slack_layout;
use crate::{LinkTemplates, Publication};

fn card(whole: &Whole<'_>, made: &Value) -> Card {
    let mut publication = Publication::made(Arc::clone(whole.alert), whole.output.clone(), made.clone());
    publication.links = Arc::<LinkTemplates>::clone(whole.links);
    publication.card()
}

fn fields_of(made: Value) -> Map {
    match made {
        Value::Map(fields) => fields,
        other => Map::from_iter([("publication".to_owned(), other)]),
    }
}

/// The message in Block Kit: what happened, severity, key fields, links, record.
pub(super) fn slack(whole: &Whole<'_>, made: Value) -> Value {
    let card = card(whole, &made);
    let (summary, blocks) = slack_layout(&card, &whole.alert.id.to_string());
    let mut fields = fields_of(made);
    fields.insert("@slack.text".to_owned(), Value::Str(summary));
    fields.insert("@slack.blocks".to_owned(), Value::List(blocks));
    Value::Map(fields)
}

/// The severity of PagerDuty's events, and the urgency of its incidents.
fn urgency(severity: Severity) -> Option<(&'static str, &'static str)> {
    Some(match severity {
        Severity::Critical => ("critical", "high"),
        Severity::High => ("error", "high"),
        Severity::Medium => ("warning", "low"),
        Severity::Low | Severity::Info => ("info", "low"),
        Severity::Unknown => return None,
    })
}

/// Title, severity, and details that are read from the top: what happened, key fields, links, origin, record.
pub(super) fn pagerduty(whole: &Whole<'_>, made: Value) -> Value {
    let card = card(whole, &made);
    let title = card.headline();
    let details = details(&card);
    let mut fields = fields_of(made);
    for name in [
        "@pagerduty.description",
        "@pagerduty-v2.summary",
        "@pagerduty-incident.incident_title",
    ] {
        fields.insert(name.to_owned(), text(&title));
    }
    if let Some((severity, urgency)) = urgency(card.severity) {
        fields.insert("@pagerduty-v2.severity".to_owned(), text(severity));
        fields.insert("@pagerduty-incident.urgency".to_owned(), text(urgency));
    }
    let links: Vec<Value> = card
        .links
        .iter()
        .map(|link| map([("href", text(&link.url)), ("text", text(link.text))]))
        .collect();
    if !links.is_empty() {
        fields.insert("@pagerduty-v2.links".to_owned(), Value::List(links));
    }
    fields.insert("@pagerduty.details".to_owned(), details.clone());
    fields.insert("@pagerduty-v2.custom_details".to_owned(), details);
    Value::Map(fields)
}

fn details(card: &Card) -> Value {
    let mut details = Map::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            details.insert(name.to_owned(), text(value));
        }
    };
    put("what happened", &card.summary);
    put("severity", card.severity.word());
    if let Some(merged) = &card.merged {
        put("merged", &format!("{}, {}", merged.title(), merged.span()));
    }
    for fact in card.facts.iter().chain(&card.context) {
        put(&fact.name, &fact.value);
    }
    for link in &card.links {
        put(&link.text.to_lowercase(), &link.url);
    }
    put("warning", card.warning.as_deref().unwrap_or_default());
    put("origin", &card.origin.join(" · "));
    details.insert("record".to_owned(), card.record.clone());
    Value::Map(details)
}
