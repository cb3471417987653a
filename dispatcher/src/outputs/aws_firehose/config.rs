use serde::Deserialize;

/// Settings of `aws-firehose:NAME` in local mode.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FirehoseConfig {
    /// The history directory instead of the one of the data directory.
    pub(crate) directory: Option<String>,
}
