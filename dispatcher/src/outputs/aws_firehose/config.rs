use std::path::PathBuf;

use super::super::Settings;
use crate::service::Field;

pub(super) const FIELDS: &[Field] = &[
    Field::optional(
        "directory",
        "where the history is kept, instead of in the data directory",
    )
    .example("/var/lib/streamalert/history"),
    Field::optional(
        "delivery_stream",
        "the delivery stream of StreamAlert; not used in local mode",
    )
    .short(),
];

pub(super) fn directory(settings: &Settings<'_>) -> Result<PathBuf, String> {
    let context = settings.context;
    Ok(match settings.optional_text("directory")? {
        Some(directory) => context.base_dir.join(directory),
        None => context.history_dir.clone(),
    })
}
