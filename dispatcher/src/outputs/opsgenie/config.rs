use super::super::Settings;
use crate::Secret;
use crate::service::{Field, FieldKind, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("api_key", "the key of an API integration")
        .secret()
        .check(token)
        .example("01234567-89ab-cdef-0123-456789abcdef"),
    Field::optional(
        "responders",
        "who is told: `team:NAME`, `user:E-MAIL`, `schedule:NAME` or `escalation:NAME`; the integration's, if empty",
    )
    .kind(FieldKind::List)
    .example("team:security"),
    Field::optional("tags", "tags of every alert").kind(FieldKind::List),
    Field::optional("priority", "the priority of alerts whose severity nobody names, P1 to P5")
        .check(priority)
        .default("P3"),
    Field::optional("url", "another API, such as https://api.eu.opsgenie.com")
        .check(url)
        .default("https://api.opsgenie.com"),
];

/// What a priority may be.
pub(super) const PRIORITIES: [&str; 5] = ["P1", "P2", "P3", "P4", "P5"];

fn priority(text: &str) -> Result<(), String> {
    if PRIORITIES.contains(&text) {
        Ok(())
    } else {
        Err("must be one of P1, P2, P3, P4, P5".to_owned())
    }
}

/// One who is told.
pub(super) struct Responder {
    /// Of [`RESPONDER_TYPES`].
    pub(super) kind: String,
    pub(super) name: String,
}

const RESPONDER_TYPES: [&str; 4] = ["team", "user", "schedule", "escalation"];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) api_key: Secret,
    pub(super) responders: Vec<Responder>,
    pub(super) tags: Vec<String>,
    pub(super) priority: String,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let responder = |text: &String| {
            let parts = text
                .split_once(':')
                .map(|(kind, name)| (kind.trim(), name.trim()));
            match parts {
                Some((kind, name)) if RESPONDER_TYPES.contains(&kind) && !name.is_empty() => Ok(Responder {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                }),
                _ => Err(format!("responders: {text} is not like team:NAME")),
            }
        };
        Ok(Self {
            url: settings.secret("url")?,
            api_key: settings.secret("api_key")?,
            responders: settings
                .list("responders")?
                .iter()
                .map(responder)
                .collect::<Result<_, _>>()?,
            tags: settings.list("tags")?,
            priority: settings.text("priority")?,
        })
    }
}
