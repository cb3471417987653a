use super::super::Settings;
use super::super::aws;
use crate::service::Field;

pub(super) const FIELDS: &[Field] = &[
    Field::optional("log_group", "the log group")
        .default("/streamalert/alerts")
        .check(group),
    Field::optional(
        "log_stream",
        "the log stream; unset: what stands behind the colon of the output's name",
    )
    .check(stream),
    aws::REGION,
    aws::ENDPOINT_URL,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

/// Characters of both names.
const NAME_CHARS_MAX: usize = 512;

fn group(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/#".contains(c);
    if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err("may have up to 512 letters, digits and ._-/# only".to_owned())
}

fn stream(name: &str) -> Result<(), String> {
    if (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.contains([':', '*']) {
        return Ok(());
    }
    Err("may have up to 512 characters, without : and *".to_owned())
}

/// Which log.
pub(super) struct Config {
    pub(super) group: String,
    pub(super) stream: String,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let descriptor = || settings.output.descriptor().to_owned();
        Ok(Self {
            group: settings.text("log_group")?,
            stream: settings.optional_text("log_stream")?.unwrap_or_else(descriptor),
        })
    }
}
