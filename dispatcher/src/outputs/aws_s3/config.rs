use super::super::Settings;
use super::super::aws;
use crate::service::{Field, token};

pub(super) const FIELDS: &[Field] = &[
    Field::required("bucket", "the name of the bucket, or the ARN of an access point")
        .short()
        .check(token)
        .example("security-alerts"),
    Field::optional("prefix", "what the keys of the objects begin with")
        .default("alerts")
        .check(prefix),
    aws::REGION,
    aws::ENDPOINT_URL,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

/// Bytes of a prefix, so that the rest of a key has room.
const PREFIX_BYTES_MAX: usize = 200;

fn prefix(text: &str) -> Result<(), String> {
    if text.len() > PREFIX_BYTES_MAX || text.chars().any(char::is_control) {
        return Err("may have up to 200 bytes, without control characters".to_owned());
    }
    Ok(())
}

/// Where objects go.
pub(super) struct Config {
    pub(super) bucket: String,
    pub(super) prefix: String,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let prefix = settings.text("prefix")?;
        Ok(Self {
            bucket: settings.text("bucket")?,
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }
}
