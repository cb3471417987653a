use std::path::PathBuf;

use super::super::Settings;
use super::super::aws;
use crate::service::{Field, token};

pub(super) const FIELDS: &[Field] = &[
    Field::optional(
        "delivery_stream",
        "the name of the delivery stream; unset: the history is kept in files",
    )
    .short()
    .check(token),
    Field::optional(
        "directory",
        "without a delivery stream: where the history is kept, instead of in the data directory",
    )
    .example("/var/lib/streamalert/history"),
    aws::REGION,
    aws::ENDPOINT_URL,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

/// Where the history is kept.
pub(super) enum History {
    Files(PathBuf),
    Stream(String),
}

impl History {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let context = settings.context;
        let directory = settings.optional_text("directory")?;
        match (settings.optional_text("delivery_stream")?, directory) {
            (Some(_), Some(_)) => Err("delivery_stream and directory exclude each other".to_owned()),
            (Some(stream), None) => Ok(Self::Stream(stream)),
            (None, Some(directory)) => Ok(Self::Files(context.base_dir.join(directory))),
            (None, None) => Ok(Self::Files(context.history_dir.clone())),
        }
    }
}
