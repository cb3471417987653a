use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

/// The last secrets that clients were given: those of keys before and after a renewal.
const SECRETS_MAX: usize = 4;

/// What the clients of one configuration sign with, remembered so that it can be taken out of what others write: AWS
/// quotes the session token in some of its complaints about signatures.
#[derive(Clone, Default)]
pub struct SeenSecrets(Arc<Mutex<VecDeque<String>>>);

impl fmt::Debug for SeenSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeenSecrets")
    }
}

impl SeenSecrets {
    /// `config`, whose clients' secrets are remembered from now on.
    #[must_use]
    pub fn watch(config: SdkConfig) -> (SdkConfig, Self) {
        let seen = Self::default();
        let Some(inner) = config.credentials_provider() else {
            return (config, seen);
        };
        let watched = Watched {
            inner,
            seen: seen.clone(),
        };
        let provider = SharedCredentialsProvider::new(watched);
        (config.into_builder().credentials_provider(provider).build(), seen)
    }

    /// Secret keys and session tokens.
    #[must_use]
    pub fn get(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().cloned().collect()
    }

    fn remember(&self, credentials: &Credentials) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = std::iter::once(credentials.secret_access_key()).chain(credentials.session_token());
        for secret in secrets {
            if !seen.iter().any(|known| known == secret) {
                seen.push_back(secret.to_owned());
            }
        }
        while seen.len() > SECRETS_MAX {
            seen.pop_front();
        }
    }
}

#[derive(Debug)]
struct Watched {
    inner: SharedCredentialsProvider,
    seen: SeenSecrets,
}

impl ProvideCredentials for Watched {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.inner.provide_credentials().await?;
            self.seen.remember(&credentials);
            Ok(credentials)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.inner.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_secrets_are_remembered_once_and_never_shown() {
        let seen = SeenSecrets::default();
        for number in [1, 1, 2, 3] {
            let token = (number != 2).then(|| format!("token{number}"));
            let credentials = Credentials::new("id", format!("key{number}"), token, None, "test");
            seen.remember(&credentials);
        }
        assert_eq!(seen.get(), ["token1", "key2", "key3", "token3"]);
        assert!(!format!("{seen:?}").contains("key"));
    }
}
