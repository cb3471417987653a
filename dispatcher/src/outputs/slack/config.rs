use serde::Deserialize;

use crate::SecretSetting;

/// Settings of `slack:NAME`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlackConfig {
    /// The incoming webhook, its token included; StreamAlert's credential of the same name.
    pub(crate) url: SecretSetting,
}
