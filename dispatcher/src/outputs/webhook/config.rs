use std::collections::BTreeMap;

use serde::Deserialize;

use crate::SecretSetting;

/// Settings of `webhook:NAME`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookConfig {
    /// Where to post; `http` or `https`. A secret, because many carry their token in the path.
    pub(crate) url: SecretSetting,
    /// Further headers; values are secrets.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, SecretSetting>,
    /// Key of the signature; without it nothing is signed.
    pub(crate) hmac_secret: Option<SecretSetting>,
    /// Larger bodies lose their record, visibly.
    #[serde(default = "body_bytes_max_default")]
    pub(crate) body_bytes_max: usize,
    /// PEM file with the only certificate authorities to trust, instead of the machine's.
    pub(crate) ca_file: Option<String>,
}

/// What common gateways take without being told otherwise (nginx, API gateways: 1 MiB and more).
const fn body_bytes_max_default() -> usize {
    1 << 20
}
