use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

/// How long a connection to AWS may take to open. Longer than any healthy one, short enough that a black hole is
/// noticed before a lease runs out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one attempt of one call may take; long polls (SQS, 20 s) and subscriptions have their own.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A role to be assumed, for resources of another account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
}

/// Where AWS is, and as whom we go there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Access {
    /// The region; from the SDK's default chain where unset.
    pub region: Option<String>,
    /// Another place than AWS's own, such as an emulator on this machine.
    pub endpoint_url: Option<String>,
    /// The role to assume with the credentials of the default chain.
    pub role: Option<Role>,
}

impl Access {
    /// The configuration that clients are made from. Reads the environment and files of the default chain; asks the
    /// network only when a client first needs credentials.
    ///
    /// Retries are off: those who call know what a repeated call means, whether it slows a source, and when to give
    /// up, and two layers of retries multiply.
    pub async fn config(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &self.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        let Some(role) = &self.role else { return config };
        let mut provider = AssumeRoleProvider::builder(&role.arn)
            .session_name("streamalert")
            .configure(&config);
        if let Some(id) = &role.external_id {
            provider = provider.external_id(id);
        }
        let provider = SharedCredentialsProvider::new(provider.build().await);
        config.into_builder().credentials_provider(provider).build()
    }
}
