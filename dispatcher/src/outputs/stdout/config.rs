use super::super::Settings;
use crate::service::Field;

pub(super) const FIELDS: &[Field] =
    &[
        Field::optional("format", "json, one object a line, or text, for people to read")
            .check(check)
            .default("json"),
    ];

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
}

fn check(text: &str) -> Result<(), String> {
    match text {
        "json" | "text" => Ok(()),
        _ => Err("must be json or text".to_owned()),
    }
}

pub(super) fn format(settings: &Settings<'_>) -> Result<Format, String> {
    Ok(match settings.text("format")?.as_str() {
        "text" => Format::Text,
        _ => Format::Json,
    })
}
