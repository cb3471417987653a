//! What outputs to AWS share: where it is, as whom we go there, and what a failure means.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aws_lc_rs::digest;
use streamalert_aws::{Access, Fault, FaultKind, Role, SdkConfig};
use tokio::sync::OnceCell;

use super::{SendError, Settings};
use crate::Redactor;
use crate::service::{Field, token, url};

/// The region; for the end of every `FIELDS` of AWS, with the three below.
pub(crate) const REGION: Field = Field::optional("region", "the region; unset: that of the environment")
    .check(token)
    .example("eu-west-1");
/// Another endpoint.
pub(crate) const ENDPOINT_URL: Field = Field::optional(
    "endpoint_url",
    "another endpoint than AWS's own, such as one in a private network",
)
.check(url);
/// The role to assume.
pub(crate) const ROLE_ARN: Field = Field::optional(
    "role_arn",
    "a role to assume for this output, such as one of another account",
)
.check(token)
.example("arn:aws:iam::123456789012:role/streamalert-alerts");
/// Its external id.
pub(crate) const EXTERNAL_ID: Field =
    Field::optional("external_id", "the external id that the role asks for").check(token);

/// Makes the configuration of SDK clients; a seam, so that tests need no credentials.
pub type AwsConfigs = dyn Fn(Access) -> Pin<Box<dyn Future<Output = SdkConfig> + Send>> + Send + Sync;

/// [`Access::config`]: credentials come from the SDK's default chain.
#[must_use]
pub fn aws_configs() -> Arc<AwsConfigs> {
    Arc::new(|access| Box::pin(async move { access.config().await }))
}

/// Where an output is in AWS. The client `C` is made at the first delivery: making it may ask the network.
pub(crate) struct Aws<C> {
    access: Access,
    configs: Arc<AwsConfigs>,
    client: OnceCell<C>,
    redactor: Redactor,
}

impl<C> Aws<C> {
    /// From the four fields above.
    pub(crate) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let external_id = settings.optional_text("external_id")?;
        let role = settings.optional_text("role_arn")?;
        if role.is_none() && external_id.is_some() {
            return Err("external_id without role_arn has no effect".to_owned());
        }
        Ok(Self {
            access: Access {
                region: settings.optional_text("region")?,
                endpoint_url: settings.optional_text("endpoint_url")?,
                role: role.map(|arn| Role { arn, external_id }),
            },
            configs: Arc::clone(&settings.context.aws),
            client: OnceCell::new(),
            redactor: settings.redactor()?,
        })
    }

    /// The client, made by `make` the first time.
    pub(crate) async fn client(&self, make: impl Fn(&SdkConfig) -> C) -> &C {
        let made = || async { make(&(self.configs)(self.access.clone()).await) };
        self.client.get_or_init(made).await
    }

    /// What a failed call means for the delivery. What an operator has to mend is not waited for, but for credentials:
    /// those expire and are renewed. Clean and on one line.
    pub(crate) fn error(&self, fault: &Fault) -> SendError {
        let text = self
            .redactor
            .clean(&fault.to_string(), super::http::MESSAGE_CHARS_MAX);
        if fault.may_have_happened() {
            SendError::unsure(text)
        } else if fault.is_retryable() || fault.kind == FaultKind::NoCredentials {
            SendError::retry(text)
        } else {
            SendError::permanent(text)
        }
    }
}

/// A deduplication id of any key: SHA-256 in 64 hexadecimal digits, which fit everywhere.
pub(crate) fn dedup_id(key: &str) -> String {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
