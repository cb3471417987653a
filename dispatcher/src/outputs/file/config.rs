use serde::Deserialize;

/// Settings of `file:NAME`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileConfig {
    /// The file; relative to the data directory. Its folders are made if need be.
    pub(crate) path: String,
}
