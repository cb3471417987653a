use super::super::Settings;
use crate::service::Field;

pub(super) const FIELDS: &[Field] = &[Field::required(
    "path",
    "the file; relative to the working directory, its folders are made if need be",
)
.example("alerts.jsonl")];

pub(super) fn path(settings: &Settings<'_>) -> Result<std::path::PathBuf, String> {
    Ok(settings.context.base_dir.join(settings.text("path")?))
}
